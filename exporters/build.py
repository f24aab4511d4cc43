"""Put together what the exporter needs: the city, its plan, access, collectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from exporters.base import Collector, Context
from exporters.capacity import Capacity, through
from exporters.cloud import clouds
from exporters.drift import Drift, looker
from exporters.extranet_routers import ExtranetRouters
from exporters.extranet_sites import ExtranetSites
from exporters.rates import RatesCollector
from exporters.recovery import Recovery
from exporters.schedule import Schedule
from exporters.ssh import SshRunner
from exporters.systems import Systems
from exporters.targets import Targets
from gaoling.addressing import plan_city, read_lock
from gaoling.city import City, read_city
from gaoling.cloud.capacity_history import file_of
from gaoling.cloud.drift_declared import read as read_declared
from gaoling.evidence import Store
from gaoling.network.journal import Journal, families_in_service, fingerprints

IPV4 = frozenset({4})


def families_by_device(
    city: City, journal: Path | None, access: Path | None = None
) -> Callable[[], Mapping[str, frozenset[int]]]:
    """Return a function that says which families are in service, by device.

    That is IPv4, and what the journal of changes says of the routers that `access` knows.
    """

    def read() -> Mapping[str, frozenset[int]]:
        found = {d.name: IPV4 for d in city.devices}
        if journal is None or not journal.exists():
            return found
        entries = Journal(journal, fingerprints(access) if access else {})
        said = families_in_service(city, entries)
        return found | {name: frozenset(families) for name, families in said.items() if families}

    return read


def build(
    city_folder: Path, access: Path, clouds_file: Path, state: Path, run: Path,
    journal: Path | None = None, scale: float = 1.0,
) -> Schedule:  # fmt: skip
    """Return the collectors of a city, ready to run. Raises RegisterError, LockError, OSError."""
    city = read_city(city_folder)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(state)
    store.forget(
        [*(("system", s.id) for s in city.systems), *(("site", s.code) for s in city.sites),
         *(("device", d.name) for d in city.devices)]
    )  # fmt: skip
    runner = SshRunner(access, run)
    context = Context(
        city=city,
        plan=plan_city(city, read_lock(city_folder / "addresses")),
        store=store,
        runner=runner,
        cloud=clouds(clouds_file),
        families=families_by_device(city, journal, access),
    )
    collectors: list[Collector] = [
        ExtranetSites(),
        Systems(),
        Recovery(),
        ExtranetRouters(SshRunner(access, run, persist=0)),
        Capacity(through(clouds_file), file_of(state, city.settings.id)),
        Drift(looker(clouds_file), partial(read_declared, state / "declared.json")),
        RatesCollector(),
        Targets(),
    ]
    return Schedule(context, collectors, scale)
