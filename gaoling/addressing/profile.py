"""A profile: the bit layout of a plan as data. Any profile that is accepted gives no overlap.

Why it holds: all children of a block have one length, so two of them with different numbers are
disjoint; fixed numbers differ; and what is given out sparsely takes only numbers that are free.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gaoling.addressing.sparse import Order

FOLDER = Path(__file__).parent / "profiles"
DEFAULT = "city"
ROOT = "root"
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class ProfileError(Exception):
    """A profile cannot be used; the message names each block that is wrong and why."""


class Block(BaseModel):
    """A kind of block: `in` what it is cut, how long it is, its fixed number or how it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Word
    title: str
    parent: Word = Field(alias="in")
    length: int = Field(ge=1, le=128)
    number: int | None = Field(default=None, ge=0)
    order: Order = "leftmost"
    first: int = Field(default=0, ge=0)
    last: int = Field(default=(1 << 128) - 1, ge=0)

    @property
    def fixed(self) -> bool:
        return self.number is not None


class Profile(BaseModel):
    """A layout, checked: see `read_profile`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Word
    title: str
    boundary: int = Field(ge=1, le=16)
    retire_days: int = Field(ge=0)
    growth: dict[Word, float] = {}
    blocks: tuple[Block, ...]

    @cached_property
    def edge(self) -> dict[tuple[str, str], Block]:
        """(parent, name) -> block."""
        return {(b.parent, b.name): b for b in self.blocks}

    @cached_property
    def children(self) -> dict[str, list[Block]]:
        """parent -> its kinds of children, in file order."""
        found: dict[str, list[Block]] = {}
        for block in self.blocks:
            found.setdefault(block.parent, []).append(block)
        return found

    @cached_property
    def identity(self) -> str:
        """Name and a hash of where the blocks lie: another one would give other prefixes."""
        layout = sorted((b.parent, b.name, b.length, b.number or 0, b.fixed) for b in self.blocks)
        return f"{self.name} {hashlib.sha256(repr(layout).encode()).hexdigest()[:12]}"

    def placed(self, name: str) -> list[Block]:
        """Return every place in which a kind of block may lie."""
        return [b for b in self.blocks if b.name == name]

    def reserved(self, parent: str) -> set[int]:
        """Return the numbers of a block's fixed children."""
        return {b.number for b in self.children.get(parent, ()) if b.number is not None}

    def faults(self) -> list[str]:
        """Return what is wrong with the layout; empty when no plan of it can overlap."""
        found = []
        names = {b.name for b in self.blocks} | {ROOT}
        for block in self.blocks:
            place = f"{block.name} in {block.parent}"
            if block.parent not in names:
                found.append(f"{place}: no block is named {block.parent!r}")
            if block.name == ROOT:
                found.append(f"{place}: root is the prefix itself")
            if block.length % self.boundary and block.length < 127:
                found.append(f"{place}: /{block.length} is not on a boundary of {self.boundary}")
            if block.first > block.last:
                found.append(f"{place}: first {block.first} is after last {block.last}")
            for parent in self.placed(block.parent):
                room = block.length - parent.length
                if room <= 0:
                    found.append(f"{place}: /{block.length} does not fit in /{parent.length}")
                elif (block.number or block.first) >= 1 << room:
                    found.append(
                        f"{place}: number {block.number or block.first} does not fit: "
                        f"/{parent.length} holds {1 << room} of /{block.length}"
                    )
        found += self._among_siblings()
        found += [f"{name}: it lies in itself" for name in sorted(names) if self._loops(name)]
        found += [f"growth.{name}: no block is named so" for name in self.growth
                  if name not in names]  # fmt: skip
        return found

    def _among_siblings(self) -> list[str]:
        found = []
        for parent, blocks in self.children.items():
            lengths = sorted({b.length for b in blocks})
            if len(lengths) > 1:
                listed = ", ".join(f"/{n}" for n in lengths)
                found.append(f"{parent}: its blocks have {listed}; one block has one length below")
            seen: dict[object, str] = {}
            for block in blocks:
                if block.name in seen:
                    found.append(f"{block.name} in {parent}: named twice")
                elif block.fixed and block.number in seen:
                    found.append(f"{block.name} in {parent}: {seen[block.number]} has number "
                                 f"{block.number} too")  # fmt: skip
                seen[block.name] = block.name
                seen.setdefault(block.number, block.name) if block.fixed else None
        return found

    def _loops(self, name: str) -> bool:
        seen, todo = set(), [b.parent for b in self.placed(name)]
        while todo:
            parent = todo.pop()
            if parent == name:
                return True
            if parent not in seen:
                seen.add(parent)
                todo += [b.parent for b in self.placed(parent)]
        return False


def profiles() -> list[str]:
    """Return the names of the profiles that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_profile(name: str = DEFAULT, folder: Path | None = None) -> Profile:
    """Return a profile by name, or by file name within `folder` (a city's own).

    Raises ProfileError with everything that is wrong with it.
    """
    path = (folder or FOLDER) / name if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.exists():
        raise ProfileError(f"profile: found {name!r}, expected one of {', '.join(profiles())}, "
                           "or a .yaml file in the city's folder")  # fmt: skip
    return parse_profile(path.read_text(encoding="utf-8"), path.name)


def parse_profile(text: str, file: str) -> Profile:
    """Return a profile from YAML. Raises ProfileError naming `file` and each fault."""
    try:
        profile = Profile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ProfileError(f"{file}: {error}") from None
    except ValidationError as error:
        raise ProfileError("\n".join(
            f"{file}: {'.'.join(map(str, e['loc']))}: found {e['input']!r}, "
            f"expected: {e['msg'].removeprefix('Input should be ')}" for e in error.errors()
        )) from None  # fmt: skip
    if faults := profile.faults():
        raise ProfileError("\n".join(f"{file}: {fault}" for fault in faults))
    return profile
