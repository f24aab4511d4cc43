"""A start that is told to stop waits for nothing more."""

from __future__ import annotations

import threading

import pytest

from lab import progress
from lab.errors import Interrupted


def test_every_wait_ends_once_the_start_was_told_to_stop(monkeypatch):
    monkeypatch.setattr(progress, "_STOPPED", threading.Event())
    one = progress.Progress("cloud")
    one.wait(0.0)
    progress.stop()
    with pytest.raises(Interrupted, match=r"^cloud: interrupted$"):
        one.wait(600)
