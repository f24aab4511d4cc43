"""All that is said of a region's capacity at once: for the command, and for the exporter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gaoling.city import City
from gaoling.cloud.capacity import Figures, Observed, measure
from gaoling.cloud.capacity_history import History
from gaoling.cloud.capacity_order import Line, Order, order
from gaoling.cloud.capacity_settings import Kind, Planning
from gaoling.cloud.forecast import Left, Step, days_left, growth, planned


@dataclass(frozen=True)
class Report:
    """A region on a day. `slopes` is the growth a day, None where it is unknown."""

    region: str
    as_of: dt.date
    observed: Observed
    planning: Planning
    figures: tuple[Figures, ...]
    slopes: Mapping[str, float | None]
    days: Mapping[str, int]  # of history, by resource
    left: Mapping[str, Left]
    steps: tuple[Step, ...]
    order: Order

    @property
    def undated(self) -> tuple[Step, ...]:
        """Return what is planned without a deadline: it is in no forecast and in no order."""
        return tuple(s for s in self.steps if s.day is None)

    @property
    def dated(self) -> tuple[Step, ...]:
        return tuple(s for s in self.steps if s.day is not None)

    @property
    def fits(self) -> bool:
        """Return whether nothing has to be ordered by that day."""
        return not self.order.needed(self.as_of)

    def planned_now(self, resource: str) -> float:
        """Return what is due already by its deadline and has no landing zone yet."""
        due = (s.amounts.get(resource, 0.0) for s in self.steps if s.due(self.as_of))
        return sum(due)

    def as_json(self) -> dict[str, Any]:
        resources = []
        for f in self.figures:
            slope, left = self.slopes[f.resource], self.left[f.resource]
            resources.append(
                {
                    "resource": f.resource,
                    "total": f.total,
                    "host_loss": f.host_loss,
                    "used": f.used if self.observed.measured else None,
                    "failover": f.failover,
                    "pending": f.pending,
                    "free": f.free,
                    "wanted_free": f.wanted_free,
                    "short": f.short,
                    "planned_due": self.planned_now(f.resource),
                    "growth_per_day": slope,
                    "history_days": self.days[f.resource],
                    "days_left": left.days,
                    "days_left_reason": left.reason,
                    "basis": "assumed" if f.assumed else "confirmed",
                }
            )
        return {
            "region": self.region,
            "as_of": self.as_of.isoformat(),
            "measured": self.observed.measured,
            "hosts": [
                {"name": h.name, "enabled": h.enabled, "up": h.up,
                 **{n: asdict(i) for n, i in h.inventories.items()}}
                for h in self.observed.hosts
            ],
            "pools": [
                {"name": p.name, **{n: asdict(i) for n, i in p.inventories.items()}}
                for p in self.observed.pools
            ],
            "resources": resources,
            "planned": [
                {"system": s.system, "day": s.day.isoformat() if s.day else None,
                 **dict(s.amounts)} for s in self.steps
            ],
            "order": [line_json(line, self.as_of) for line in self.order.lines],
            "impossible": list(self.order.impossible),
            "wrong": list(self.observed.wrong),
            "fits": self.fits,
            "planning": {"headroom": self.planning.headroom, "basis": self.planning.basis},
        }  # fmt: skip


def lead_days(planning: Planning, resource: str) -> int:
    """Return how long the slowest kind that adds a resource takes to come."""
    known = [k.lead_days for k in planning.kinds if resource in k.resources]
    return max(known, default=int(Kind.model_fields["lead_days"].default))


def line_json(line: Line, as_of: dt.date) -> dict[str, Any]:
    """Return a line of an order as plain data."""
    return {
        "region": line.region,
        "kind": line.kind.id,
        "name": line.kind.name,
        "count": line.count,
        "needed_by": line.needed_by.isoformat(),
        "place_by": line.place_by.isoformat(),
        "urgent": line.urgent(as_of),
        "because": list(line.because),
        "basis": "assumed" if line.assumed else "confirmed",
    }


def assess(
    city: City, observed: Observed, planning: Planning, history: History, today: dt.date,
    as_of: dt.date | None = None,
) -> Report:  # fmt: skip
    """Return the report of a region, seen today, for `as_of`: today or a later day.

    What is in use on a later day is what is in use today and the growth until then.
    """
    day = as_of or today
    figures, slopes, days = [], {}, {}
    for each in measure(city, observed, planning):
        known = history.of(observed.region, each.resource) if observed.measured else {}
        slope = growth(known, today, planning.least_days) if observed.measured else None
        slopes[each.resource] = slope
        days[each.resource] = sum(1 for one in known if one <= today)
        ahead = max(0.0, slope or 0.0) * max(0, (day - today).days)
        figures.append(replace(each, used=each.used + ahead))
    steps = planned(city, observed.region)
    left = {f.resource: days_left(f, slopes[f.resource], steps, day) for f in figures}
    return Report(
        region=observed.region,
        as_of=day,
        observed=observed,
        planning=planning,
        figures=tuple(figures),
        slopes=slopes,
        days=days,
        left=left,
        steps=tuple(steps),
        order=order(figures, observed, planning, slopes, steps, day),
    )
