"""The rates follow what is there: they fall with what falls, by exactly that much, and recover."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gaoling.city import City, Level, Site, read_city
from lab.paths import LabPaths
from lab.supervise import Supervisor
from tests.acceptance.conftest import connection, query, until, value
from tests.conftest import ROOT, gaoling

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.extranet,
    pytest.mark.monitoring,
    pytest.mark.usefixtures("city_at_work"),
]
LEVELS = ("city", "county", "township", "village")


@pytest.fixture(scope="module")
def city() -> City:
    return read_city(ROOT / "inventories" / "lab")


def access(level: str, bound: str = "lower") -> float | None:
    return value(f'gaoling_extranet_access_ratio{{level="{level}",bound="{bound}"}}')


def adoption(bound: str = "lower") -> float | None:
    return value(f'gaoling_cloud_adoption_ratio{{bound="{bound}"}}')


def expected_adoption(city: City) -> float:
    counted = [s for s in city.systems if s.counted]
    return len([s for s in counted if s.has_landing_zone]) / len(counted)


def test_every_landing_zone_answers_and_nothing_else_counts(city: City):
    wanted = pytest.approx(expected_adoption(city))
    until(lambda: adoption() == wanted, 240, "adoption is that of the landing zones")
    assert 0 < expected_adoption(city) < 1


def attached(city: City, level: str) -> float:
    """The share of a level's units that hang on a router: what a healthy extranet measures."""
    counted = [s for s in city.sites if s.level == level and s.counted and s.kind != "unit"]
    return len([s for s in counted if s.device]) / len(counted)


def test_the_access_rate_counts_what_is_attached(city: City):
    for level in LEVELS:
        wanted = pytest.approx(attached(city, level))
        until(lambda at=level, rate=wanted: access(at) == rate, 120, f"{level}: {wanted}")
    assert {attached(city, level) < 1 for level in ("city", "township", "village")} == {True}


def test_the_series_that_the_city_was_promised_are_there():
    for series in (
        'gaoling_systems{rung="answering"}',
        'gaoling_cloud_adoption_ratio{bound="upper"}',
        'sum(gaoling_sites{level="township",rung="reachable"})',
        'gaoling_extranet_access_ratio{level="all",bound="upper"}',
        'gaoling_ipv6_sites_ratio{level="all",bound="upper"}',
        'gaoling_ipv6_systems_ratio{bound="lower"}',
        'gaoling_target_ratio{target="cloud-adoption"}',
        'gaoling_target_deadline_timestamp_seconds{target="extranet-access"}',
        "min(gaoling_collector_success)",
        "max(gaoling_collector_duration_seconds)",
        "min(gaoling_collector_last_success_timestamp_seconds)",
    ):
        assert value(series) is not None, series
    assert value('gaoling_target_ratio{target="cloud-adoption"}') == pytest.approx(0.8)


def test_what_nobody_measures_has_no_series():
    assert query('gaoling_systems{rung="used"}') == {}
    assert query('gaoling_sites{rung="used"}') == {}


def unbehind(city: City) -> Site:
    """Return a township with a router and no village behind it."""
    behind = {s.parent for s in city.sites if s.level is Level.VILLAGE}
    towns = (s for s in reversed(city.sites) if s.level is Level.TOWNSHIP and s.device)
    return next(s for s in towns if s.code not in behind)


@pytest.fixture
def stopped_router(city: City) -> Iterator[str]:
    """A township's router without villages behind it, all its processes stopped."""
    site = unbehind(city)
    keeper = Supervisor(LabPaths("extranet"))
    names = [s.name for s in keeper.status() if s.name.startswith(f"{site.device}.")]
    keeper.stop_wave(names)
    yield site.code
    for name in sorted(names, key=lambda n: not n.endswith(".zebra")):
        if keeper.pid(name) == 0:
            keeper.start(name)


