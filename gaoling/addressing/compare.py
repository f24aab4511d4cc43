"""What a plan changes against a lock: what a person reviews before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gaoling.addressing import prefix
from gaoling.addressing.book import Book


@dataclass(frozen=True, order=True)
class Change:
    """One difference: `added`, `retired`, `renumbered` (`was` says from where), `freed`."""

    key: str
    what: str
    prefix: str
    was: str = ""

    def __str__(self) -> str:
        sign = {"added": "+", "retired": "-", "renumbered": "~", "freed": "x"}[self.what]
        tail = f" (was {self.was})" if self.was else ""
        return f"{sign} {self.prefix} {self.key} {self.what}{tail}"


def compare(lock: Book, book: Book) -> list[Change]:
    """Return every difference between a lock and a new plan, by key."""
    groups = sorted(set(lock.groups()) | set(book.groups()))
    return sorted(change for group in groups for change in _group(lock, book, group))


def _group(lock: Book, book: Book, group: str) -> Iterator[Change]:
    before, after = lock.given(group), book.given(group)
    moved = {gone.key: gone.packed for gone in book.retired(group) if gone.renumbered}
    for key, packed in after.items():
        old = before.get(key, moved.get(key) if moved.get(key) != packed else None)
        if key in before and old != packed and old is not None:
            yield Change(f"{group}/{key}", "renumbered", prefix.text(packed), prefix.text(old))
        elif key not in before:
            yield Change(f"{group}/{key}", "added", prefix.text(packed))
    for key, packed in before.items():
        if key not in after:
            yield Change(f"{group}/{key}", "retired", prefix.text(packed))
    held = {(r.packed, r.key) for r in book.retired(group)}
    for gone in lock.retired(group):
        if (gone.packed, gone.key) not in held and after.get(gone.key) != gone.packed:
            yield Change(f"{group}/{gone.key}", "freed", prefix.text(gone.packed))
