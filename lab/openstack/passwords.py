"""Random passwords of one lab, made when first asked for, kept in one file for root alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path


class Passwords:
    """A mapping from name to password; unknown names get a new one."""

    def __init__(self, path: Path, make: Callable[[], str]) -> None:
        self._path = path
        self._make = make
        self._known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = self._make().replace("-", "x").replace("_", "y")
            self._save()
        return self._known[name]

    def digest(self) -> str:
        """Return a hash of all passwords, to tell whether a database was made with them."""
        return hashlib.sha256(json.dumps(self._known, sort_keys=True).encode()).hexdigest()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(self._known, indent=1, sort_keys=True))
        fresh.replace(self._path)
