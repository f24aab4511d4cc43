"""Where the state of stacks is kept, and the way back when a state file is broken.

The file backend keeps one JSON file a stack. A copy of it is put aside after every run that ended
well; a file that cannot be read is never written over: it is named, with the way back.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gaoling.cloud.stacks import PROJECT

VARIABLE = "GAOLING_PULUMI_BACKEND"
SCHEMES = ("file", "s3", "postgres", "azblob", "gs")
DATABASE = "postgres"


class StateError(Exception):
    """A state cannot be used: names the file, what was found and how to go back."""


def checked_url(url: str, where: str) -> str:
    """Return a backend's URL. Raises StateError for an unknown kind or a password in it."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        kinds = ", ".join(f"{s}://" for s in SCHEMES)
        raise StateError(f"{where}: found {parts.scheme or url}, expected one of {kinds}")
    if parts.password is not None:
        raise StateError(
            f"{where}: found a password in the URL, expected none: it would stand in argv and logs;"
            " use PGPASSFILE"
        )
    return url


def file_of(backend: Path, stack: str) -> Path:
    """Return the state file of a stack in a file backend."""
    return backend / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"


def holds(path: Path) -> bool:
    """Say whether a state file holds resources; one that cannot be read may."""
    try:
        text = path.read_bytes()
        if b'"urn":' in text:  # not read whole where a look is enough: a state may have megabytes
            return True
        return bool((json.loads(text)["checkpoint"].get("latest") or {})["resources"])
    except KeyError:
        return False
    except (OSError, ValueError, TypeError):
        return True


@dataclass(frozen=True)
class Copy:
    """A state that is whole: where it lies, when it was written, how much it holds."""

    path: Path
    written: str
    resources: int


def read_copy(path: Path) -> Copy:
    """Return what a state file is. Raises ValueError when it is not a whole one, OSError."""
    found = json.loads(path.read_text(encoding="utf-8"))
    try:
        latest = found["checkpoint"].get("latest") or {}
        written = (latest.get("manifest") or {}).get("time", "")
        return Copy(path, written, len(latest.get("resources") or []))
    except (KeyError, TypeError, AttributeError):
        raise ValueError("no checkpoint") from None


def keep(backend: Path, stack: str, good: Path) -> None:
    """Put a copy of a stack's state aside, after a run that ended well."""
    source = file_of(backend, stack)
    if not source.exists():
        return
    good.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = good / f".{stack}.{os.getpid()}"
    shutil.copyfile(source, fresh)
    fresh.chmod(0o600)
    try:
        read_copy(fresh)
    except ValueError:
        fresh.unlink()
        return
    fresh.replace(good / f"{stack}.json")


def copies(backend: Path, stack: str, good: Path) -> list[Copy]:
    """Return the whole copies of a stack's state, the newest first."""
    found: list[Copy] = []
    for path in _places(backend, stack, good):
        try:
            found.append(read_copy(path))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda c: c.written, reverse=True)


def _places(backend: Path, stack: str, good: Path) -> Iterator[Path]:
    here = file_of(backend, stack)
    yield here.with_name(here.name + ".bak")
    yield good / f"{stack}.json"
    yield from (backend / ".pulumi" / "backups" / PROJECT / stack).glob(f"{stack}.*.json")


def check(backend: Path, stack: str, good: Path) -> None:
    """Raise StateError when a stack's state file is there and cannot be read."""
    path = file_of(backend, stack)
    try:
        read_copy(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        size = path.stat().st_size
        found = copies(backend, stack, good)
        way = (
            f"the newest whole copy is {found[0].path} of {found[0].written or 'an empty stack'} "
            f"({found[0].resources} resources); to go back to it: "
            f"gaoling cloud restore --stack {stack}"
            if found
            else "there is no whole copy of it; to begin anew, move the file away: the next up "
            "looks for what is there by its name"
        )
        raise StateError(
            f"{path}: found {size} bytes that are not a whole state ({error}), expected the JSON "
            f"of {stack}; nothing was changed; {way}"
        ) from None


def restore(backend: Path, stack: str, good: Path) -> tuple[Copy, Path | None]:
    """Put the newest whole copy in place; return it, and where the broken file now lies.

    Raises StateError when the state is whole or when there is no copy.
    """
    path = file_of(backend, stack)
    try:
        there = read_copy(path)
    except FileNotFoundError:
        pass
    except ValueError:
        pass
    else:
        raise StateError(
            f"{path}: is whole ({there.resources} resources, {there.written}); nothing was changed"
        )
    found = copies(backend, stack, good)
    if not found:
        raise StateError(f"{path}: there is no whole copy of it; nothing was changed")
    aside: Path | None = None
    if path.exists():
        aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%S')}")
        path.rename(aside)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.copyfile(found[0].path, fresh)
    fresh.chmod(0o600)
    fresh.replace(path)
    return found[0], aside
