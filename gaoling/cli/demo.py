"""`gaoling demo`: the main job on the embedded lab, from nothing to both rates."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

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
    for title, command in STEPS:
        print(f"\n== {title}", flush=True)
        start = time.monotonic()
        program = command[0] if "/" in command[0] else str(programs / command[0])
        done = subprocess.run([program, *command[1:]], env=env, cwd=context.ROOT, check=False)
        seconds.append((title, time.monotonic() - start))
        if done.returncode:
            early.terminate()
            print(f"\ndemo: {title} failed; mend it and run `make demo` again", file=sys.stderr)
            raise typer.Exit(done.returncode)
    print()
    for title, taken in seconds:
        print(f"{taken:7.1f} s  {title}")
    print(f"{time.monotonic() - begin:7.1f} s  in all")
    print(AFTER)
