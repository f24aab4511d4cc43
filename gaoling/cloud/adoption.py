"""Where each system really is on its way to the cloud, beside what the register says of it.

The register's state (planned, migrating, on_cloud, off) is what somebody wrote. The observed one
comes from two sources: the cloud's APIs, asked now, and the evidence that the exporter holds (the
ladder of gaoling.evidence: a system is on the cloud when its own endpoint answers from a township).
Where the two cannot both be true that is a contradiction, and somebody has to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gaoling.city import City, System
from gaoling.cloud.access import TAG
from gaoling.cloud.demand import home, project_name
from gaoling.cloud.samples import tagged

Observed = Literal["off", "migrating", "on_cloud", "retired", "unknown"]
RUNGS = ("declared", "provisioned", "addressed", "reachable", "answering")


class AdoptionError(Exception):
    """A region could not be asked; the message says which and why."""


@dataclass(frozen=True)
class Holding:
    """What a project has in one region; `running` are servers that are ACTIVE."""

    servers: int = 0
    running: int = 0
    volumes: int = 0
    networks: int = 0


@dataclass(frozen=True)
class Place:
    """A project of ours: how the cloud tags it, and what it has by region."""

    name: str
    id: str
    system: str
    department: str
    holdings: Mapping[str, Holding] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What evidence says: the highest rung held (None: nothing known), and whether that is all.

    `final` is true when the rung above was looked at and not found, or there is none above.
    """

    rung: str | None = None
    final: bool = False
    because: str = ""


@dataclass(frozen=True)
class Row:
    """One system: what is said of it, what is seen, and what does not fit."""

    system: System
    observed: Observed
    rung: str
    because: str
    place: Place | None
    contradictions: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Adoption:
    """All systems of the register, and projects of ours that the register does not know."""

    rows: tuple[Row, ...]
    foreign: tuple[Place, ...]

    @property
    def contradictions(self) -> int:
        return sum(len(r.contradictions) for r in self.rows) + len(self.foreign)


# ------------------------------------------------------------------------------ looking
def look(clouds: Mapping[str, Any]) -> list[Place]:
    """Return every project tagged `gaoling` with what it has in each region, by connection.

    Raises AdoptionError.
    """
    about: dict[str, tuple[str, list[str]]] = {}
    holdings: dict[str, dict[str, Holding]] = {}
    for region, cloud in clouds.items():
        try:
            for project in cloud.identity.projects(tags=TAG):
                about[project.id] = (project.name, list(project.tags or ()))
            counts = _count(cloud)
        except Exception as error:  # the SDK, keystoneauth and requests each have their own
            text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise AdoptionError(f"{region}: {text}; nothing is said without it") from None
        for identity, found in counts.items():
            holdings.setdefault(identity, {})[region] = Holding(**found)
    return [
        Place(name, i, tagged(tags, "system"), tagged(tags, "department"), holdings.get(i, {}))
        for i, (name, tags) in sorted(about.items(), key=lambda pair: pair[1][0])
    ]


def _count(cloud: Any) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}

    def one(project: str, what: str) -> None:
        mine = found.setdefault(project, {})
        mine[what] = mine.get(what, 0) + 1

    for server in cloud.compute.servers(details=True, all_projects=True):
        one(server.project_id, "servers")
        if server.status == "ACTIVE":
            one(server.project_id, "running")
    for volume in cloud.block_storage.volumes(details=True, all_projects=True):
        one(volume.project_id, "volumes")
    for network in cloud.network.networks():
        one(network.project_id, "networks")
    return found


def evidence(city: City, rates: Sequence[Mapping[str, Any]]) -> dict[str, Seen]:
    """Return what the exporter's `/rates.json` says of each system; nothing where it is not
    measured."""
    rate = next((r for r in rates if r["rate"] == "cloud-adoption"), None)
    if rate is None or rate["interval"] is None:
        return {}
    missing = {m["subject"]: m for m in rate["missing"]}
    found = {}
    for system in city.systems:
        if not system.counted:
            continue  # the rate does not look at it
        why = missing.get(system.id)
        if why is None:
            found[system.id] = Seen("answering", True)
            continue
        because = str(why["because"])
        lost = because.removeprefix("not ")
        if why["state"] == "no" and lost in RUNGS[1:]:
            found[system.id] = Seen(RUNGS[RUNGS.index(lost) - 1], True, because)
        else:
            found[system.id] = Seen(None, False, because)
    return found


