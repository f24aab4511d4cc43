"""memcached: validated tokens of the API services. Not for Swift: its clusters' names clash."""

from __future__ import annotations

from lab.openstack.probe import listening
from lab.openstack.topology import LOOPBACK, SHARED_PORTS, UID_MEMCACHED, Cloud
from lab.supervise import Service


def services(cloud: Cloud) -> list[Service]:
    port = SHARED_PORTS["memcached"]
    options = ("-l", LOOPBACK, "-p", str(port), "-U", "0", "-m", "64", "-t", "1", "-c", "1024")
    return [
        Service(
            name="memcached",
            argv=("memcached", *options),
            uid=UID_MEMCACHED,
            ready=listening(port),
        )
    ]
