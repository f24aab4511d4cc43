"""The journal of changes: who did what to which device when, and what was in service after.

Append-only JSON lines, for people, for resuming after a crash and for the exporters. An entry holds
the fingerprint of the device's host key: a device that was replaced or made anew has another, and
what was in service on the old one says nothing of it.
"""

from __future__ import annotations

import base64
import datetime as dt
import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaoling.city import City
from gaoling.network.intent import changeable
from gaoling.network.settings import ROOT

LAB = ROOT / "inventories" / "lab"
LAB_STATE = Path("/var/lib/gaoling/lab/work")
BEFORE_UPGRADE = frozenset({4})


def state_home(city: City) -> Path:
    """Return the folder for state: GAOLING_STATE, else the lab's own for the lab's city (it goes
    with the lab), /var/lib/gaoling for root, XDG's for others."""
    if given := os.environ.get("GAOLING_STATE"):
        return Path(given)
    if city.directory == LAB:
        return LAB_STATE
    if os.geteuid() == 0:
        return Path("/var/lib/gaoling")
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "gaoling"


def state_folder(city: City, home: Path | None = None) -> Path:
    """Return the folder of a city's changes (journal, backups, reviewed changes), made 0700."""
    folder = (home or state_home(city)) / "network" / city.settings.id
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    return folder


def fingerprints(access: Path) -> dict[str, str]:
    """Return device name -> SHA256 fingerprint of its host key, as the access folder knows it."""
    found: dict[str, str] = {}
    known = access / "known_hosts"
    for line in known.read_text().splitlines() if known.exists() else []:
        names, _, blob = line.split()[:3]
        digest = hashlib.sha256(base64.b64decode(blob)).digest()
        text = base64.b64encode(digest).decode().rstrip("=")
        found |= dict.fromkeys(names.split(","), text)
    return found


@dataclass(frozen=True)
class Journal:
    """A city's journal; `keys` are the host keys that its devices have now (empty: any)."""

    path: Path
    keys: dict[str, str]

    def write(self, event: str, device: str, change: str, **about: Any) -> None:
        """Append an entry, on the disk when this returns."""
        entry = {
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "device": device,
            "change": change,
            "operator": operator(),
            "key": self.keys.get(device, ""),
            **about,
        }
        line = json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n"
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = "\n" + line  # a crash cut the last entry off: it stays alone
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def entries(self) -> Iterable[dict[str, Any]]:
        """Yield the entries, oldest first; a line cut off by a crash is left out."""
        if not self.path.exists():
            return
        for line in self.path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if not self.keys or entry.get("key") == self.keys.get(entry["device"], ""):
                yield entry

    def last(self, device: str, *events: str) -> dict[str, Any] | None:
        """Return a device's newest entry with one of these events."""
        found = None
        for entry in self.entries():
            if entry["device"] == device and entry["event"] in events:
                found = entry
        return found

    def unfinished(self) -> list[str]:
        """Return the devices on which a change began and nothing says how it ended."""
        open_: dict[str, bool] = {}
        for entry in self.entries():
            open_[entry["device"]] = entry["event"] in ("armed", "applied")
        return [device for device, begun in open_.items() if begun]


def operator() -> str:
    """Return who makes the change: the person behind sudo, else the account."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def open_journal(city: City, home: Path | None = None, access: Path | None = None) -> Journal:
    """Return a city's journal; with `access`, entries of devices with other host keys are void."""
    keys = fingerprints(access) if access else {}
    return Journal(state_folder(city, home) / "journal.jsonl", keys)


def families_in_service(city: City, journal: Journal) -> dict[str, set[int]]:
    """Return for each router the families (4, 6) that were put in service on it.

    That is what the last confirmed change says; before any, IPv4. It is what was declared in
    service, not what was seen to work.
    """
    found = {d.name: set(BEFORE_UPGRADE) for d in changeable(city)}
    for entry in journal.entries():
        if entry["event"] == "confirmed" and entry["device"] in found:
            found[entry["device"]] = set(entry["families"])
    return found
