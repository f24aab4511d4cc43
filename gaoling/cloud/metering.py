"""What the cloud was used for, from its own records; what nobody recorded is said, never filled in.

Nova keeps the hours of every server, deleted ones too. Cinder, Neutron and Swift say only what is
there now. So a journal in the state folder keeps samples: each run of the bill adds one, a timer
(`gaoling cloud bill --sample`) adds more. A volume counts from the moment that cinder says it was
made to the last sample that saw it; between that sample and the next, which misses it, it went at
a moment that nobody recorded. Bytes of objects count from one sample to the next while samples are
at most `MAX_GAP` apart.

Times are whole seconds since 1970, spans are half open, amounts whole numbers: sums are exact.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

from gaoling.cloud.prices import CHINA

MAX_GAP = 2 * 3600  # seconds between two samples, for what lies between them to count as seen
# item -> how many of its amounts make one unit: amounts are whole numbers
SCALE = {"vcpu": 1, "memory": 1024, "disk": 1, "volume": 1, "object": 1 << 30, "floating_ip": 1}


@dataclass(frozen=True)
class Month:
    """A month in Asia/Shanghai, in seconds since 1970."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Return the month of 2026-11. Raises ValueError."""
        found = re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", text, re.ASCII)
        if not found:
            raise ValueError(f"found {text!r}, expected a month as 2026-11")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def at(cls, moment: float) -> Month:
        day = dt.datetime.fromtimestamp(moment, CHINA)
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02}"

    @property
    def start(self) -> int:
        return int(dt.datetime(self.year, self.month, 1, tzinfo=CHINA).timestamp())

    @property
    def end(self) -> int:
        days = calendar.monthrange(self.year, self.month)[1]
        return self.start + days * 86400  # China has no summer time

    @property
    def hours(self) -> int:
        return (self.end - self.start) // 3600


@dataclass(frozen=True)
class Project:
    """A project as the cloud tags it: whose it is; "" where no tag says so."""

    id: str
    name: str
    system: str = ""
    department: str = ""


@dataclass(frozen=True)
class Thing:
    """A volume or a floating address, as it was at a sample."""

    id: str
    project: str
    item: str
    amount: int
    created: int


@dataclass(frozen=True)
class Sample:
    """What a region had at one moment. `objects` are bytes by project; a project that could not be
    asked is not in it, but in `missed`, with the reason."""

    at: int
    region: str
    projects: tuple[Project, ...] = ()
    things: tuple[Thing, ...] = ()
    objects: Mapping[str, int] = field(default_factory=dict)
    missed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """Something was there from `start` to `end`, and a record of the cloud says so."""

    region: str
    project: str
    item: str
    resource: str
    amount: int
    start: int
    end: int

    @property
    def unit_hours(self) -> Fraction:
        """Return the exact product of units and hours: vcpu-hours, GiB-hours."""
        scale = SCALE[self.item.partition("/")[0]]
        return Fraction(self.amount * (self.end - self.start), 3600 * scale)


@dataclass(frozen=True)
class Unrecorded:
    """Nobody recorded it: what is in question from `start` to `end`, and why.

    `most` is the largest amount that it can have been, where something bounds it.
    """

    region: str
    project: str  # "" where every project is concerned
    item: str
    resource: str
    start: int
    end: int
    because: str
    most: int | None = None


def clip(spans: Iterable[Usage], start: int, end: int) -> Iterator[Usage]:
    """Yield what of each lies in [start, end); what does not touch it is left out."""
    for span in spans:
        first, last = max(span.start, start), min(span.end, end)
        if first < last:
            yield replace(span, start=first, end=last)


def clip_unrecorded(spans: Iterable[Unrecorded], start: int, end: int) -> Iterator[Unrecorded]:
    for span in spans:
        first, last = max(span.start, start), min(span.end, end)
        if first < last:
            yield replace(span, start=first, end=last)


@dataclass
class Account:
    """What is known of a period: usage, and what is not known."""

    start: int
    end: int
    usage: list[Usage] = field(default_factory=list)
    unrecorded: list[Unrecorded] = field(default_factory=list)
    projects: dict[str, Project] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)  # by region, those inside the period
    warnings: list[str] = field(default_factory=list)

    def covered(self, region: str) -> int:
        """Return the seconds of the period in which the samples of a region are close enough."""
        gone = sum(u.end - u.start for u in self.unrecorded
                   if u.region == region and u.item == "samples")  # fmt: skip
        return self.end - self.start - gone


