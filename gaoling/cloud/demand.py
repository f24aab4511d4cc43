"""What the register asks of the cloud: which parts of a landing zone a system gets in a region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gaoling.city import City, Region, System

Container = Literal["", "plain", "source", "copy"]

# Resources of a landing zone, as Pulumi counts them (components and providers too). A test
# compares them with what the components really make.
_ANCHOR = 2  # the landing zone, and the provider that is scoped to its project
_PROJECT = 2  # project, the administrator's role in it
_QUOTAS = 3
_NETWORK = 7  # component, network, two subnets, router, two interfaces
_GROUPS = 8  # component, group, HTTP and ICMP in by family, out by family
_PEERS = 2  # servers of one system among themselves, by family


@dataclass(frozen=True)
class Demand:
    """What one system gets in one region; `peer` is the other region of a container's pair."""

    system: System
    region: str
    home: bool
    servers: int
    volumes: int
    container: Container
    peer: str = ""

    @property
    def resources(self) -> int:
        """Return how many resources a stack holds for it."""
        count = _ANCHOR + _QUOTAS + _NETWORK + _GROUPS
        count += _PROJECT if self.home else 0
        count += _PEERS if self.servers > 1 else 0
        if self.servers:
            count += 1 + 2 * self.servers + (1 if self.servers > 1 else 0)
        if self.volumes:
            count += 1 + self.volumes + (self.volumes if self.servers else 0)
        return count + (2 if self.container else 0)


def home(city: City) -> Region:
    """Return the region in which systems live: the first of the register."""
    return city.settings.regions[0]


def demand(city: City, system: System, region: str) -> Demand | None:
    """Return what a system gets in a region; None when it gets nothing there.

    Planned, classified and off-cloud systems get nothing anywhere. A retired one keeps its network
    and its data and loses its servers. In another region than the first a system gets what its
    recovery policy asks for there.
    """
    if not system.has_landing_zone:
        return None
    policy = city.recovery_policy[system.recovery]
    synced = system.objects and policy.objects == "sync" and policy.region is not None
    servers = 0 if system.state == "retired" else system.servers
    volumes = system.servers if system.volume_gb else 0
    if region == home(city).name:
        container: Container = ("source" if synced else "plain") if system.objects else ""
        peer = (policy.region or "") if synced else ""
        return Demand(system, region, True, servers, volumes, container, peer)
    if policy.region != region or (policy.standby == "none" and not synced):
        return None
    if policy.standby != "servers":
        servers = volumes = 0
    peer = home(city).name if synced else ""
    return Demand(system, region, False, servers, volumes, "copy" if synced else "", peer)


def demands(city: City, region: str) -> Iterator[Demand]:
    """Yield what every system gets in a region, in the register's order."""
    for system in city.systems:
        if found := demand(city, system, region):
            yield found


def flavors(city: City, region: str) -> list[tuple[int, int]]:
    """Return the kinds of servers that a region needs, as (vcpus, GiB of memory), sorted."""
    kinds = {
        (d.system.vcpus, d.system.memory_gb) for d in demands(city, region) if d.system.servers
    }
    return sorted(kinds)


def flavor_name(vcpus: int, memory_gb: int) -> str:
    return f"gaoling-{vcpus}c{memory_gb}g"


def project_name(city: City, system: System) -> str:
    """Return the name of a system's project: projects are of the whole cloud, not of a region."""
    return f"{city.settings.id}-{system.id}"


def container_name(system: System) -> str:
    return f"{system.id}-objects"
