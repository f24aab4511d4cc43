"""What has been given, by group (a county, the city level, a region), kind and name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Network

from gaoling.addressing import prefix

TOP = "top"


@dataclass(frozen=True, order=True, slots=True)
class Retired:
    """A prefix that was given back on a day and is held until its time is over.

    `renumbered` says that its owner has another one now and does not get this one back.
    """

    packed: int
    key: str
    since: dt.date
    renumbered: bool = False


class Book(Mapping[str, IPv6Network]):
    """Keys `group/kind/name` with their prefixes. Read as a mapping it holds what is given now.

    `profile` and `root` are empty where nothing is known of them (a book made from a plain dict).
    """

    def __init__(self, profile: str = "", root: int | None = None) -> None:
        self.profile = profile
        self.root = root
        self.acts: list[str] = []
        self._given: dict[str, dict[str, int]] = {}
        self._retired: dict[str, list[Retired]] = {}

    @classmethod
    def of(cls, given: Mapping[str, IPv6Network]) -> Book:
        """Return a mapping as a book; a book is returned as it is."""
        if isinstance(given, Book):
            return given
        book = cls()
        for key, network in given.items():
            group, _, rest = key.partition("/")
            book.given(group)[rest] = prefix.of(network)
        return book

    def groups(self) -> list[str]:
        """Return the names of all groups, sorted."""
        return sorted(self._given.keys() | self._retired.keys())

    def given(self, group: str) -> dict[str, int]:
        """Return `kind/name` -> packed prefix of a group; empty (and added) for a new one."""
        return self._given.setdefault(group, {})

    def retired(self, group: str) -> list[Retired]:
        """Return what a group holds back; empty (and added) for a new one."""
        return self._retired.setdefault(group, [])

    def packed(self, key: str) -> int:
        """Return the packed prefix of a key. Raises KeyError."""
        group, _, rest = key.partition("/")
        return self.given(group)[rest]

    def all_retired(self) -> Iterator[tuple[str, Retired]]:
        """Yield (group, retired) of all groups."""
        for group in self.groups():
            for gone in sorted(self.retired(group)):
                yield group, gone

    def __getitem__(self, key: str) -> IPv6Network:
        return prefix.network(self.packed(key))

    def __iter__(self) -> Iterator[str]:
        for group in self.groups():
            for rest in self.given(group):
                yield f"{group}/{rest}"

    def __len__(self) -> int:
        return sum(len(self.given(group)) for group in self.groups())

    def __bool__(self) -> bool:
        return len(self) > 0 or any(True for _ in self.all_retired())

    def without(self, keys: Iterable[str], today: dt.date) -> Book:
        """Return a copy in which those keys, and all that lies in their prefixes, are retired for
        good: what comes next gets other prefixes. For renumbering."""
        gone = [self.packed(key) for key in keys]
        copy = Book(self.profile, self.root)
        copy.acts = list(self.acts)
        for group in self.groups():
            kept, retired = copy.given(group), copy.retired(group)
            retired += self.retired(group)
            for rest, packed in self.given(group).items():
                if any(prefix.inside(packed, outer) for outer in gone):
                    retired.append(Retired(packed, rest, today, renumbered=True))
                else:
                    kept[rest] = packed
        return copy
