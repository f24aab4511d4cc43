"""What a region can hold, what it holds, and what it must keep for others.

All quantities are those that are promised to servers: (total − reserved) × allocation ratio, as
placement counts. `memory_gb`, `disk_gb` and `volume_gb` are GiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gaoling.city import City, System
from gaoling.cloud.capacity_settings import RESOURCES, Planning
from gaoling.cloud.demand import demand, demands, home, project_name
from gaoling.cloud.home import common

ROOT_DISK_GB = 20  # of a server where the city's stacks say nothing: infra/settings.py
Amounts = Mapping[str, float]
_FIELDS = ("servers", "vcpus", "memory_gb", "volume_gb", "recovery", "migration", "state")


@dataclass(frozen=True)
class Inventory:
    """One resource of one provider, as placement or Cinder says."""

    total: float
    reserved: float = 0.0
    ratio: float = 1.0
    used: float = 0.0

    @property
    def effective(self) -> float:
        """Return what can be promised to servers."""
        return max(0.0, self.total - self.reserved) * self.ratio


@dataclass(frozen=True)
class Host:
    """A compute host, or a pool of storage. `enabled`: servers may be scheduled there."""

    name: str
    inventories: Mapping[str, Inventory]
    enabled: bool = True
    up: bool = True

    def effective(self, resource: str) -> float:
        """Return what it offers of a resource; a host that is disabled offers nothing."""
        found = self.inventories.get(resource)
        return found.effective if found and self.enabled else 0.0


@dataclass(frozen=True)
class Observed:
    """What was seen of a region. `pools` have their own redundancy: no N+1 is taken from them.

    `provisioned` is what servers and volumes of each project hold. `wrong` says what could not be
    asked: its resources are in no host and in no pool. `measured` is False for a declaration.
    """

    region: str
    hosts: tuple[Host, ...] = ()
    pools: tuple[Host, ...] = ()
    provisioned: Mapping[str, Amounts] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    measured: bool = True

    def knows(self, resource: str) -> bool:
        return any(resource in each.inventories for each in (*self.hosts, *self.pools))

    def used(self, resource: str) -> float:
        """Return what is in use, on disabled hosts too: their servers have to go somewhere."""
        every = (each.inventories.get(resource) for each in (*self.hosts, *self.pools))
        return sum(each.used for each in every if each)

    def total(self, resource: str) -> float:
        return sum(each.effective(resource) for each in (*self.hosts, *self.pools))

    def host_loss(self, resource: str, *, largest: float = 0.0) -> float:
        """Return what N+1 takes away: the largest host, or the hosts that are down if they are
        more. `largest` is a host that is thought of and not there."""
        down = sum(h.effective(resource) for h in self.hosts if not h.up)
        return max([largest, down, *(h.effective(resource) for h in self.hosts)])


@dataclass(frozen=True)
class Figures:
    """One resource of one region. `assumed`: a cell of the register that it rests on is (假定)."""

    region: str
    resource: str
    total: float
    host_loss: float
    used: float
    failover: float
    pending: float
    headroom: float  # the part of what is left without a host that must stay free
    assumed: bool = True

    @property
    def usable(self) -> float:
        """Return what is there when the largest host is not."""
        return self.total - self.host_loss

    @property
    def taken(self) -> float:
        return self.used + self.failover + self.pending

    @property
    def free(self) -> float:
        """Return what nobody has and nobody is promised; less than nothing when it is short."""
        return self.usable - self.taken

    @property
    def wanted_free(self) -> float:
        return self.headroom * self.usable

    @property
    def short(self) -> float:
        """Return how much is missing to have the headroom."""
        return max(0.0, self.wanted_free - self.free)


def root_disk_gb(city: City) -> int:
    """Return the root disk of a server: what the city's stacks say."""
    return int(common(city).get("config", {}).get("rootDiskGb") or ROOT_DISK_GB)


def asked(city: City, system: System, region: str, root_gb: int) -> dict[str, float]:
    """Return what a system gets in a region; zeros when it gets nothing there."""
    found = demand(city, system, region)
    servers, volumes = (found.servers, found.volumes) if found else (0, 0)
    return {
        "vcpus": float(servers * system.vcpus),
        "memory_gb": float(servers * system.memory_gb),
        "disk_gb": float(servers * root_gb),
        "volume_gb": float(volumes * system.volume_gb),
    }


