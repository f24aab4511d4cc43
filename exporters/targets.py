"""The targets of the register, and how each of them stands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from exporters.base import Context, Result, Sample
from exporters.rates import judge
from gaoling.city import City, Target
from gaoling.evidence import Rates
from gaoling.evidence.picture import CHINA

Interval = tuple[float, float]
STATES = ("met", "on_course", "late", "overdue", "not_measured")


def _worst(*intervals: Interval | None) -> Interval | None:
    """Return the worse of each bound; None when one of them has nothing to say."""
    if any(i is None for i in intervals):
        return None
    known = [i for i in intervals if i is not None]
    return min(i[0] for i in known), min(i[1] for i in known)


# Which rate measures which target (docs/rates.md says why). A target that is not here is not
# measured by us: it says so.
MEASURED: dict[str, Callable[[Rates], Interval | None]] = {
    "cloud-adoption": lambda r: r.cloud_adoption().interval,
    "extranet-access": lambda r: r.extranet_access("all").interval,
    "village-access": lambda r: r.extranet_access("village").interval,
    "extranet-upgrade": lambda r: r.ipv6_sites("all").interval,
    "ipv6-support": lambda r: _worst(r.ipv6_sites("all").interval, r.ipv6_systems().interval),
}


class Targets:
    """Puts the rates beside the targets of the register."""

    name = "targets"
    interval = 10.0
    deadline = 10.0

    def collect(self, context: Context) -> Result:
        """Return the series of every target."""
        city, now = context.city, context.clock()
        rates = judge(context, now)
        found = []
        for target in city.targets:
            labels = {"target": target.id}
            about = {"name": target.name, "kind": target.kind, "measured": target.measured}
            basis = "assumed" if assumed(city, target) else "stated"
            found.append(Sample("gaoling_target_info", 1, {**labels, **about, "basis": basis}))
            if target.ratio is not None:
                found.append(Sample("gaoling_target_ratio", target.ratio, labels))
            end = deadline(target)
            if end is not None:
                found.append(Sample("gaoling_target_deadline_timestamp_seconds", end, labels))
            measure = MEASURED.get(target.id)
            interval = measure(rates) if measure else None
            if interval is not None:
                for bound, value in zip(("lower", "upper"), interval, strict=True):
                    found.append(
                        Sample("gaoling_target_measured_ratio", value, {**labels, "bound": bound})
                    )
            stands = state(target, interval, now, city.settings.plan_years[0])
            for name in STATES:
                found.append(
                    Sample("gaoling_target_state", float(name == stands), {**labels, "state": name})
                )
        return Result(samples=found, covered=1, wanted=1)


def assumed(city: City, target: Target) -> bool:
    """Whether the target's value or its deadline is ours and not the plan's."""
    return target.deadline_basis != "stated" or (
        target.value is not None and city.basis("targets", target.id, "value") == "assumed"
    )


def deadline(target: Target) -> float | None:
    """Return the end of the deadline's day in Asia/Shanghai; None when the plan sets none."""
    if target.deadline is None:
        return None
    end = dt.datetime.combine(target.deadline + dt.timedelta(days=1), dt.time(), CHINA)
    return end.timestamp()


def state(target: Target, interval: Interval | None, now: float, first_year: int) -> str:
    """Return how a target stands, by the lower bound: what is unknown fulfils nothing.

    Before the deadline the pace is a straight line from the first day of the plan.
    """
    if interval is None or target.ratio is None:
        return "not_measured"
    if interval[0] >= target.ratio:
        return "met"
    end = deadline(target)
    if end is None:
        return "late"
    if now >= end:
        return "overdue"
    start = dt.datetime(first_year, 1, 1, tzinfo=CHINA).timestamp()
    pace = target.ratio * (now - start) / (end - start)
    return "on_course" if interval[0] >= pace else "late"
