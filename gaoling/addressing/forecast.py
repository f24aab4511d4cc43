"""How full the plan is, level by level, and when the next one runs out."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from gaoling.addressing import prefix
from gaoling.addressing.allocate import ROOT
from gaoling.addressing.book import Book
from gaoling.addressing.profile import Block, Profile
from gaoling.addressing.sparse import Numbers

_FOREVER = 200  # years; beyond that nobody plans


@dataclass(frozen=True)
class Pool:
    """One block that gives out others: how many of which kind it holds and has given."""

    kind: str
    title: str
    parent_kind: str
    prefix: str
    name: str
    capacity: int
    used: int
    next: str

    @property
    def free(self) -> int:
        return max(self.capacity - self.used, 0)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "free": self.free}


@dataclass(frozen=True)
class Forecast:
    """A level: how many blocks it gives in how many pools, and when its fullest pool is full.

    `growth` is assumed (假定), from the profile. `runs_out` is None where it is beyond planning.
    """

    level: str
    title: str
    parent: str
    pools: int
    used: int
    fullest: Pool
    growth: float
    runs_out: dt.date | None

    def as_json(self) -> dict[str, Any]:
        found = {**asdict(self), "fullest": self.fullest.as_json(), "growth_basis": "assumed"}
        found["runs_out"] = str(self.runs_out) if self.runs_out else None
        return found


def pools(book: Book, profile: Profile) -> Iterator[Pool]:
    """Yield every block that gives out others, from the top down, in order of address."""
    if book.root is None:
        return
    entries: dict[str, list[tuple[int, str]]] = {}
    retired: dict[str, list[tuple[int, str]]] = {}
    for group in book.groups():
        for key, packed in book.given(group).items():
            kind, _, name = key.partition("/")
            entries.setdefault(kind, []).append((packed, name))
        for gone in book.retired(group):
            kind, _, name = gone.key.partition("/")
            retired.setdefault(kind, []).append((gone.packed, name))
    children = {
        edge: _by_parent(edge, entries, retired, profile) for edge in profile.blocks
        if not edge.fixed
    }  # fmt: skip
    yield from _below(ROOT, book.root, "", profile, children)


Children = dict[Block, dict[int, list[tuple[int, str, bool]]]]


def _by_parent(
    edge: Block,
    entries: dict[str, list[tuple[int, str]]],
    retired: dict[str, list[tuple[int, str]]],
    profile: Profile,
) -> dict[int, list[tuple[int, str, bool]]]:
    found: dict[int, list[tuple[int, str, bool]]] = {}
    lengths = {b.length for b in profile.placed(edge.parent)}
    for source, given in ((entries, True), (retired, False)):
        for packed, name in source.get(edge.name, ()):
            if packed & 0xFF != edge.length:
                continue
            for length in lengths or {0}:
                parent = packed >> 8 >> (128 - length) << (128 - length) if length else 0
                found.setdefault(parent << 8 | length, []).append((packed, name, given))
    return found


def _below(
    kind: str, block: int, name: str, profile: Profile, children: Children
) -> Iterator[Pool]:
    edges = profile.children.get(kind, [])
    key = 0 if kind == ROOT else block
    sparse = [edge for edge in edges if not edge.fixed]
    held = {edge: children[edge].get(key, []) for edge in sparse}
    taken = {prefix.number(block, packed) for here in held.values() for packed, _, _ in here}
    for edge in sparse:
        yield _pool(kind, block, name, edge, taken, profile.reserved(kind))
    for edge in edges:
        if edge.number is not None:
            inner = prefix.child(block, edge.length, edge.number)
            yield from _below(edge.name, inner, name, profile, children)
            continue
        for packed, inner_name, given in sorted(held[edge]):
            if given:
                yield from _below(edge.name, packed, inner_name, profile, children)


def _pool(
    kind: str, block: int, name: str, edge: Block, taken: set[int], reserved: set[int]
) -> Pool:
    last = min((1 << (edge.length - prefix.length(block))) - 1, edge.last)
    out = sum(1 for number in reserved if edge.first <= number <= last)
    here = sum(1 for number in taken if edge.first <= number <= last)
    numbers = Numbers(edge.length - prefix.length(block), taken | reserved)
    free = numbers.give(edge.order, edge.first, last)
    return Pool(
        kind=edge.name, title=edge.title, parent_kind=kind, prefix=prefix.text(block), name=name,
        capacity=last - edge.first + 1 - out, used=here,
        next=prefix.text(prefix.child(block, edge.length, free)) if free is not None else "",
    )  # fmt: skip


def forecast(
    book: Book, profile: Profile, today: dt.date, growth: dict[str, float] | None = None
) -> list[Forecast]:
    """Return each level with its fullest pool, the one that runs out first at the top.

    Retired prefixes count as used while they are held. `growth` overrides the profile's yearly
    rates, by kind.
    """
    rates = {**profile.growth, **(growth or {})}
    levels: dict[tuple[str, str], list[Pool]] = {}
    for pool in pools(book, profile):
        levels.setdefault((pool.parent_kind, pool.kind), []).append(pool)
    found = []
    for (parent, kind), here in levels.items():
        rate = rates.get(kind, 0.0)
        fullest = max(here, key=lambda p: p.used / p.capacity if p.capacity else 1.0)
        found.append(Forecast(
            level=kind, title=fullest.title, parent=parent, pools=len(here),
            used=sum(p.used for p in here), fullest=fullest, growth=rate,
            runs_out=_when(fullest, rate, today),
        ))  # fmt: skip
    return sorted(found, key=lambda f: (f.runs_out or dt.date.max, f.level, f.parent))


def _when(pool: Pool, rate: float, today: dt.date) -> dt.date | None:
    if pool.used >= pool.capacity:
        return today
    if rate <= 0 or pool.used == 0:
        return None
    years = (math.log(pool.capacity) - math.log(pool.used)) / math.log1p(rate)
    return today + dt.timedelta(days=365.25 * years) if years < _FOREVER else None
