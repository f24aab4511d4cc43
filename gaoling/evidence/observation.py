"""One observation: who was seen on which rung, when, how, from where; and how long it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

Kind = Literal["system", "site", "device"]
KINDS: tuple[Kind, ...] = ("system", "site", "device")
SKEW = 60.0  # seconds that a clock may be ahead of ours before its word counts for nothing
_METHODS = Path(__file__).with_name("methods.yaml")


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen with our own eyes. `time` is when it was seen, in seconds since 1970.

    `family` is 4 or 6 where the rung is seen per address family, else None. `vantage` is the
    device that looked ("" for an API), `source` what it looked at (an address, a URL, a router).
    """

    kind: Kind
    subject: str
    rung: str
    family: int | None
    value: bool
    time: float
    method: str
    vantage: str = ""
    source: str = ""

    @property
    def key(self) -> tuple[str, str, str, int | None, str]:
        """What a newer observation replaces."""
        return self.kind, self.subject, self.rung, self.family, self.vantage

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Observation:
        """Return the observation that `as_json` wrote. Raises ValueError for anything else."""
        try:
            found = cls(**data)
        except TypeError as error:
            raise ValueError(str(error)) from None
        right = (
            found.kind in KINDS
            and isinstance(found.value, bool)
            and isinstance(found.time, (int, float))
            and found.family in (None, 4, 6)
            and all(isinstance(x, str) for x in (found.subject, found.rung, found.method))
            and all(isinstance(x, str) for x in (found.vantage, found.source))
        )
        if not right:
            raise ValueError(f"not an observation: {dict(data)}")
        return found


@dataclass(frozen=True)
class Expiry:
    """How many seconds an observation holds, by method."""

    default: float
    methods: Mapping[str, float]

    def seconds(self, method: str) -> float:
        return self.methods.get(method, self.default)

    def holds(self, observation: Observation, now: float) -> bool:
        """Whether it still counts: not too old, and not from the future."""
        age = now - observation.time
        return -SKEW <= age <= self.seconds(observation.method)


def read_expiry(path: Path) -> Expiry:
    """Return the expiry times of a file. Raises ValueError naming what is not a positive number."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = {"default": data.get("default"), **(data.get("methods") or {})}
    for name, seconds in found.items():
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds <= 0:
            raise ValueError(f"{path.name}: {name}: found {seconds!r}, expected seconds above 0")
    return Expiry(found.pop("default"), found)


@cache
def default_expiry() -> Expiry:
    """Return the expiry times that come with Gaoling (methods.yaml)."""
    return read_expiry(_METHODS)
