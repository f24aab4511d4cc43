"""Carries files into the exporter's hands: what only the operator may read, and who changes it.

The journal of changes and clouds.yaml belong to the operator. The exporter is another user, so that
it can change neither; it gets a copy whenever they change. In a city this is a group or an ACL. A
new extranet has new keys: the exporter's access is written anew then. A plain `pulumi up` tells
nobody what the stacks hold since: that is noted here once the states are quiet, in a city by a
timer.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError
from lab.inventory import CITY
from lab.paths import STATE

SECONDS = 2.0
KEY = STATE / "extranet" / "keys" / "exporter"
STATES = STATE / "work" / "pulumi" / "state" / ".pulumi" / "stacks"
QUIET = 20.0  # seconds since a state was last written: a run writes one every second


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


def renew_access(folder: Path, uid: int, known: int) -> int:
    """Write the exporter's access if the extranet's keys are others than those of `known`.

    Returns what stands for the keys that the access is for now, 0 while there is no extranet.
    Raises LabError and OSError while one is being made.
    """
    try:
        now = KEY.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0
    if now != known:
        from lab.extranet.ssh import write_access

        write_access(folder, "exporter", uid)
    return now


def note_stacks(known: float) -> float:
    """Have what the stacks hold noted if their states are others than those of `known`, and quiet.

    Returns what stands for the states that were noted. Raises OSError.
    """
    now = max((p.stat().st_mtime for p in STATES.rglob("*.json")), default=0.0)
    if now == known or time.time() - now < QUIET:
        return known
    # in a process of its own: what it imports is not kept in memory
    code = "from gaoling.cli.main import main; main()"
    command = [sys.executable, "-P", "-c", code, "--city", CITY.name, "cloud", "drift", "--note"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return now


def main(arguments: Sequence[str]) -> None:
    """Carry for ever: UID, the folder of the exporter's access, then pairs of source and target."""
    uid, access = int(arguments[0]), Path(arguments[1])
    files = [Path(a) for a in arguments[2:]]
    known = 0
    noted = 0.0
    while True:
        with contextlib.suppress(OSError):
            noted = note_stacks(noted)
        for source, target in zip(files[::2], files[1::2], strict=True):
            with contextlib.suppress(OSError):  # tried again
                carry(source, target, uid)
        with contextlib.suppress(OSError, LabError):
            known = renew_access(access, uid, known)
        time.sleep(SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
