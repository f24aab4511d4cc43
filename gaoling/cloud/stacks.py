"""Which Pulumi stacks a city has, and in which order they are run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from gaoling.city import City
from gaoling.cloud.demand import Demand, demands, home
from gaoling.cloud.shards import assign, read_shards

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "gaoling"
STACKS = ROOT / "infra" / "stacks"
PLATFORM = "platform"
LANDING_ZONE = "gaoling:cloud:LandingZone"
ROLE = "openstack:identity/roleAssignment:RoleAssignment"
QUIET = "GAOLING_PULUMI_QUIET"  # a variable: set where nobody sees the debug messages of a program


@dataclass(frozen=True)
class Stack:
    """One stack: the platform of a region (`part` is "platform"), or a shard (its number).

    `wave` is its place in the order: platforms, then the first region, then the others. `anchors`
    are the URNs of what the others build on: the projects, with the role that lets them in.
    """

    name: str
    region: str
    part: str
    wave: int
    resources: int
    anchors: frozenset[str] = frozenset()


def shards_file(city: City) -> Path:
    return STACKS / f"{city.settings.id}.shards.csv"


def mapping(city: City) -> dict[str, int]:
    """Return department -> shard of a city: what its file holds, and what is new."""
    return assign(city, read_shards(shards_file(city)))


def in_shard(city: City, region: str, number: int) -> list[Demand]:
    """Return what a shard holds in a region, in the register's order."""
    of = mapping(city)
    return [d for d in demands(city, region) if of[d.system.department] == number]


def stack_name(city: City, region: str, part: str) -> str:
    return f"{city.settings.id}-{region}-{part}"


def stacks(city: City, regions: Sequence[str] = (), held: Collection[str] = ()) -> list[Stack]:
    """Return the stacks of a city in their order; of some regions when they are named.

    `held` names stacks whose state holds something. A shard of which the register has lost the last
    row is among the stacks for that reason alone: what it holds is not forgotten.
    Raises ValueError naming a region that the city has not.
    """
    for name in regions:
        if name not in city.region:
            known = ", ".join(city.region)
            raise ValueError(f"region {name!r}: expected one of {known}")
    wanted = [r.name for r in city.settings.regions if not regions or r.name in regions]
    of = mapping(city)
    found = [Stack(stack_name(city, r, PLATFORM), r, PLATFORM, 0, 0) for r in wanted]
    for region in wanted:
        shards: dict[int, list[Demand]] = {n: [] for n in _numbers(city, region, held)}
        for each in demands(city, region):
            shards.setdefault(of[each.system.department], []).append(each)
        wave = 1 if region == home(city).name else 2
        for number, here in sorted(shards.items()):
            name = stack_name(city, region, str(number))
            anchors = frozenset(
                f"urn:pulumi:{name}::{PROJECT}::{LANDING_ZONE}${ROLE}::{each.system.id}"
                for each in here if each.home
            )  # fmt: skip
            resources = sum(each.resources for each in here)
            found.append(Stack(name, region, str(number), wave, resources, anchors))
    return sorted(found, key=lambda s: s.wave)


def _numbers(city: City, region: str, names: Collection[str]) -> list[int]:
    """Return the numbers of those of `names` that are shards of a region."""
    start = stack_name(city, region, "")
    parts = [name.removeprefix(start) for name in names if name.startswith(start)]
    return [int(part) for part in parts if part.isdigit()]


def zones(city: City, stack: Stack, departments: Sequence[str]) -> list[str]:
    """Return the URNs of the landing zones of some departments in a stack.

    Raises ValueError naming a department that the register has not.
    """
    known = [d.id for d in city.departments]
    for name in departments:
        if name not in known:
            raise ValueError(f"department {name!r}: expected one of {', '.join(known)}")
    if not stack.part.isdigit():
        return []
    return [
        f"urn:pulumi:{stack.name}::{PROJECT}::{LANDING_ZONE}::{each.system.id}"
        for each in in_shard(city, stack.region, int(stack.part))
        if each.system.department in departments
    ]
