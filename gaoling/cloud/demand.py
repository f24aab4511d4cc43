"""What the register asks of the cloud: which parts of a landing zone a system gets in a region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from gaoling.city import City, Region, System

Container = Literal["", "plain", "source", "copy"]

# Resources of a landing zone, as Pulumi counts them (components and providers too). A test
# compares them with what the components really make.
_ANCHOR = 2  # the landing zone, and the provider that is scoped to its project
_PROJECT = 2  # project, the administrator's role in it
_QUOTAS = 3
_NETWORK = 7  # component, network, two subnets, router, two interfaces
_CREDENTIAL = 1
_AUDITOR = 1
_GROUPS = 1
_TIER = 7  # group, service and ICMP in by family, out by family
_ICMP = 2
_NARROW = 1  # from class 3 on: the metadata service. Name servers off the extranet come on top
_PEERS = 2  # servers of one tier among themselves, by family
_BALANCER = 12  # component, quota; by family balancer, listener, pool, monitor, members
_NAMES = 3  # component, a record by family
NARROW = 3  # the MLPS class


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
    data_servers: int = 0  # the last so many of the servers
    balanced: bool = False
    named: bool = False  # the cloud keeps its name
    audited: bool = False
    baseline: bool = False  # ICMP is in the group of the whole city

    @property
    def resources(self) -> int:
        """Return how many resources a stack holds for it."""
        count = _ANCHOR + _QUOTAS + _NETWORK + _GROUPS + sum(map(self._tier, self._tiers()))
        if self.home:
            count += _PROJECT + _CREDENTIAL + (_AUDITOR if self.audited else 0)
        if self.servers:
            count += 1 + 2 * self.servers + (1 if self.servers > 1 else 0)
            count += _BALANCER if self.balanced else 0
            count += _NAMES if self.named else 0
        if self.volumes:
            count += 1 + self.volumes + (self.volumes if self.servers else 0)
        return count + (2 if self.container else 0)

    def _tiers(self) -> list[int]:
        """Return how many servers each tier has: the web tier is always there."""
        data = [self.data_servers] if self.data_servers else []
        return [self.servers - self.data_servers, *data]

    def _tier(self, servers: int) -> int:
        return (
            _TIER
            - (_ICMP if self.baseline else 0)
            + (_NARROW if self.system.mlps >= NARROW else 0)
            + (_PEERS if servers > 1 else 0)
        )


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
        return Demand(
            system,
            region,
            True,
            servers,
            volumes,
            container,
            peer,
            **_beyond(city, system, servers),
        )
    if policy.region != region or (policy.standby == "none" and not synced):
        return None
    if policy.standby != "servers":
        servers = volumes = 0
    peer = home(city).name if synced else ""
    beyond = {**_beyond(city, system, servers), "named": False, "audited": False}
    copy: Container = "copy" if synced else ""
    return Demand(system, region, False, servers, volumes, copy, peer, **beyond)


def _beyond(city: City, system: System, servers: int) -> dict[str, Any]:
    """Return what `landing` of the city's file adds to a system's servers and its project."""
    landing = city.settings.landing
    wish = landing.wish(system.id)
    return {
        "data_servers": wish.data_tier.servers if wish.data_tier and servers else 0,
        "balanced": wish.load_balancer and servers > 0,
        "named": landing.names == "designate" and servers > 0,
        "baseline": landing.baseline_group,
        "audited": landing.auditor is not None,
    }


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