def test_a_stopped_township_router_lowers_its_level_alone(city: City, stopped_router: str):
    towns = len([s for s in city.sites if s.level is Level.TOWNSHIP and s.kind != "unit"])
    before = {level: access(level) for level in LEVELS}
    fallen = pytest.approx(attached(city, "township") - 1 / towns)
    until(lambda: access("township") == fallen, 180, "the township rate falls by one")
    assert access("township", "upper") == fallen, "unreachable lowers both bounds"
    for level in ("city", "county", "village"):
        assert access(level) == before[level], level


def test_and_the_rate_recovers(city: City):
    """A router that came back may stay unheard by ospf6d 8.4 (docs/traps.md): then it is killed,
    which flushes nothing, and supervisord starts it again."""
    wanted = pytest.approx(attached(city, "township"))
    back = unbehind(city)
    for attempt in range(4):
        if attempt:
            os.kill(Supervisor(LabPaths("extranet")).pid(f"{back.device}.ospf6d"), signal.SIGKILL)
        deadline = time.monotonic() + 75
        while time.monotonic() < deadline:
            if access("township") == wanted:
                return
            time.sleep(1)
    pytest.fail(f"{back.device} is not reached again: {access('township')}, expected {wanted}")


@pytest.fixture
def deleted_server(city: City) -> Iterator[str]:
    """The only server of a system, deleted behind Pulumi's back; Pulumi brings it back."""
    system = next(s for s in city.systems if s.has_landing_zone and s.servers == 1)
    cloud = connection()
    (server,) = [
        s for s in cloud.compute.servers(all_projects=True)
        if (s.metadata or {}).get("gaoling_system") == system.id
    ]  # fmt: skip
    cloud.compute.delete_server(server.id, force=True)
    cloud.compute.wait_for_delete(server, wait=120)
    yield system.id
    gaoling("cloud", "refresh", "--region", "primary")
    gaoling("cloud", "up", "--region", "primary", "--yes")


def test_a_server_deleted_behind_pulumis_back_lowers_adoption(city: City, deleted_server: str):
    counted = len([s for s in city.systems if s.counted])
    fallen = pytest.approx(expected_adoption(city) - 1 / counted)
    until(lambda: adoption() == fallen, 240, f"adoption falls by {deleted_server}")


def test_and_pulumi_brings_it_back(city: City):
    wanted = pytest.approx(expected_adoption(city))
    until(lambda: adoption() == wanted, 300, "adoption recovers")


@pytest.fixture
def impostor(city: City) -> Iterator[str]:
    """A server that runs and answers, but as another system."""
    systems = [s for s in city.systems if s.has_landing_zone and s.servers == 1]
    system, other = systems[1], systems[2]
    (server,) = [
        s for s in connection().compute.servers(all_projects=True)
        if (s.metadata or {}).get("gaoling_system") == system.id
    ]  # fmt: skip
    page = next(Path("/var/lib/gaoling/lab/cloud").rglob(f"guests/{server.id}/root/www/index.html"))
    own = page.read_text()
    page.write_text(own.replace(system.id, other.id))
    yield system.id
    page.write_text(own)


def test_an_answer_in_anothers_name_does_not_count(city: City, impostor: str):
    counted = len([s for s in city.systems if s.counted])
    fallen = pytest.approx(expected_adoption(city) - 1 / counted)
    until(lambda: adoption() == fallen, 240, f"{impostor} is not counted")
    assert value('gaoling_systems{rung="reachable"}') is not None


def test_the_recovery_point_is_measured_by_what_arrived(city: City):
    synced = [
        s.id for s in city.systems
        if s.has_landing_zone and s.objects and city.recovery_policy[s.recovery].objects == "sync"
    ]  # fmt: skip
    until(
        lambda: (
            {dict(k)["system"] for k in query("gaoling_recovery_point_age_seconds")} == set(synced)
        ),
        240,
        "a recovery point of every system that syncs",
    )
    assert max(query("gaoling_recovery_point_age_seconds").values()) < 900


def test_status_prints_rates_beside_their_targets():
    done = gaoling("status")
    assert "上云率" in done.stdout
    assert "接入率" in done.stdout
    assert "80" in done.stdout
