"""The relay: from inside the regions' namespaces to the broker on the machine's loopback."""

from __future__ import annotations

from lab.openstack import common
from lab.openstack.topology import LOOPBACK, PYTHON, REGIONS, SHARED_PORTS, Cloud
from lab.supervise import Service


def services(cloud: Cloud) -> list[Service]:
    port = SHARED_PORTS["rabbitmq"]
    pairs = [f"{region.namespace}:{port}={LOOPBACK}:{port}" for region in REGIONS]
    return [
        Service(
            name="relay",
            argv=(PYTHON, "-P", str(cloud.lib / "relay.py"), *pairs),
            wave=2,
            env=common.ENV,
        )
    ]
