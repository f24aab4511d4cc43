"""What a collector is, what it is given and what it hands back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporters.cloud import Cloud
from gaoling.addressing import Plan
from gaoling.city import City
from gaoling.evidence import Observation, Store
from gaoling.evidence.probes import Runner


@dataclass(frozen=True)
class Sample:
    """One number for the exposition; `name` is in exporters.families."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """What a collection brought. `covered` of `wanted` things were looked at; `wrong` says why not
    all. What is valid counts, whatever else went wrong."""

    observations: list[Observation] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    covered: int = 0
    wanted: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Context:
    """What collectors are given. `families` says which address families are in service, by device.

    `cloud` gives access to a region's API. It raises CloudError.
    """

    city: City
    plan: Plan
    store: Store
    runner: Runner
    cloud: Callable[[str], Cloud]
    families: Callable[[], Mapping[str, frozenset[int]]]
    clock: Callable[[], float] = time.time

    def site_families(self) -> dict[str, frozenset[int]]:
        """Return site code -> families in service there: those of the router it hangs on."""
        of_device = self.families()
        ipv4 = frozenset({4})
        return {s.code: of_device.get(s.device, ipv4) for s in self.city.sites if s.device}


class Collector(Protocol):
    """Looks at one kind of thing. `interval` and `deadline` are in seconds."""

    name: str
    interval: float
    deadline: float

    def collect(self, context: Context) -> Result:
        """Return what was seen. What it raises is a failed collection: nothing is known from it."""
        ...
