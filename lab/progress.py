"""Progress of long work: one line a step, with the seconds since the start."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Prints steps to `out` (standard error by default), each with the seconds so far."""

    def __init__(self, label: str, out: TextIO | None = None) -> None:
        self.label = label
        self._out = out
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def note(self, text: str) -> None:
        print(
            f"{self.seconds:7.1f} s  {self.label}: {text}", file=self._out or sys.stderr, flush=True
        )