def add_samples(account: Account, region: str, samples: Sequence[Sample]) -> None:
    """Add what a region's samples say of volumes, addresses and objects, and what they cannot.

    `samples` may begin before the period and end after it: what is beside it helps to judge it.
    """
    ordered = sorted(samples, key=lambda s: s.at)
    usage, doubt = _things(region, ordered)
    more, gaps = _objects(region, ordered)
    account.usage += clip([*usage, *more], account.start, account.end)
    account.unrecorded += clip_unrecorded([*doubt, *gaps], account.start, account.end)
    account.unrecorded += _gaps(region, ordered, account.start, account.end)
    inside = [s for s in ordered if account.start <= s.at <= account.end]
    account.samples[region] = len(inside)
    for sample in ordered:  # the newest word on a project holds
        account.projects.update({p.id: p for p in sample.projects})


def _gaps(region: str, ordered: Sequence[Sample], start: int, end: int) -> Iterator[Unrecorded]:
    """Yield the spans of the period that lie between samples too far apart, or beside them."""
    why = "no sample, or samples too far apart"
    moments = [s.at for s in ordered]
    edges = [start, *moments, end] if moments else [start, end]
    if moments:
        edges[0], edges[-1] = min(start, moments[0]), max(end, moments[-1])
    for place, (before, after) in enumerate(pairwise(edges)):
        outer = not moments or place in (0, len(edges) - 2)  # before the first, after the last
        if (outer and after > before) or after - before > MAX_GAP:
            found = Unrecorded(region, "", "samples", "", before, after, why)
            yield from clip_unrecorded([found], start, end)


def _things(region: str, ordered: Sequence[Sample]) -> tuple[list[Usage], list[Unrecorded]]:
    seen: dict[str, list[tuple[int, Thing]]] = {}
    for place, sample in enumerate(ordered):
        for thing in sample.things:
            seen.setdefault(thing.id, []).append((place, thing))
    usage: list[Usage] = []
    doubt: list[Unrecorded] = []

    def used(thing: Thing, start: int, end: int, amount: int | None = None) -> None:
        much = thing.amount if amount is None else amount
        usage.append(Usage(region, thing.project, thing.item, thing.id, much, start, end))

    def unknown(thing: Thing, start: int, end: int, because: str, most: int) -> None:
        doubt.append(Unrecorded(region, thing.project, thing.item, thing.id, start, end,
                                because, most))  # fmt: skip

    for found in seen.values():
        first_place, first = found[0]
        used(first, min(first.created, ordered[first_place].at), ordered[first_place].at)
        for (place, was), (next_place, now) in pairwise(found):
            start, end = ordered[place].at, ordered[next_place].at
            if (was.project, was.item) != (now.project, now.item):
                unknown(was, start, end, "it changed project or type between two samples",
                        max(was.amount, now.amount))  # fmt: skip
                continue
            least, most = sorted((was.amount, now.amount))
            used(was, start, end, least)
            if least < most:
                unknown(was, start, end, "it changed size between two samples", most - least)
        last_place, last = found[-1]
        if last_place + 1 < len(ordered):
            unknown(last, ordered[last_place].at, ordered[last_place + 1].at,
                    "it went between two samples", last.amount)  # fmt: skip
    return usage, doubt


def _objects(region: str, ordered: Sequence[Sample]) -> tuple[list[Usage], list[Unrecorded]]:
    usage: list[Usage] = []
    doubt: list[Unrecorded] = []
    for before, after in pairwise(ordered):
        for project, why in before.missed.items():
            doubt.append(Unrecorded(region, project, "object", "", before.at, after.at, why))
        for project, count in before.objects.items():
            if after.at - before.at > MAX_GAP:
                doubt.append(Unrecorded(region, project, "object", "", before.at, after.at,
                                        "samples too far apart"))  # fmt: skip
            elif count:
                usage.append(Usage(region, project, "object", "", count, before.at, after.at))
    return usage, doubt