# ------------------------------------------------------------------------------ judging
def judge(city: City, places: Iterable[Place], seen: Mapping[str, Seen]) -> Adoption:
    """Return each system's row, in the register's order."""
    by_name = {p.name: p for p in places}
    rows = [
        _row(city, s, by_name.get(project_name(city, s)), seen.get(s.id, Seen()))
        for s in city.systems
    ]
    known = {project_name(city, s) for s in city.systems}
    # the tag and the name have to agree that it is this city's: a cloud may hold another's
    foreign = [
        p for name, p in sorted(by_name.items())
        if name not in known and p.system and name == f"{city.settings.id}-{p.system}"
    ]  # fmt: skip
    return Adoption(tuple(rows), tuple(foreign))


def _row(city: City, system: System, place: Place | None, seen: Seen) -> Row:
    here = place.holdings.get(home(city).name, Holding()) if place else Holding()
    asks_for_servers = system.servers > 0 and system.state != "retired"
    provisioned = place is not None and (here.running > 0 or not asks_for_servers)
    rung = "provisioned" if provisioned else "declared"
    if provisioned and seen.rung in RUNGS[2:]:
        rung = str(seen.rung)
    observed = _observed(system, place, provisioned, seen)
    because = seen.because if provisioned and seen.because != "not provisioned" else ""
    return Row(system, observed, rung, because, place,
               tuple(_contradictions(system, place, provisioned)),
               tuple(_remarks(system, observed, provisioned, seen)))  # fmt: skip


def _observed(system: System, place: Place | None, provisioned: bool, seen: Seen) -> Observed:
    if place is None:
        return "off"
    if system.state == "retired":
        return "retired"
    if not provisioned:
        return "migrating"
    if seen.rung == "answering":
        return "on_cloud"
    # evidence that has not caught up with the cloud says nothing of what is above
    return "migrating" if seen.final and seen.rung != "declared" else "unknown"


def _contradictions(system: System, place: Place | None, provisioned: bool) -> Iterable[str]:
    said = system.migration
    if said == "on_cloud" and place is None:
        yield "登记为已上云，云上没有它的项目"
    elif said == "on_cloud" and not provisioned:
        yield "登记为已上云，没有一台运行中的服务器"
    elif said == "migrating" and place is None and system.has_landing_zone:
        yield "登记为迁移中，云上没有它的项目"
    elif said in ("off", "planned") and place is not None:
        word = "未上云" if said == "off" else "计划上云"
        yield f"登记为{word}，云上却有项目 {place.name}"
    if system.classified and place is not None:
        yield "涉密系统，云上却有项目"
    if place is not None and place.department != system.department:
        yield (f"项目标签的部门为 {place.department or '（无）'}，"
               f"登记为 {system.department}")  # fmt: skip


def _remarks(
    system: System, observed: Observed, provisioned: bool, seen: Seen
) -> Iterable[str]:  # fmt: skip
    if system.migration == "on_cloud" and observed == "migrating" and provisioned:
        yield "已建而未应答：不计入上云率"
    if system.migration == "migrating" and observed == "on_cloud":
        yield "已应答：登记可改为已上云"
    if observed == "unknown" and not system.counted:
        yield "不在上云率统计范围，不探测"
    elif observed == "unknown":
        yield "没有证据说明它是否应答"


def as_json(city: City, found: Adoption) -> dict[str, Any]:
    """Return all of it as plain data."""
    return {
        "city": city.settings.id,
        "contradictions": found.contradictions,
        "systems": [
            {"system": r.system.id, "name": r.system.name, "department": r.system.department,
             "registered": r.system.migration, "state": r.system.state,
             "counted": r.system.counted, "observed": r.observed, "rung": r.rung,
             "because": r.because, "project": r.place.name if r.place else None,
             "holdings": _holdings(r.place), "contradictions": list(r.contradictions),
             "remarks": list(r.remarks)}
            for r in found.rows
        ],
        "not_in_the_register": [
            {"project": p.name, "system": p.system, "department": p.department,
             "holdings": _holdings(p)}
            for p in found.foreign
        ],
    }  # fmt: skip


def _holdings(place: Place | None) -> dict[str, dict[str, int]]:
    return {r: dict(vars(h)) for r, h in sorted(place.holdings.items())} if place else {}
