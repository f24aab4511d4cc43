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
import time
from collections.abc import Collection, Iterable
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
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.fsync(handle)  # many wait for the disk together, not one after the other
        finally:
            os.close(handle)

    def entries(self) -> Iterable[dict[str, Any]]:
        """Yield the entries, oldest first; a line cut off by a crash is left out."""
        return self._read(self._lines())

    def newest_first(self) -> Iterable[dict[str, Any]]:
        """Yield the entries, newest first: who asks for the last of something need not read all."""
        return self._read(reversed(self._lines()))

    def _lines(self) -> list[str]:
        return self._since(0)[0]

    def _since(self, start: int) -> tuple[list[str], int]:
        """Return the lines after the first `start` bytes, and how many bytes there are now."""
        if not self.path.exists() or self.path.stat().st_size == start:
            return [], start
        with self.path.open("rb") as file:
            file.seek(start)
            new = file.read()
        return new.decode(errors="replace").splitlines(), start + len(new)

    def _read(self, lines: Iterable[str]) -> Iterable[dict[str, Any]]:
        for line in lines:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if not self.keys or entry.get("key") == self.keys.get(entry["device"], ""):
                yield entry

    def last(self, device: str, *events: str) -> dict[str, Any] | None:
        """Return a device's newest entry with one of these events."""
        for entry in self.newest_first():
            if entry["device"] == device and entry["event"] in events:
                return entry
        return None

    def wait(self, devices: Collection[str], families: Collection[int], seconds: float) -> set[str]:
        """Wait until the newest entry of each device says that these families are on it, confirmed
        or not yet; return those of which it does not when the time is up."""
        deadline = time.monotonic() + seconds
        left, told = set(devices), 0
        while True:
            new, told = self._since(told)
            seen: set[str] = set()
            for entry in self._read(reversed(new)):
                if not left - seen:
                    break
                if entry["device"] in left - seen:
                    seen.add(entry["device"])
                    if _on_it(entry, families):
                        left.remove(entry["device"])
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)

    def unfinished(self) -> list[str]:
        """Return the devices on which a change began and nothing says how it ended."""
        open_: dict[str, bool] = {}
        for entry in self.entries():
            open_[entry["device"]] = entry["event"] in ("armed", "applied")
        return [device for device, begun in open_.items() if begun]


def _on_it(entry: dict[str, Any], families: Collection[int]) -> bool:
    if entry["event"] == "applied":
        return True
    return entry["event"] == "confirmed" and set(entry["families"]) == set(families)


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
    found: dict[str, set[int]] = {}
    names = [d.name for d in changeable(city)]
    for entry in journal.newest_first():
        if entry["event"] == "confirmed" and entry["device"] in names:
            found.setdefault(entry["device"], set(entry["families"]))
            if len(found) == len(names):
                break
    return {name: found.get(name, set(BEFORE_UPGRADE)) for name in names}
