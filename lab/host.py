"""Is this machine one that the lab can run on? Everything that is wrong, at once, with the mend."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from lab import sweep
from lab.errors import LabError
from lab.paths import STATE

DISK_GB = 6
MEMORY_GB = 10


def preflight(ports: Mapping[str, int], ours: set[str]) -> None:
    """Raise LabError with all that keeps the lab from starting.

    `ports` are those that will be listened on, by service; a port held by a process of a part in
    `ours` is that part already running, and no fault.
    """
    wrong = [*_system(), *_rights(), *_room(), *_ports(ports, ours)]
    if wrong:
        raise LabError("this machine cannot run the lab:\n" + "\n".join(f"  - {w}" for w in wrong))


def _system() -> list[str]:
    found = os_release()
    if (found.get("ID"), found.get("VERSION_ID")) == ("debian", "12"):
        return []
    name = found.get("PRETTY_NAME", "an unknown system")
    return [f"found {name}, expected Debian 12: its packages are what the lab runs"]


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the fields of os-release; empty when there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {k: v.strip('"') for k, _, v in (line.partition("=") for line in lines) if v}


def _rights() -> list[str]:
    if os.geteuid() == 0:
        return []
    return ["not root: the lab makes network namespaces; run it with sudo"]


def _room() -> list[str]:
    wrong = []
    folder = STATE
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < DISK_GB:
        wrong.append(f"{folder}: found {free:.1f} GB free, expected at least {DISK_GB} GB")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    if pages < MEMORY_GB:
        wrong.append(f"found {pages:.1f} GB of memory, expected at least {MEMORY_GB} GB")
    return wrong


def _ports(ports: Mapping[str, int], ours: set[str]) -> list[str]:
    wrong = []
    for service, port in ports.items():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                continue
            except OSError:
                holder = _holder(port)
        if holder is None or not _belongs(holder, ours):
            who = f"process {holder} ({_name(holder)})" if holder else "another process"
            wrong.append(f"port {port} for {service}: taken by {who}; stop it first")
    return wrong


def _holder(port: int) -> int | None:
    """Return the pid that listens on a TCP port; None when it cannot be seen."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rsplit(":", 1)[1], 16) == port and fields[3] == "0A":
                inodes.add(f"socket:[{fields[9]}]")
    for pid in sweep.processes():
        try:
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                if str(entry.readlink()) in inodes:
                    return pid
        except OSError:
            continue
    return None


def _belongs(pid: int, parts: set[str]) -> bool:
    return any(pid in sweep.marked(part) for part in parts)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"
