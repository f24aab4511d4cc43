"""The journal of what was changed in the cloud: who, when, what, why; kept, never rewritten."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any


def append(state: Path, action: str, **about: Any) -> None:
    """Append a line to `<state>/journal/cloud.jsonl`; each names the hash of the one before."""
    path = state / "journal" / "cloud.jsonl"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = ""
    if path.exists():
        lines = path.read_bytes().splitlines()
        before = hashlib.sha256(lines[-1]).hexdigest() if lines else ""
    entry = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "who": os.environ.get("SUDO_USER") or getpass.getuser(),
        "action": action,
        **about,
        "before": before,
    }
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
