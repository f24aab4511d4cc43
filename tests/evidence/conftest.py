"""A small observer of the lab's city: says what was seen, and asks for rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest

from gaoling.city import City, Site, read_city
from gaoling.evidence import Observation, Picture, Rates

NOW = 1_790_000_000.0  # 2026-09-21, Asia/Shanghai
LAB = Path(__file__).parents[2] / "inventories" / "lab"


@pytest.fixture(scope="session")
def city() -> City:
    return read_city(LAB)


@dataclasses.dataclass
class Observer:
    city: City
    seen: dict[tuple, Observation] = dataclasses.field(default_factory=dict)
    families: dict[str, frozenset[int]] = dataclasses.field(default_factory=dict)

    def see(self, kind, subject, rung, value=True, *, family=None, age=10.0, method="fping",
            vantage="vantage-noc"):  # fmt: skip
        found = Observation(kind, subject, rung, family, value, NOW - age, method, vantage, "")
        self.seen[found.key] = found
        return self

    def whole_network(self, families: Iterable[int] = (4,), **how) -> Observer:
        """Every attached site and every router answers."""
        for family in families:
            for site in self.city.sites:
                if site.device:
                    self.see("site", site.code, "reachable", family=family, **how)
            for device in self.city.devices:
                if device.routes:
                    self.see("device", device.name, "reachable", family=family, **how)
        return self

    def stop(self, *devices: str, family: int = 4) -> Observer:
        """Routers stop: they and all that hang on them, or behind them, answer no more."""
        for device in devices:
            self.see("device", device, "reachable", False, family=family, age=1)
            for site in self.city.sites_on(device):
                self.see("site", site.code, "reachable", False, family=family, age=1)
        return self

    def whole_cloud(self, families: Iterable[int] = (4,), **how) -> Observer:
        """Every system with a landing zone is there and answers a township."""
        for system in self.city.systems:
            there = system.has_landing_zone
            self.see("system", system.id, "provisioned", there, method="cloud-api", vantage="",
                     **how)  # fmt: skip
            if there:
                self.see("system", system.id, "addressed", method="cloud-api", vantage="", **how)
                for family in families:
                    self.see("system", system.id, "answering", family=family, method="curl",
                             vantage="vantage-360202001", **how)  # fmt: skip
        return self

    def units(self, level: str) -> list[Site]:
        """Return who is counted on a level by the register alone: divisions, none exempt."""
        levels = {"city", "county", "township"} if level == "all" else {level}
        sites = [s for s in self.city.sites if s.level in levels]
        return [s for s in sites if s.kind not in ("facility", "unit")]

    def attached(self, level: str) -> int:
        """Return how many of them hang on a router: what a healthy network observes."""
        return len([s for s in self.units(level) if s.device])

    def unattached(self, level: str) -> int:
        return len([s for s in self.units(level) if not s.device])

    def whole(self, level: str, less: int = 0) -> float:
        """Return the rate of a level when all that is attached answers, `less` excepted."""
        return (self.attached(level) - less) / len(self.units(level))

    def rates(self, now: float = NOW) -> Rates:
        return Rates(Picture(self.city, self.seen.values(), self.families, now))

    def dual_stack(self) -> Observer:
        self.families = {s.code: frozenset({4, 6}) for s in self.city.sites}
        return self


@pytest.fixture
def observer(city: City) -> Observer:
    return Observer(city)