def plus(amounts: Iterable[Amounts]) -> dict[str, float]:
    """Return the sum by resource."""
    total = dict.fromkeys(RESOURCES, 0.0)
    for each in amounts:
        for name in RESOURCES:
            total[name] += each.get(name, 0.0)
    return total


def minus(one: Amounts, other: Amounts) -> dict[str, float]:
    """Return what of `one` is not covered by `other`; never less than nothing."""
    return {n: max(0.0, one.get(n, 0.0) - other.get(n, 0.0)) for n in RESOURCES}


def failover(city: City, region: str, system: System, root_gb: int) -> dict[str, float]:
    """Return what a region keeps for a system that would come over from its home.

    That is what runs at home and not here: a standby that runs already is demand, not reservation.
    A retired system comes over with its volumes only; one without a policy does not come.
    """
    policy = city.recovery_policy[system.recovery]
    if not system.has_landing_zone or policy.region != region or region == home(city).name:
        return dict.fromkeys(RESOURCES, 0.0)
    there = asked(city, system, home(city).name, root_gb)
    return minus(there, asked(city, system, region, root_gb))


def pending(city: City, observed: Observed, root_gb: int) -> dict[str, float]:
    """Return what the register asks of a region today and its projects do not hold yet.

    What one project has too much of is no other's.
    """
    parts = []
    for each in demands(city, observed.region):
        held = observed.provisioned.get(project_name(city, each.system), {})
        parts.append(minus(asked(city, each.system, observed.region, root_gb), held))
    return plus(parts)


def measure(city: City, observed: Observed, planning: Planning) -> list[Figures]:
    """Return the figures of a region, a resource each; one that nobody could be asked for is not
    among them."""
    root_gb = root_disk_gb(city)
    kept = plus(failover(city, observed.region, s, root_gb) for s in city.systems)
    waiting = pending(city, observed, root_gb)
    assumed = planning.basis == "assumed" or rests_on_assumed(city)
    return [
        Figures(
            region=observed.region,
            resource=name,
            total=observed.total(name),
            host_loss=observed.host_loss(name),
            used=observed.used(name),
            failover=kept[name],
            pending=waiting[name],
            headroom=planning.headroom,
            assumed=assumed,
        )
        for name in RESOURCES
        if observed.knows(name)
    ]


def rests_on_assumed(city: City) -> bool:
    """Return whether a cell that demand rests on is assumed."""
    return any(
        city.basis("systems", s.id, field) == "assumed"
        for s in city.systems if not s.classified for field in _FIELDS
    )  # fmt: skip


def declared(city: City, region: str) -> Observed:
    """Return what the register's providers declare for a region: nothing measured, no hosts.

    A resource that no provider speaks of is not known.
    """
    pools = []
    for provider in city.settings.providers:
        for number, each in enumerate(provider.capacity):
            if each.region == region:
                inventories = {
                    "vcpus": Inventory(each.vcpus),
                    "memory_gb": Inventory(each.memory_gb),
                    "volume_gb": Inventory(each.volume_gb),
                }
                pools.append(Host(f"{provider.id}/{number}", inventories))
    return Observed(region, pools=tuple(pools), measured=False)


@dataclass(frozen=True)
class Aggregate:
    """A host aggregate that a platform stack declares; `zone` is empty where it makes none."""

    name: str
    zone: str
    hosts: tuple[str, ...]


def aggregates(planning: Planning, region: str) -> tuple[Aggregate, ...]:
    """Return the aggregates of a region, sorted by name: the hosts of the kinds that name one.

    Only hosts that `capacity.yaml` declares: Nova refuses a host that it does not know, so one is
    declared when it has come. Of kinds that share an aggregate the first says the zone.
    """
    kinds = {k.id: k for k in planning.kinds}
    found: dict[str, list[str]] = {}
    for host in planning.hosts:
        name = kinds[host.kind].aggregate
        if host.region == region and name:
            found.setdefault(name, []).append(host.name)
    zones = {k.aggregate: k.zone or "" for k in reversed(planning.kinds) if k.aggregate}
    return tuple(
        Aggregate(name, zones[name], tuple(sorted(hosts))) for name, hosts in sorted(found.items())
    )
