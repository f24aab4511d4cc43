"""When a region is full: growth from history, and what the register plans by its deadlines.

Growth is the Theil-Sen estimator: the median of the slopes of all pairs of days (H. Theil 1950, "A
rank-invariant method of linear and polynomial regression analysis"; P. K. Sen 1968, "Estimates of
the regression coefficient based on Kendall's tau", JASA 63). One day in four may be wild (a test, a
migration, a fault of the probe) and it does not move. Too few days: growth is unknown, not zero.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from gaoling.city import City, System
from gaoling.cloud.capacity import Figures, asked, failover, plus, root_disk_gb

FAR_DAYS = 1825  # nobody plans beyond: what lasts longer is said to last this long at least
Reason = Literal["now", "trend", "planned", "far", "unknown"]


@dataclass(frozen=True)
class Step:
    """What a planned system will take in a region. `day` is None where no deadline is known."""

    system: str
    day: dt.date | None
    amounts: Mapping[str, float]

    def due(self, day: dt.date) -> bool:
        """Return whether it is there on that day; one whose deadline has passed is there now."""
        return self.day is not None and self.day <= day


@dataclass(frozen=True)
class Left:
    """How many days are left, and why. `days` is None where nobody can say."""

    days: int | None
    reason: Reason


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope of (x, y). Raises ValueError where no two x differ."""
    slopes = list(_slopes(points))
    if not slopes:
        raise ValueError("theil_sen: expected at least two points with different x")
    return median(slopes)


def _slopes(points: Sequence[tuple[float, float]]) -> Iterator[float]:
    for number, (x, y) in enumerate(points):
        for other_x, other_y in points[number + 1 :]:
            if other_x != x:
                yield (other_y - y) / (other_x - x)


def growth(days: Mapping[dt.date, float], as_of: dt.date, least_days: int) -> float | None:
    """Return the growth a day of daily samples up to `as_of`; None with too few of them."""
    known = sorted((day, value) for day, value in days.items() if day <= as_of)
    if len(known) < least_days:
        return None
    return theil_sen([(float(day.toordinal()), value) for day, value in known])


def planned(city: City, region: str) -> list[Step]:
    """Return what the planned systems will take in a region, in the order of their deadlines.

    Those are the systems that are to move and have no landing zone yet. What they need there as a
    standby, or kept for their failover, is in it. One that takes nothing there is not.
    """
    root_gb = root_disk_gb(city)
    found = []
    for system in city.systems:
        if not _to_come(system):
            continue
        later = system.model_copy(update={"state": "live", "migration": "on_cloud"})
        parts = (asked(city, later, region, root_gb), failover(city, region, later, root_gb))
        amounts = plus(parts)
        if any(amounts.values()):
            found.append(Step(system.id, system.deadline, amounts))
    return sorted(found, key=lambda s: (s.day or dt.date.max, s.system))


def _to_come(system: System) -> bool:
    return (
        system.migration in ("planned", "migrating")
        and system.state != "retired"
        and not system.classified
        and not system.has_landing_zone
    )


def taken(
    figures: Figures, slope: float | None, steps: Sequence[Step], day: dt.date, as_of: dt.date
) -> float:
    """Return what will be taken on a day: now, with growth, and the steps that are due by then.

    What shrinks is not planned on: a negative slope counts as none.
    """
    grown = max(0.0, slope or 0.0) * (day - as_of).days
    due = sum(s.amounts.get(figures.resource, 0.0) for s in steps if s.due(day))
    return figures.taken + grown + due


def days_left(figures: Figures, slope: float | None, steps: Sequence[Step], as_of: dt.date) -> Left:
    """Return the days until more is taken than is there without the largest host.

    Without a slope the steps alone are looked at: what they exhaust is exhausted by then.
    """
    full = _first_day(figures, slope, steps, as_of)
    if full == 0:
        return Left(0, "now" if figures.taken > figures.usable else "planned")
    if full is None:
        return Left(None, "unknown") if slope is None else Left(FAR_DAYS, "far")
    return Left(full, "planned" if _first_day(figures, None, steps, as_of) == full else "trend")


def _first_day(
    figures: Figures, slope: float | None, steps: Sequence[Step], as_of: dt.date
) -> int | None:
    for number in range(FAR_DAYS):
        day = as_of + dt.timedelta(days=number)
        if taken(figures, slope, steps, day, as_of) > figures.usable:
            return number
    return None
