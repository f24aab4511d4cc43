"""Progress of long work: one line a step, with the seconds since the start."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from lab.errors import Interrupted

_STOPPED = threading.Event()


def stop() -> None:
    """Make every wait of this process end: each says so at its next `Progress.wait`."""
    _STOPPED.set()


class Progress:
    """Prints steps to `out` (standard error by default), each with the seconds so far."""

    def __init__(self, label: str, out: TextIO | None = None) -> None:
        self.label = label
        self._out = out
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def wait(self, seconds: float) -> None:
        """Sleep a little, while something comes up. Raises Interrupted once `stop` was called."""
        if _STOPPED.wait(seconds):
            raise Interrupted(f"{self.label}: interrupted")

    def note(self, text: str) -> None:
        print(
            f"{self.seconds:7.1f} s  {self.label}: {text}", file=self._out or sys.stderr, flush=True
        )
