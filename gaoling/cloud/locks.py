"""Locks of stacks: what a run that was killed leaves behind."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

from gaoling.cloud.stacks import PROJECT


class Locked(Exception):
    """A stack is locked by a run that is alive, or that we cannot judge."""


def clear(backend: Path, stack: str) -> bool:
    """Remove the locks that dead runs of this machine left; return whether there were any.

    Raises Locked for a lock whose holder is alive or on another machine.
    """
    folder = backend / ".pulumi" / "locks" / "organization" / PROJECT / stack
    removed = False
    for path in sorted(folder.glob("*.json")):
        try:
            lock = json.loads(path.read_text())
            pid, host, user = int(lock["pid"]), str(lock["hostname"]), str(lock["username"])
        except (OSError, ValueError, KeyError):
            continue  # being written, or gone
        since = lock.get("timestamp", "some time")
        _refuse(stack, user, host, pid, since)
        path.unlink(missing_ok=True)
        removed = True
    return removed


_HELD = re.compile(r"created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)")


def judge(stack: str, message: str) -> bool:
    """Say whether a refused run met only locks of dead runs of this machine.

    For backends without files: `message` is what the CLI said. False when it is about something
    else. Raises Locked for a lock whose holder is alive or on another machine.
    """
    if "the stack is currently locked by" not in message:
        return False
    held = _HELD.findall(message)
    for user, host, pid, since in held:
        _refuse(stack, user, host, int(pid), since)
    return bool(held)


def _refuse(stack: str, user: str, host: str, pid: int, since: str) -> None:
    if host != socket.gethostname():
        raise Locked(
            f"{stack}: locked by {user}@{host} (process {pid}) since {since}; "
            f"when that run is over: pulumi cancel --stack {stack}"
        )
    if _alive(pid):
        raise Locked(
            f"{stack}: locked by process {pid} of {user} on this machine since {since}; wait for it"
        )


def _alive(pid: int) -> bool:
    """Say whether that process is a Pulumi that lives: numbers are used again, zombies wait."""
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
        name = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return False
    return state != "Z" and "pulumi" in Path(name).name
