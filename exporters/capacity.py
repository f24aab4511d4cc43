"""What each region holds, uses, keeps and lacks, and how long it lasts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from exporters.base import Context, Result, Sample
from gaoling.city import City
from gaoling.cloud import capacity_history
from gaoling.cloud.capacity import Observed
from gaoling.cloud.capacity_probe import CapacityError, observe
from gaoling.cloud.capacity_report import Report, assess, lead_days
from gaoling.cloud.capacity_settings import read_planning
from gaoling.evidence.picture import CHINA

DAY = 86400
GIB = 1 << 30
# resource -> its label where the unit is bytes; processors have metrics of their own
BYTES = {"memory_gb": "memory", "disk_gb": "root_disk", "volume_gb": "volume"}
LABEL = {"vcpus": "cores", **BYTES}

Observe = Callable[[City, str], Observed]


def through(clouds: Path) -> Observe:
    """Return what asks a region with an administrator's clouds.yaml."""
    return lambda city, region: observe(city, region, clouds)


class Capacity:
    """Asks placement, Nova and Cinder of every region; keeps a sample a day in `history`."""

    name = "capacity"
    interval = 300.0
    deadline = 90.0

    def __init__(self, ask: Observe, history: Path) -> None:
        self._ask, self._history = ask, history

    def collect(self, context: Context) -> Result:
        """Return the series of every region that answers. Raises RegisterError, OSError."""
        city = context.city
        planning = read_planning(city)
        today = dt.datetime.fromtimestamp(context.clock(), CHINA).date()
        result = Result(wanted=len(city.region))
        seen: list[Observed] = []
        for region in city.region:
            try:
                observed = self._ask(city, region)
            except CapacityError as error:
                result.wrong.append(str(error))
                continue
            result.wrong += observed.wrong
            result.covered += not observed.wrong
            seen.append(observed)
            capacity_history.record(self._history, city.settings.id, today, observed)
        history = capacity_history.read(self._history, city.settings.id)
        for observed in seen:
            result.samples += samples(assess(city, observed, planning, history, today))
        result.samples.append(Sample("gaoling_capacity_history_damaged", history.damaged))
        return result


def samples(report: Report) -> list[Sample]:
    """Return the series of a region. What nobody can say (days left without history) has none."""
    where = {"region": report.region}
    found = []
    for f in report.figures:
        if f.resource in BYTES:
            unit, factor, labels = "bytes", GIB, {**where, "resource": BYTES[f.resource]}
        else:
            unit, factor, labels = "cores", 1, where
        found += [
            Sample(f"gaoling_capacity_{unit}", f.total * factor, labels),
            Sample(f"gaoling_capacity_used_{unit}", f.used * factor, labels),
            Sample(f"gaoling_capacity_free_{unit}", f.free * factor, labels),
        ]
        kept = {"host_loss": f.host_loss, "failover": f.failover, "pending": f.pending}
        for reason, value in kept.items():
            found.append(
                Sample(f"gaoling_capacity_reserved_{unit}", value * factor,
                       {**labels, "reason": reason})
            )  # fmt: skip
        which = {**where, "resource": LABEL[f.resource]}
        left = report.left[f.resource]
        if left.days is not None:
            found.append(Sample("gaoling_capacity_left_seconds", left.days * DAY, which))
        lead = lead_days(report.planning, f.resource) * DAY
        found.append(Sample("gaoling_capacity_lead_seconds", lead, which))
        found.append(Sample("gaoling_capacity_history_samples", report.days[f.resource], which))
    hosts = report.observed.hosts
    states = {
        "up": sum(h.enabled and h.up for h in hosts),
        "down": sum(h.enabled and not h.up for h in hosts),
        "disabled": sum(not h.enabled for h in hosts),
    }
    if any(f.resource == "vcpus" for f in report.figures):
        for state, count in states.items():
            found.append(Sample("gaoling_capacity_hosts", count, {**where, "state": state}))
    if not report.observed.wrong:  # else nobody knows whether the rest has to be ordered
        due = sum(line.count for line in report.order.lines if line.urgent(report.as_of))
        found.append(Sample("gaoling_capacity_order_due_hosts", due, where))
    return found
