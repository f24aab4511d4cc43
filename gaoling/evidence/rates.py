"""Rates that can be believed: counts of what is declared, observed, unknown; an interval."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gaoling.city import Level, Site, System
from gaoling.evidence.ladder import State
from gaoling.evidence.picture import Picture, Subject

ALL_LEVELS = (Level.CITY, Level.COUNTY, Level.TOWNSHIP)  # 市县乡三级; villages are their own
LEVELS: Mapping[str, tuple[Level, ...]] = {
    "city": (Level.CITY,),
    "county": (Level.COUNTY,),
    "township": (Level.TOWNSHIP,),
    "village": (Level.VILLAGE,),
    "all": ALL_LEVELS,
}


@dataclass(frozen=True)
class Definition:
    """What a rate counts. A change of meaning is a new version, never an edit of this one.

    `dual` asks for IPv4 and IPv6 both, else every family in service at the place.
    """

    name: str
    version: int
    title: str
    rung: str
    dual: bool

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"


CLOUD_ADOPTION = Definition("cloud-adoption", 1, "上云率", "answering", False)
EXTRANET_ACCESS = Definition("extranet-access", 1, "接入率", "reachable", False)
IPV6_SITES = Definition("ipv6-sites", 1, "接入点IPv6双栈率", "reachable", True)
IPV6_SYSTEMS = Definition("ipv6-systems", 1, "系统IPv6双栈率", "answering", True)
DEFINITIONS = (CLOUD_ADOPTION, EXTRANET_ACCESS, IPV6_SITES, IPV6_SYSTEMS)


@dataclass(frozen=True)
class Missing:
    """One that is in the denominator and was not observed: whose it is, and why."""

    subject: str
    name: str
    owner: str
    state: State
    because: str


@dataclass(frozen=True)
class Rate:
    """A rate with all that is needed to doubt it. `expired` is the part of `unknown` once seen."""

    definition: Definition
    level: str  # "" for systems
    declared: int
    observed: int
    absent: int
    unknown: int
    expired: int
    exempt: int
    measured: bool
    denominator_hash: str
    oldest: float | None
    missing: tuple[Missing, ...]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return [observed/N, (observed+unknown)/N]; None (无数据) when there is nothing to say.

        Nothing to say: an empty denominator, or not one observation in it that still holds.
        """
        if self.declared == 0 or not self.measured:
            return None
        return self.observed / self.declared, (self.observed + self.unknown) / self.declared


class Rates:
    """All rates of a city out of one picture of what was seen."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.city = picture.city

    @cached_property
    def counted_systems(self) -> list[System]:
        return [s for s in self.city.systems if s.counted]

    def counted_sites(self, level: str) -> tuple[list[Site], list[Site]]:
        """Return the sites in the denominator of a level, and those that are exempt from it."""
        sites = [s for s in self.city.sites if s.counted and s.level in LEVELS[level]]
        today = self.picture.today
        return [s for s in sites if not s.exempt(today)], [s for s in sites if s.exempt(today)]

    def cloud_adoption(self) -> Rate:
        return self._systems(CLOUD_ADOPTION)

    def ipv6_systems(self) -> Rate:
        return self._systems(IPV6_SYSTEMS)

    def extranet_access(self, level: str = "all") -> Rate:
        """Return 接入率 of a level (a key of LEVELS)."""
        return self._sites(EXTRANET_ACCESS, level)

    def ipv6_sites(self, level: str = "all") -> Rate:
        return self._sites(IPV6_SITES, level)

    def all(self) -> list[Rate]:
        """Return every rate: of the systems, then of the sites level by level."""
        found = [self.cloud_adoption(), self.ipv6_systems()]
        for level in LEVELS:
            found += [self.extranet_access(level), self.ipv6_sites(level)]
        return found

    def _systems(self, definition: Definition) -> Rate:
        subjects = [Subject("system", s.id, s.name, s.department) for s in self.counted_systems]
        return self._rate(definition, "", subjects, 0)

    def _sites(self, definition: Definition, level: str) -> Rate:
        sites, exempt = self.counted_sites(level)
        subjects = [
            Subject("site", s.code, s.name, self.city.county_of(s) or self.city.settings.code)
            for s in sites
        ]
        return self._rate(definition, level, subjects, len(exempt))

    def _rate(
        self, definition: Definition, level: str, subjects: Sequence[Subject], exempt: int
    ) -> Rate:
        counts = dict.fromkeys(State, 0)
        expired, measured, oldest = 0, False, None
        missing = []
        for subject in subjects:
            verdict = self.picture.verdict(subject, definition.rung, definition.dual)
            counts[verdict.state] += 1
            expired += verdict.expired
            measured = measured or verdict.measured
            if verdict.time is not None:
                oldest = verdict.time if oldest is None else min(oldest, verdict.time)
            if verdict.state is not State.YES:
                missing.append(
                    Missing(subject.id, subject.name, subject.owner, verdict.state, verdict.because)
                )
        return Rate(
            definition=definition,
            level=level,
            declared=len(subjects),
            observed=counts[State.YES],
            absent=counts[State.NO],
            unknown=counts[State.UNKNOWN],
            expired=expired,
            exempt=exempt,
            measured=measured,
            denominator_hash=denominator_hash(definition, [s.id for s in subjects]),
            oldest=oldest,
            missing=tuple(missing),
        )


def denominator_hash(definition: Definition, ids: Sequence[str]) -> str:
    """Return twelve hex digits that change when the definition or who is counted changes."""
    text = "\n".join([definition.id, *sorted(ids)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
