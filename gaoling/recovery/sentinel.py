"""Sentinel objects: how old the copy in the other region really is.

A small object with the time is written where the data lives and read where its copy should be. The
age of what is read is the recovery point; no daemon's own word is asked.
"""

from __future__ import annotations

import json
from typing import Protocol

NAME = ".gaoling-sentinel"


class Containers(Protocol):
    """The object containers of one project in one region."""

    def put(self, container: str, name: str, data: bytes) -> bool:
        """Store an object; return False when there is no such container."""
        ...

    def get(self, container: str, name: str) -> bytes | None:
        """Return an object's content; None when it is not there."""
        ...


def write(containers: Containers, container: str, system: str, now: float) -> bool:
    """Write a system's sentinel; return False when the container is not there."""
    text = json.dumps({"system": system, "time": now})
    return containers.put(container, NAME, text.encode())


def read(containers: Containers, container: str, system: str) -> float | None:
    """Return the time of the newest sentinel that can be read; None when there is none.

    Another system's sentinel, or one that cannot be read, is none.
    """
    data = containers.get(container, NAME)
    if data is None:
        return None
    try:
        found = json.loads(data)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("system") != system:
        return None
    moment = found.get("time")
    return float(moment) if isinstance(moment, (int, float)) else None
