"""What was in use, a line a day and region: JSON lines that are only ever added to.

A line that is damaged is counted and passed over. Of two lines for a day the later one holds.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gaoling.cloud.capacity import Observed
from gaoling.cloud.capacity_settings import RESOURCES

KEPT_DAYS = 400  # looked at; as long as metrics are kept
Days = Mapping[dt.date, float]


@dataclass
class History:
    """(region, resource) -> day -> what was in use; how many lines could not be read."""

    used: dict[tuple[str, str], dict[dt.date, float]] = field(default_factory=dict)
    damaged: int = 0

    def of(self, region: str, resource: str) -> Days:
        """Return the days of a resource, the newest 400 of them."""
        days = self.used.get((region, resource), {})
        return dict(sorted(days.items())[-KEPT_DAYS:])

    def has(self, region: str, day: dt.date) -> bool:
        return any(day in days for (name, _), days in self.used.items() if name == region)


def file_of(state: Path, city: str) -> Path:
    """Return the file of a city in a state folder."""
    return state / "capacity" / f"{city}.jsonl"


def read(path: Path, city: str) -> History:
    """Return what a file says of a city; nothing where there is no file. Raises OSError."""
    found = History()
    if not path.exists():
        return found
    for line in path.read_bytes().splitlines():
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            day, region = dt.date.fromisoformat(told["day"]), str(told["region"])
            used = {str(name): _amount(value) for name, value in told["used"].items()}
            whose = told["city"]
        except (ValueError, TypeError, KeyError, AttributeError):
            found.damaged += 1
            continue
        if whose == city:
            for name, value in used.items():
                found.used.setdefault((region, name), {})[day] = value
    return found


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"found {value!r}, expected a number")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"found {value!r}, expected a quantity")
    return float(value)


def record(path: Path, city: str, day: dt.date, observed: Observed) -> bool:
    """Add the sample of a day, once; return whether it was added. Raises OSError.

    What was not measured, or not wholly, is no sample.
    """
    if not observed.measured or observed.wrong:
        return False
    used = {n: observed.used(n) for n in RESOURCES if observed.knows(n)}
    total = {n: observed.total(n) for n in used}
    sample = {"city": city, "region": observed.region, "day": day.isoformat(),
              "used": used, "total": total}  # fmt: skip
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600), "ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if read(path, city).has(observed.region, day):
            return False
        line = json.dumps(sample, ensure_ascii=False).encode() + b"\n"
        file.write((b"" if _ends_well(path) else b"\n") + line)
        file.flush()
        os.fsync(file.fileno())
    return True


def _ends_well(path: Path) -> bool:
    """Whether the last line is whole: a writer that was killed may have left half of one."""
    text = path.read_bytes()
    return not text or text.endswith(b"\n")
