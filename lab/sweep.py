"""Find and end what a part of the lab started: by its mark or by its network namespace."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MARK = "GAOLING_LAB_PART"


def processes() -> Iterator[int]:
    """Yield the pid of every process that is not a zombie."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if state not in "ZX":
                yield int(entry.name)


def marked(part: str) -> list[int]:
    """Return the processes that carry the part's mark in their environment."""
    mark = f"{MARK}={part}".encode()
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def in_namespaces(paths: list[Path]) -> list[int]:
    """Return the processes whose network namespace is one of those bound at `paths`."""
    inodes = set()
    for path in paths:
        with contextlib.suppress(OSError):
            inodes.add(path.stat().st_ino)
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/ns/net").stat().st_ino in inodes:
                found.append(pid)
    return found


def end(find: Callable[[], list[int]], patience: float = 5.0) -> int:
    """End what `find` returns, by TERM, after `patience` seconds by KILL; return how many it was.

    Never ends this process. `find` is asked again each time: a pid is never used twice blindly.
    """
    own = {os.getpid(), os.getppid()}
    seen: set[int] = set()
    deadline = time.monotonic() + patience
    while True:
        left = [pid for pid in find() if pid not in own]
        if not left:
            return len(seen)
        late = time.monotonic() > deadline
        for pid in left:
            if pid in seen and not late:
                continue
            seen.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.1)
