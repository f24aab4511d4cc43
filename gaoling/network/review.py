"""A reviewed change: for each device the digest of the patch that a person has seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

NOT_REVIEWED = ""  # the digest of a device that had nothing to change when it was reviewed


class ReviewError(Exception):
    """A reviewed change that cannot be used; the message names the file and what is wrong."""


def write_review(state: Path, kind: str, patches: Mapping[str, str]) -> str:
    """Keep a reviewed set (device -> digest of its patch); return its id, a hash of all of it."""
    body = json.dumps({"kind": kind, "patches": dict(sorted(patches.items()))}, sort_keys=True)
    identity = hashlib.sha256(body.encode()).hexdigest()[:16]
    folder = state / "reviewed"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{identity}.json"
    path.touch(mode=0o600)
    path.write_text(body)
    return identity


def read_review(state: Path, identity: str) -> tuple[str, dict[str, str]]:
    """Return kind and patches of a reviewed change.

    Raises ReviewError when there is none of that id, or when it was edited since.
    """
    path = state / "reviewed" / f"{identity}.json"
    try:
        body = path.read_text()
    except OSError:
        raise ReviewError(f"found no reviewed change {identity!r} ({path}): plan first") from None
    if hashlib.sha256(body.encode()).hexdigest()[:16] != identity:
        raise ReviewError(f"{path}: was edited after the review: plan again")
    found = json.loads(body)
    return str(found["kind"]), dict(found["patches"])


def patch_of(state: Path, identity: str, device: str) -> str:
    """Return the digest that was reviewed for a device; NOT_REVIEWED when it had nothing to do."""
    return read_review(state, identity)[1].get(device, NOT_REVIEWED)
