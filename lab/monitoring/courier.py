"""Carries files into the exporter's hands: what only the operator may read, and who changes it.

The journal of changes and clouds.yaml belong to the operator. The exporter is another user, so that
it can change neither; it gets a copy whenever they change. In a city this is a group or an ACL.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SECONDS = 2.0


def carry(source: Path, target: Path, uid: int) -> bool:
    """Make `target` a copy of `source` that only `uid` can read; return whether it changed.

    Where `source` is not there, the copy goes too. Raises OSError.
    """
    try:
        data = source.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        there = target.exists()
        target.unlink(missing_ok=True)
        return there
    if target.exists() and target.read_bytes() == data:
        return False
    fresh = target.with_name(target.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o400)
    os.chown(fresh, uid, -1)
    fresh.write_bytes(data)
    fresh.replace(target)
    return True


def main(arguments: Sequence[str]) -> None:
    """Carry for ever: UID, then pairs of source and target."""
    uid, files = int(arguments[0]), [Path(a) for a in arguments[1:]]
    while True:
        for source, target in zip(files[::2], files[1::2], strict=True):
            with contextlib.suppress(OSError):  # tried again
                carry(source, target, uid)
        time.sleep(SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
