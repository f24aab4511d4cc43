"""The latest of everything seen, in memory and in a file: a restart keeps it with its age."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable
from pathlib import Path

from gaoling.evidence.observation import Observation

MOST = 500_000  # observations kept; the oldest go first
FILE = "evidence.jsonl"


class Store:
    """The latest observation of each key. Safe to use from several threads."""

    def __init__(self, folder: Path | None = None, most: int = MOST) -> None:
        self.damaged = 0  # lines of the file that could not be read
        self._file = folder / FILE if folder else None
        self._most = most
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._latest: dict[tuple[str, str, str, int | None, str], Observation] = {}
        self._dirty = False
        self._load()

    def _load(self) -> None:
        if self._file is None or not self._file.exists():
            return
        found = []
        with self._file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    found.append(Observation.from_json(json.loads(line)))
                except (ValueError, TypeError):
                    self.damaged += 1
        self.record(found)
        self._dirty = False

    def record(self, observations: Iterable[Observation]) -> None:
        """Keep each observation unless a newer one of its key is there already."""
        with self._lock:
            for seen in observations:
                held = self._latest.get(seen.key)
                if held is None or held.time <= seen.time:
                    self._latest[seen.key] = seen
                    self._dirty = True
            surplus = len(self._latest) - self._most
            if surplus > 0:
                oldest = sorted(self._latest.values(), key=lambda o: o.time)[:surplus]
                for gone in oldest:
                    del self._latest[gone.key]

    def all(self) -> list[Observation]:
        """Return the latest observations, fresh or not, in no particular order."""
        with self._lock:
            return list(self._latest.values())

    def forget(self, keep: Iterable[tuple[str, str]]) -> int:
        """Drop what is known of subjects not in `keep` (kind, id); return how many went."""
        kept = set(keep)
        with self._lock:
            gone = [k for k in self._latest if (k[0], k[1]) not in kept]
            for key in gone:
                del self._latest[key]
            self._dirty = self._dirty or bool(gone)
        return len(gone)

    def save(self) -> None:
        """Replace the file by what is held now, if anything changed. Raises OSError."""
        if self._file is None:
            return
        with self._saving:
            with self._lock:
                if not self._dirty:
                    return
                held, self._dirty = list(self._latest.values()), False
            fresh = self._file.with_suffix(".new")
            try:
                fresh.touch(mode=0o600)
                with fresh.open("w", encoding="utf-8") as out:
                    for seen in held:
                        out.write(json.dumps(seen.as_json(), ensure_ascii=False) + "\n")
                fresh.replace(self._file)
            except OSError:
                self._dirty = True
                with contextlib.suppress(OSError):
                    fresh.unlink()
                raise
