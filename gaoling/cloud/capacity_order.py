"""The expansion order (扩容订单): how many hosts of which kind, needed when, to be placed when."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gaoling.cloud.capacity import Figures, Host, Observed
from gaoling.cloud.capacity_settings import COMPUTE, STORAGE, Kind, Planning
from gaoling.cloud.forecast import Step, taken

Slopes = Mapping[str, float | None]


@dataclass(frozen=True)
class Line:
    """One delivery. `because` names the resources that would not have their headroom."""

    region: str
    kind: Kind
    count: int
    needed_by: dt.date
    place_by: dt.date
    because: tuple[str, ...]
    assumed: bool

    def urgent(self, as_of: dt.date) -> bool:
        """Return whether it has to be placed on that day or should have been before."""
        return self.place_by <= as_of


@dataclass(frozen=True)
class Order:
    """The lines of a region by date; `impossible` says what no kind can mend."""

    lines: tuple[Line, ...] = ()
    impossible: tuple[str, ...] = ()

    def needed(self, as_of: dt.date) -> bool:
        """Return whether something has to be ordered by that day."""
        return bool(self.impossible) or any(line.urgent(as_of) for line in self.lines)


def usable_with(figures: Figures, observed: Observed, kind: Kind, count: int) -> float:
    """Return what a region has without its largest host once `count` of a kind have come."""
    each = kind.effective().get(figures.resource, 0.0)
    largest = each if count and kind.resources == COMPUTE else 0.0
    loss = observed.host_loss(figures.resource, largest=largest)
    return figures.total + count * each - loss


def enough(
    figures: Sequence[Figures], observed: Observed, kind: Kind, count: int,
    wanted: Mapping[str, float],
) -> bool:  # fmt: skip
    """Return whether `count` more of a kind give every resource what is wanted and its headroom."""
    return all(
        usable_with(f, observed, kind, count) * (1 - f.headroom) >= wanted[f.resource] - 1e-6
        for f in figures
    )


def count_of(
    figures: Sequence[Figures], observed: Observed, kind: Kind, wanted: Mapping[str, float]
) -> int | None:
    """Return how many more of a kind are enough; None when no number is."""
    if enough(figures, observed, kind, 0, wanted):
        return 0
    least = 1
    for each in figures:
        gain = kind.effective().get(each.resource, 0.0)
        missing = wanted[each.resource] / (1 - each.headroom) - usable_with(each, observed, kind, 1)
        if missing > 1e-6:
            if gain <= 0:
                return None
            least = max(least, 1 + math.ceil(missing / gain - 1e-9))
    while not enough(figures, observed, kind, least, wanted):
        least += 1  # rounding only
    return least


def existing_kind(observed: Observed, resources: tuple[str, ...]) -> Kind | None:
    """Return the largest host (or pool of storage) that is there, as a kind to order again."""
    providers = observed.hosts if resources == COMPUTE else observed.pools
    usable = [p for p in providers if observed.measured and _whole(p, resources)]
    if not usable:
        return None
    best = max(usable, key=lambda p: (*(p.inventories[resources[0]].effective,), p.name))
    fields: dict[str, float] = {}
    ratios = {"vcpus": "cpu_ratio", "memory_gb": "memory_ratio",
              "disk_gb": "disk_ratio", "volume_gb": "volume_ratio"}  # fmt: skip
    for name in resources:
        if held := best.inventories.get(name):
            fields[name] = int(max(0.0, held.total - held.reserved))
            fields[ratios[name]] = held.ratio
    return Kind.model_validate({"id": "as-there", "name": f"同 {best.name}", **fields})


def _whole(provider: Host, resources: tuple[str, ...]) -> bool:
    """Whether a provider has what a kind must have, in whole units."""
    wanted = [r for r in resources if r != "disk_gb"]
    return all(
        r in provider.inventories
        and provider.inventories[r].total - provider.inventories[r].reserved >= 1
        and provider.inventories[r].ratio > 0
        for r in wanted
    )


def order(
    figures: Sequence[Figures], observed: Observed, planning: Planning, slopes: Slopes,
    steps: Sequence[Step], as_of: dt.date,
) -> Order:  # fmt: skip
    """Return what has to be ordered so that a region has its headroom on every day of the horizon.

    A growth that is unknown is not in it. Each line covers the growth of a batch's days.
    """
    lines: list[Line] = []
    impossible: list[str] = []
    for resources in (COMPUTE, STORAGE):
        here = [f for f in figures if f.resource in resources]
        if not here:
            continue
        curve = [
            {f.resource: taken(f, slopes.get(f.resource), steps, day, as_of) for f in here}
            for day in _days(as_of, planning.horizon_days)
        ]
        own = existing_kind(observed, resources)
        kinds = planning.of(resources) or ((own,) if own else ())
        chosen = _choose(here, observed, kinds, curve[-1])
        if chosen is None:
            if any(f.usable * (1 - f.headroom) < curve[-1][f.resource] - 1e-6 for f in here):
                impossible.append(_impossible(here, kinds, curve[-1]))
            continue
        lines += _lines(here, observed, planning, chosen, curve, as_of)
    return Order(tuple(sorted(lines, key=lambda x: (x.needed_by, x.kind.id))), tuple(impossible))


def _days(as_of: dt.date, horizon: int) -> list[dt.date]:
    return [as_of + dt.timedelta(days=number) for number in range(horizon + 1)]


def _choose(
    figures: Sequence[Figures], observed: Observed, kinds: Sequence[Kind],
    wanted: Mapping[str, float],
) -> Kind | None:  # fmt: skip
    """Return the kind of which the fewest are enough; of equals the first of the file."""
    counts = [(count_of(figures, observed, kind, wanted), kind) for kind in kinds]
    possible = [(count, kind) for count, kind in counts if count is not None]
    return min(possible, key=lambda pair: pair[0])[1] if possible else None


def _impossible(
    figures: Sequence[Figures], kinds: Sequence[Kind], wanted: Mapping[str, float]
) -> str:
    short = [f.resource for f in figures if f.usable * (1 - f.headroom) < wanted[f.resource] - 1e-6]
    what = f"{figures[0].region}: {', '.join(short)}"
    if not kinds:
        return f"{what}: no kind of host is known, expected kinds in capacity.yaml"
    return f"{what}: found no kind that has all of it, looked at {', '.join(k.id for k in kinds)}"


def _lines(
    figures: Sequence[Figures], observed: Observed, planning: Planning, kind: Kind,
    curve: Sequence[Mapping[str, float]], as_of: dt.date,
) -> list[Line]:  # fmt: skip
    lines = []
    have, last = 0, len(curve) - 1
    for number, wanted in enumerate(curve):
        if enough(figures, observed, kind, have, wanted):
            continue
        because = tuple(
            f.resource for f in figures if not enough([f], observed, kind, have, wanted)
        )
        cover = count_of(figures, observed, kind, curve[min(number + planning.batch_days, last)])
        if cover is None:  # cannot be: the end of the horizon was possible, and nothing shrinks
            break
        needed_by = as_of + dt.timedelta(days=number)
        lines.append(
            Line(
                region=figures[0].region,
                kind=kind,
                count=cover - have,
                needed_by=needed_by,
                place_by=needed_by - dt.timedelta(days=kind.lead_days),
                because=because,
                assumed=planning.basis == "assumed" or any(f.assumed for f in figures),
            )
        )
        have = cover
    return lines
