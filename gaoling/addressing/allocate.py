"""Gives prefixes by a profile's layout. What a lock holds stays; what is new is put beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from gaoling.addressing import prefix
from gaoling.addressing.book import Book, Retired
from gaoling.addressing.profile import ROOT, Profile
from gaoling.addressing.sparse import Numbers


class PlanError(Exception):
    """There is no plan: the message says which level runs out, where, and what would do."""


class Allocator:
    """Gives the children of blocks, group by group; `book` is what was given in all."""

    def __init__(self, profile: Profile, root: int, lock: Book, today: dt.date) -> None:
        """Raises PlanError when the lock is of another prefix or profile."""
        self.profile = profile
        self.root = root
        self.today = today
        self.book = Book(profile.identity, root)
        self.book.acts = list(lock.acts)
        self._lock = lock
        self._numbers: dict[int, Numbers] = {}
        self._held: dict[str, dict[str, int]] = {}
        self._children: dict[tuple[str, int, int], dict[int, list[int]]] = {}
        self._back: dict[str, list[Retired]] = {}
        _same(lock, profile, root)
        _fits(profile, root)

    def fixed(self, parent_kind: str, parent: int, *kinds: str) -> int:
        """Return the fixed block inside a block, and so on down. Raises KeyError."""
        for kind in kinds:
            edge = self.profile.edge[parent_kind, kind]
            parent = prefix.child(parent, edge.length, edge.number or 0)
            parent_kind = kind
        return parent

    def fill(
        self, parent_kind: str, parent: int, kind: str, group: str, names: Sequence[str]
    ) -> list[int]:
        """Return a prefix for each name: the one it has, or the next in the profile's order.

        Names are taken as they come; sort them where the order must not matter. Raises PlanError
        when the block is full.
        """
        edge = self.profile.edge[parent_kind, kind]
        size = edge.length
        held, given = self._holdings(group), self.book.given(group)
        numbers: Numbers | None = None
        base = parent >> 8
        found: list[int] = []
        for name in names:
            key = f"{kind}/{name}"
            packed = held.get(key)
            if packed is None:
                numbers = numbers or self._free(parent_kind, parent, size, group)
                number = numbers.give(edge.order, edge.first, edge.last)
                if number is None:
                    raise self._full(parent_kind, parent, kind, names, len(found))
                packed = (base + (number << (128 - size))) << 8 | size
            given[key] = packed
            found.append(packed)
        return found

    def finish(self, groups: Iterable[str] | None = None) -> Book:
        """Retire what the lock holds and nobody asked for; drop what was retired long enough.

        A prefix in which something is still given is held on.
        """
        keep = dt.timedelta(days=self.profile.retire_days)
        for group in self._lock.groups() if groups is None else groups:
            given, before = self.book.given(group), self._lock.given(group)
            retired = self.book.retired(group)
            retired += [
                Retired(packed, key, self.today)
                for key, packed in before.items() if key not in given
            ]  # fmt: skip
            for gone in self._lock.retired(group):
                back = given.get(gone.key) == gone.packed
                over = gone.since + keep < self.today and not any(
                    prefix.inside(packed, gone.packed) for packed in given.values()
                )
                if not back and not over:
                    retired.append(gone)
        return self.book

    def _holdings(self, group: str) -> dict[str, int]:
        """Return what each key of a group has in the lock, or had and gets back."""
        if group not in self._held:
            held = {
                gone.key: gone.packed
                for gone in sorted(self._still(group), key=lambda r: r.since)
                if not gone.renumbered
            }
            held.update(self._lock.given(group))
            self._held[group] = held
        return self._held[group]

    def _free(self, parent_kind: str, parent: int, size: int, group: str) -> Numbers:
        if parent not in self._numbers:
            length = parent & 0xFF
            taken = self.profile.reserved(parent_kind)
            taken |= set(self._taken(group, size, length).get(parent >> 8, ()))
            self._numbers[parent] = Numbers(size - length, taken)
        return self._numbers[parent]

    def _taken(self, group: str, size: int, length: int) -> dict[int, list[int]]:
        """Return parent's address -> numbers that the lock holds there, given or retired."""
        key = group, size, length
        if key not in self._children:
            found: dict[int, list[int]] = {}
            bits, mask = 128 - size, (1 << (size - length)) - 1
            held = [*self._lock.given(group).values(), *(r.packed for r in self._still(group))]
            for packed in held:
                if packed & 0xFF == size:
                    address = packed >> 8
                    parent = address >> (128 - length) << (128 - length)
                    found.setdefault(parent, []).append(address >> bits & mask)
            self._children[key] = found
        return self._children[key]

    def _still(self, group: str) -> list[Retired]:
        """Return what is retired and not over yet, or has something given in it."""
        if group not in self._back:
            keep = dt.timedelta(days=self.profile.retire_days)
            given = self._lock.given(group).values()
            self._back[group] = [
                gone for gone in self._lock.retired(group)
                if gone.since + keep >= self.today
                or any(prefix.inside(packed, gone.packed) for packed in given)
            ]  # fmt: skip
        return self._back[group]

    def _full(
        self, parent_kind: str, parent: int, kind: str, names: Sequence[str], done: int
    ) -> PlanError:
        edge = self.profile.edge[parent_kind, kind]
        room = min(1 << (edge.length - (parent & 0xFF)), edge.last + 1) - edge.first
        return PlanError(
            f"level {kind}（{edge.title}） runs out now, at {kind} "
            f"{names[done]!r}: {prefix.text(parent)} has room for {room} of /{edge.length} "
            f"({len(self.profile.reserved(parent_kind))} reserved by the profile), "
            f"{len(names)} are asked for"
        )


def _fits(profile: Profile, root: int) -> None:
    """Raise PlanError where the prefix is too small for what the profile puts at its top."""
    for block in profile.children[ROOT]:
        room = block.length - prefix.length(root)
        if room <= 0:
            raise PlanError(f"level {block.name}（{block.title}） runs out at once: "
                            f"/{block.length} does not fit in {prefix.text(root)}")  # fmt: skip
        if (block.number or 0) >= 1 << room:
            raise PlanError(f"level {block.name}（{block.title}） runs out at once: "
                            f"{prefix.text(root)} holds {1 << room} of /{block.length}, the "
                            f"profile puts it at number {block.number}")  # fmt: skip


def _same(lock: Book, profile: Profile, root: int) -> None:
    if lock.root is not None and lock.root != root:
        raise PlanError(
            f"the lock holds {prefix.text(lock.root)}, the city has {prefix.text(root)}: "
            "renumbering is an act of its own (gaoling address plan --renumber all --reason …)"
        )
    if lock.profile and lock.profile != profile.identity:
        raise PlanError(
            f"the lock was made with profile {lock.profile!r}, the city has {profile.identity!r}: "
            "renumbering is an act of its own (gaoling address plan --renumber all --reason …)"
        )


__all__ = ["ROOT", "Allocator", "PlanError"]
