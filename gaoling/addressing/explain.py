"""What an address is: from any address of a plan back to level, site and use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from ipaddress import IPv6Address
from typing import Any

from gaoling.addressing import prefix
from gaoling.addressing.allocate import ROOT
from gaoling.addressing.book import TOP, Book
from gaoling.addressing.profile import Profile


@dataclass(frozen=True)
class Step:
    """A block on the way down: its kind, whose it is (empty for fixed parts), given or retired."""

    prefix: str
    kind: str
    title: str
    name: str = ""
    state: str = "given"


@dataclass(frozen=True)
class Explanation:
    """An address and the blocks that it lies in, the widest first."""

    address: str
    steps: tuple[Step, ...]

    @property
    def owner(self) -> str:
        """Whose it is: the name of the narrowest block that has one; "" for free space."""
        return next((step.name for step in reversed(self.steps) if step.name), "")

    @property
    def use(self) -> str:
        """What it is for: the narrowest block's kind."""
        return self.steps[-1].kind if self.steps else ""

    @property
    def free(self) -> bool:
        """Whether nobody has it: it is in the plan, but in no block that was given."""
        return not self.owner

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "owner": self.owner, "use": self.use, "free": self.free}

    def __str__(self) -> str:
        lines = [self.address]
        for depth, step in enumerate(self.steps, 1):
            state = "" if step.state == "given" else f"（{step.state}）"
            lines.append(f"{'  ' * depth}{step.prefix}  {step.title} {step.name}{state}".rstrip())
        return "\n".join(lines)


def explain(book: Book, profile: Profile, address: IPv6Address) -> Explanation | None:
    """Return where an address lies; None when it is not of this plan.

    Of a lock on disk only the groups that can hold the address are read.
    """
    if book.root is None or not prefix.inside(prefix.pack(int(address), 128), book.root):
        return None
    host = prefix.pack(int(address), 128)
    named = dict(_holding(book, TOP, host))
    county = next((k.partition("/")[2] for k, _ in named.values() if k.startswith("county/")), "")
    for group in [county] if county else [g for g in book.groups() if g != TOP]:
        named.update(_holding(book, group, host))
    return Explanation(str(address), tuple(_walk(book.root, host, named, profile)))


def _holding(book: Book, group: str, host: int) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the prefixes of a group in which the address lies: packed, (key, state)."""
    if group not in book.groups():
        return
    for gone in book.retired(group):
        if prefix.inside(host, gone.packed):
            what = "renumbered" if gone.renumbered else "retired"
            yield gone.packed, (gone.key, f"{what} {gone.since}")
    for key, packed in book.given(group).items():
        if prefix.inside(host, packed):
            yield packed, (key, "given")


def _walk(
    root: int, host: int, named: dict[int, tuple[str, str]], profile: Profile
) -> Iterator[Step]:
    """Yield the blocks from the root down: fixed ones by the profile, given ones by name."""
    kind, block = ROOT, root
    while True:
        for edge in profile.children.get(kind, ()):
            if edge.length < prefix.length(block):
                continue
            address = host >> 8 >> (128 - edge.length) << (128 - edge.length)
            inner = prefix.pack(address, edge.length)
            if edge.fixed and prefix.number(block, inner) == edge.number:
                yield Step(prefix.text(inner), edge.name, edge.title)
                break
            key, state = named.get(inner, ("", ""))
            if not edge.fixed and key.partition("/")[0] == edge.name:
                yield Step(prefix.text(inner), edge.name, edge.title, key.partition("/")[2], state)
                break
        else:
            return
        kind, block = edge.name, inner
