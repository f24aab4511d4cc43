"""Where the cloud is not what the stacks made of it, by the probe alone: Pulumi is not run here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exporters.base import Context, Result, Sample
from exporters.cloud import API_SECONDS
from gaoling.cloud.connect import connect
from gaoling.cloud.demand import demands
from gaoling.cloud.drift import KINDS
from gaoling.cloud.drift_compare import compare
from gaoling.cloud.drift_declared import Declared
from gaoling.cloud.drift_observed import Observed, look

NO_SYSTEM = "none"  # what is of no landing zone: the platform, stray projects
Look = Callable[[str, str], Observed]


def looker(clouds: Path) -> Look:
    """Return region, city -> what the region has; its entry of clouds.yaml has its name."""
    return lambda region, city: look(lambda: connect(clouds, region, API_SECONDS), region, city)


class Drift:
    """Compares every region with what the stacks hold, as `gaoling cloud up` wrote it down.

    A region that could not be asked at all has no series: nothing is known of it.
    """

    name = "drift"
    interval = 600.0
    deadline = 180.0

    def __init__(self, look: Look, declared: Callable[[], Declared]) -> None:
        self._look, self._declared = look, declared

    def collect(self, context: Context) -> Result:
        """Return how many findings there are, by region, system and kind. Raises DeclaredError."""
        city = context.city
        declared = self._declared()
        regions = list(city.region)
        with ThreadPoolExecutor(len(regions)) as pool:
            seen = pool.map(lambda region: self._look(region, city.settings.id), regions)
            report = compare(city, declared, dict(zip(regions, seen, strict=True)))
        result = Result()
        counts = Counter((f.region, f.system or NO_SYSTEM, f.kind) for f in report.findings)
        for looked in report.regions:
            result.wrong += looked.wrong
            result.wanted += looked.wanted
            result.covered += looked.compared
            if looked.wrong and not looked.compared:
                continue
            region = looked.region
            systems = {d.system.id for d in demands(city, region)} | declared.systems(region)
            systems |= {system for r, system, _ in counts if r == region} | {NO_SYSTEM}
            for system in sorted(systems):
                for kind in KINDS:
                    labels = {"region": region, "system": system, "kind": kind}
                    value = counts[region, system, kind]
                    result.samples.append(Sample("gaoling_cloud_drift", value, labels))
        result.samples.append(Sample("gaoling_cloud_declared_timestamp_seconds", declared.at))
        return result
