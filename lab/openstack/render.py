"""Configuration files as data: sections to INI text, and a file with its owner."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Value = str | int | float | bool | Path
Section = Mapping[str, Value | list[str]]
Sections = Mapping[str, Section]


@dataclass(frozen=True)
class File:
    """A file to write. `uid` may read it, nobody else (root always may)."""

    path: Path
    text: str
    uid: int = 0

    def write(self) -> bool:
        """Write the file when it differs; return whether it did."""
        if self.path.exists() and self.path.read_text() == self.text:
            if self.path.stat().st_uid != self.uid:
                os.chown(self.path, self.uid, self.uid)
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(self.text)
        os.chown(fresh, self.uid, self.uid)
        fresh.replace(self.path)
        return True


@dataclass(frozen=True)
class Folder:
    """A folder that a service owns; nobody else may look into it."""

    path: Path
    uid: int = 0
    mode: int = 0o700

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
        os.chown(self.path, self.uid, self.uid)
        self.path.chmod(self.mode)


def ini(sections: Sections) -> str:
    """Return the sections as INI text; True and False become what oslo.config and Swift read."""
    lines: list[str] = []
    for name, section in sections.items():
        lines.append(f"[{name}]")
        for key, value in section.items():
            for each in value if isinstance(value, list) else [value]:
                text = str(each).lower() if isinstance(each, bool) else str(each)
                lines.append(f"{key} = {text}".rstrip())
        lines.append("")
    return "\n".join(lines)


def merged(*parts: Sections) -> dict[str, dict[str, Value | list[str]]]:
    """Return the sections of all parts; a later part's keys win."""
    result: dict[str, dict[str, Value | list[str]]] = {}
    for part in parts:
        for name, section in part.items():
            result.setdefault(name, {}).update(section)
    return result
