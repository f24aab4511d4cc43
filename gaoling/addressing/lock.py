"""The lock: what has been given. A folder, one text file a group, an index of their hashes."""

from __future__ import annotations

import hashlib
from ipaddress import IPv6Network
from pathlib import Path

INDEX = "index.txt"
VERSION = "gaoling address lock 1"


class LockError(Exception):
    """The lock cannot be used: edited by hand, of a newer version, or damaged."""


def read_lock(folder: Path) -> dict[str, IPv6Network]:
    """Return key -> prefix of all files; empty when there is no lock.

    Raises LockError naming file and line when a file differs from the index or cannot be read.
    """
    index = folder / INDEX
    if not index.exists():
        return {}
    lines = index.read_text().splitlines()
    if not lines or lines[0] != VERSION:
        found = repr(lines[0]) if lines else "nothing"
        raise LockError(f"{index}:1: found {found}, expected {VERSION!r}")
    given: dict[str, IPv6Network] = {}
    for number, line in enumerate(lines[1:], 2):
        try:
            digest, name = line.split("  ")
            text = (folder / name).read_text()
        except (ValueError, OSError):
            raise LockError(f"{index}:{number}: found {line!r}, expected hash and file") from None
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise LockError(
                f"{folder / name}: differs from {INDEX}: it was edited by hand; "
                "renumbering is an act of its own, so put the file back"
            )
        for row, entry in enumerate(text.splitlines(), 1):
            try:
                prefix, key = entry.split(" ", 1)
                given[key] = IPv6Network(prefix)
            except ValueError:
                raise LockError(
                    f"{folder / name}:{row}: found {entry!r}, expected a prefix and what has it"
                ) from None
    return given


def write_lock(folder: Path, given: dict[str, IPv6Network]) -> None:
    """Write the lock: keys grouped by their first two parts, sorted, the index last."""
    groups: dict[str, list[str]] = {}
    for key, prefix in sorted(given.items()):
        name = "-".join(key.split("/")[:2]) + ".txt"
        groups.setdefault(name, []).append(f"{prefix} {key}")
    folder.mkdir(parents=True, exist_ok=True)
    index = [VERSION]
    for name, entries in sorted(groups.items()):
        text = "\n".join(entries) + "\n"
        (folder / name).write_text(text)
        index.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}")
    (folder / INDEX).write_text("\n".join(index) + "\n")
