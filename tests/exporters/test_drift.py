"""What the collector of drift makes of a probe, whole and broken."""

from __future__ import annotations

import pytest

from exporters.drift import Drift
from gaoling.cloud.drift_declared import DeclaredError, read
from tests.cloud.drift_world import World as DriftWorld
from tests.cloud.drift_world import rule


@pytest.fixture
def cloud(world):
    """The cloud of a city of one system, and the exporters' context for that city."""
    found = DriftWorld()
    world.context.city = found.city
    return found


def series(result):
    return {
        (s.labels["region"], s.labels["system"], s.labels["kind"]): s.value
        for s in result.samples
        if s.name == "gaoling_cloud_drift"
    }


def test_no_drift_is_zeros_for_everything_that_was_looked_at(world, cloud):
    result = world.collect(cloud.collector())
    found = series(result)
    assert len(found) == 2 * 2 * 4  # regions, health and what is of no system, kinds
    assert set(found.values()) == {0}
    assert (result.covered, result.wanted, result.wrong) == (25, 25, [])


def test_findings_are_counted_by_region_system_and_kind(world, cloud):
    cloud.primary.rules += [rule("r2"), rule("r3")]
    cloud.dr.quotas["network"] = []
    found = series(world.collect(cloud.collector()))
    assert {k: v for k, v in found.items() if v} == {
        ("primary", "health", "foreign"): 2,
        ("dr", "health", "missing"): 1,
    }


def test_a_region_that_is_silent_has_no_series_and_the_other_has(world, cloud):
    cloud.dr.broken = {"all"}
    result = world.collect(cloud.collector())
    assert {region for region, _, _ in series(result)} == {"primary"}
    assert result.wrong == ["dr: ConnectionError: token: no answer"]
    assert (result.covered, result.wanted) == (15, 25)


def test_the_time_of_what_is_declared_is_told(world, cloud):
    result = world.collect(cloud.collector())
    (one,) = [s for s in result.samples if s.name == "gaoling_cloud_declared_timestamp_seconds"]
    assert one.value == cloud.declared.at


def test_without_what_the_stacks_hold_nothing_is_said(world, cloud, tmp_path):
    collector = Drift(lambda *_: pytest.fail("the cloud was asked"), lambda: read(tmp_path / "no"))
    with pytest.raises(DeclaredError, match="expected what the stacks hold"):
        world.collect(collector)
