"""The watch over guests: an agent that lives and does not do its work is started anew."""

from __future__ import annotations

from lab.openstack import common
from lab.openstack.topology import PYTHON, REGIONS, Cloud
from lab.supervise import Service


def services(cloud: Cloud) -> list[Service]:
    pairs = [f"{region.name}={cloud.region_data(region) / 'guests'}" for region in REGIONS]
    return [
        Service(
            name="watch",
            argv=(PYTHON, "-P", str(cloud.lib / "watch_guests.py"), *pairs),
            wave=4,
            env=common.ENV,
        )
    ]
