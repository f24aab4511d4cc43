"""The lock: what has been given. A folder, one text file a county, an index of their hashes.

A line is `prefix kind state check name`. The state is `-`, or `retired:DAY` or `renumbered:DAY`.
The check is a CRC over the line before and this line, so that a change by hand is found where it
is; whether there is one at all, the SHA-256 of each file in the index says.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from ipaddress import IPv6Network
from pathlib import Path
from zlib import crc32

from gaoling.addressing import prefix
from gaoling.addressing.book import Book, Retired

INDEX = "index.txt"
ACTS = "acts"
VERSION = "gaoling address lock 1"
_ADVICE = "the lock is never edited by hand: put the file back (git checkout)"


class LockError(Exception):
    """The lock cannot be used: edited by hand, of a newer version, or damaged."""


class Lock(Book):
    """A lock on disk. A group is read, and its hash compared, when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        """Read the index. Raises LockError naming file and line."""
        super().__init__()
        self.folder = folder
        self.digests: dict[str, tuple[str, int]] = {}
        self._unread: set[str] = set()
        if (folder / INDEX).exists():
            self._read_index()

    def _read_index(self) -> None:
        index = self.folder / INDEX
        lines = index.read_text(encoding="utf-8").splitlines()
        if not lines or lines[0] != VERSION:
            found = repr(lines[0]) if lines else "nothing"
            raise LockError(f"{index}:1: found {found}, expected {VERSION!r}")
        for line_number, line in enumerate(lines[1:], 2):
            try:
                match line.split():
                    case ["profile", *words]:
                        self.profile = " ".join(words)
                    case ["root", written]:
                        self.root = prefix.parse(written)
                    case [digest, count, name] if name.endswith(".txt") and "/" not in name:
                        self.digests[name.removesuffix(".txt")] = digest, int(count)
                    case _:
                        raise ValueError
            except ValueError:
                raise LockError(
                    f"{index}:{line_number}: found {line!r}, expected hash, lines and file"
                ) from None
        self._unread = set(self.digests) - {ACTS}
        if ACTS in self.digests:
            self.acts = self._text(ACTS).splitlines()

    def groups(self) -> list[str]:
        return sorted(set(super().groups()) | self._unread)

    def given(self, group: str) -> dict[str, int]:
        self._load(group)
        return super().given(group)

    def retired(self, group: str) -> list[Retired]:
        self._load(group)
        return super().retired(group)

    def _text(self, name: str) -> str:
        """Return a file's text. Raises LockError with the line when it is not what was written."""
        path = self.folder / f"{name}.txt"
        digest, count = self.digests[name]
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            raise LockError(f"{path}: found nothing, expected {count} lines; {_ADVICE}") from None
        except UnicodeDecodeError:
            raise LockError(f"{path}: found no UTF-8 text; {_ADVICE}") from None
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise LockError(f"{path}:{_edited(name, text)}; {_ADVICE}")
        return text

    def _load(self, group: str) -> None:
        if group not in self._unread:
            return
        text = self._text(group)
        self._unread.discard(group)
        given, retired = super().given(group), super().retired(group)
        for number, line in enumerate(text.splitlines(), 1):
            try:
                written, kind, state, _, name = line.split(" ", 4)
                packed = prefix.parse(written)
                if state == "-":
                    given[f"{kind}/{name}"] = packed
                else:
                    what, _, day = state.partition(":")
                    retired.append(Retired(packed, f"{kind}/{name}", dt.date.fromisoformat(day),
                                           what == "renumbered"))  # fmt: skip
            except ValueError:
                raise LockError(
                    f"{self.folder / group}.txt:{number}: found {line!r}, "
                    "expected prefix, kind, state, check and name"
                ) from None

    def load(self) -> Lock:
        """Read all groups. Raises LockError naming file and line."""
        for group in sorted(self._unread):
            self._load(group)
        return self


def _check(before: str, plain: str) -> str:
    return f"{crc32(plain.encode(), crc32(before.encode())):08x}"


def _edited(name: str, text: str) -> str:
    """Return the number of the first line that differs from what was written, and how."""
    before = ""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        parts = line.split(" ", 4)
        plain = " ".join(parts[:3] + parts[4:])
        if len(parts) != 5 or name == ACTS or parts[3] != _check(before, plain):
            return f"{number}: found {line!r}, which differs from what was written (or the line "\
                   "before it is gone)"  # fmt: skip
        before = plain
    return f"{len(lines) + 1}: found the end of the file, which differs from what was written"


def read_lock(folder: Path) -> Lock:
    """Return what the lock in a folder holds; empty when there is none.

    Raises LockError naming file and line when a file differs from the index or cannot be read.
    """
    return Lock(folder).load()


def group_text(book: Book, group: str) -> str:
    """Return the text of a group's file, sorted by prefix: the same book, the same bytes."""
    entries = [(packed, key, "-") for key, packed in book.given(group).items()]
    for gone in book.retired(group):
        what = "renumbered" if gone.renumbered else "retired"
        entries.append((gone.packed, gone.key, f"{what}:{gone.since}"))
    entries.sort()
    lines, before = [], ""
    for packed, key, state in entries:
        kind, _, name = key.partition("/")
        written = prefix.text(packed)
        plain = f"{written} {kind} {state} {name}"
        lines.append(f"{written} {kind} {state} {_check(before, plain)} {name}\n")
        before = plain
    return "".join(lines)


def write_lock(folder: Path, given: Mapping[str, IPv6Network]) -> list[str]:
    """Write the lock and return the names of the files that changed. The index comes last.

    A group of a `Lock` that was not read is left as it is, so that a small change is a small act.
    """
    book = Book.of(given)
    folder.mkdir(parents=True, exist_ok=True)
    old = book.digests if isinstance(book, Lock) and book.folder == folder else _old(folder)
    unread = book._unread if isinstance(book, Lock) else set()
    digests = {name: old[name] for name in unread}
    texts = {g: group_text(book, g) for g in book.groups() if g not in unread}
    if book.acts:
        texts[ACTS] = "".join(f"{act}\n" for act in book.acts)
    changed = []
    for name, text in texts.items():
        if not text:
            continue
        digests[name] = hashlib.sha256(text.encode()).hexdigest(), text.count("\n")
        if old.get(name) != digests[name] or not (folder / f"{name}.txt").exists():
            _replace(folder / f"{name}.txt", text)
            changed.append(f"{name}.txt")
    head = [VERSION]
    head += [f"profile {book.profile}"] if book.profile else []
    head += [f"root {prefix.text(book.root)}"] if book.root is not None else []
    rows = [f"{digest} {count} {name}.txt" for name, (digest, count) in sorted(digests.items())]
    index = "\n".join(head + rows) + "\n"
    if not (folder / INDEX).exists() or (folder / INDEX).read_text(encoding="utf-8") != index:
        _replace(folder / INDEX, index)
        changed.append(INDEX)
    for name in old.keys() - digests.keys():
        (folder / f"{name}.txt").unlink(missing_ok=True)
        changed.append(f"{name}.txt")
    if isinstance(book, Lock):
        book.digests = digests
    return sorted(changed)


def _old(folder: Path) -> dict[str, tuple[str, int]]:
    return Lock(folder).digests


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
