"""`gaoling demo`: the main job on the embedded lab, from nothing to both rates."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import typer

from gaoling.cli import context

TOOLCHAIN = [sys.executable, "-m", "gaoling.cloud.toolchain", "ensure"]
STEPS = (
    ("the lab", ["gaoling", "lab", "up"]),
    ("Pulumi's programs", TOOLCHAIN),
    ("the cloud: pulumi up in two regions", ["gaoling", "cloud", "up", "--yes"]),
    ("the extranet: IPv4 to dual stack", ["gaoling", "network", "apply", "--yes"]),
    ("the rates", ["gaoling", "status", "--wait"]),
)
AFTER = """
The lab runs on.
  Prometheus    http://127.0.0.1:9090/graph?g0.expr=gaoling_extranet_access_ratio
  Alertmanager  http://127.0.0.1:9093
  Grafana       http://127.0.0.1:3000  (where a grafana-server is installed)
  rates again   .venv/bin/gaoling status
  your shell    eval "$(.venv/bin/gaoling lab env)"   then: pulumi stack ls, openstack, ssh -F "$GAOLING_SSH_CONFIG" core-1
  the end       make down
"""  # noqa: E501


def demo() -> None:
    """Start the lab, fill the cloud, take every router to dual stack, print both rates.

    Needs root (the lab). Every step can be repeated: after Ctrl-C run it again.

    Example: `make demo`
    """
    if os.geteuid() != 0:
        print(
            "gaoling: not root: the lab makes network namespaces; run it with sudo", file=sys.stderr
        )
        raise typer.Exit(1)
    begin = time.monotonic()
    programs = Path(sys.executable).parent
    env = {**os.environ, "GAOLING_CITY": context.LAB_CITY}
    seconds: list[tuple[str, float]] = []
    # Go compiles while apt unpacks; the step itself then waits for it (the toolchain locks)
    early = subprocess.Popen(TOOLCHAIN, env=env, cwd=context.ROOT)
    with _patient() as interrupted:
        for title, command in STEPS:
            print(f"\n== {title}", flush=True)
            start = time.monotonic()
            program = command[0] if "/" in command[0] else str(programs / command[0])
            code = subprocess.Popen([program, *command[1:]], env=env, cwd=context.ROOT).wait()
            seconds.append((title, time.monotonic() - start))
            if code or interrupted:
                early.terminate()
                early.wait()
                what = "interrupted" if interrupted else "failed; mend it"
                print(f"\ndemo: {title}: {what}; `make demo` goes on from there", file=sys.stderr)
                raise typer.Exit(130 if interrupted else code)
    print()
    for title, taken in seconds:
        print(f"{taken:7.1f} s  {title}")
    print(f"{time.monotonic() - begin:7.1f} s  in all")
    print(AFTER)


@contextlib.contextmanager
def _patient() -> Iterator[list[int]]:
    """Let Ctrl-C reach the running step alone, which finishes what it has in hand; yield the
    signals that came. A handler, not SIG_IGN: that one the steps would inherit."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    old = signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, old)
