"""The collector of capacity: right units, nothing made up, a region that is silent is absent."""

from __future__ import annotations

import dataclasses

import pytest

from exporters.capacity import Capacity, samples
from gaoling.cloud.capacity import Observed

GIB = 1 << 30


def series(result, name, **labels):
    found = [
        s.value for s in result.samples if s.name == name and s.labels.items() >= labels.items()
    ]
    return found[0] if len(found) == 1 else found


def test_what_a_region_has_less_what_is_used_and_kept_is_free(world):
    result = world.collect(world.capacity())
    assert (result.covered, result.wanted, result.wrong) == (2, 2, [])
    for unit, which in (("cores", {}), *(("bytes", {"resource": r})
                                         for r in ("memory", "root_disk", "volume"))):  # fmt: skip
        for region in ("primary", "dr"):
            at = {"region": region, **which}
            kept = series(result, f"gaoling_capacity_reserved_{unit}", **at)
            total, used, free = (
                series(result, f"gaoling_capacity_{name}{unit}", **at)
                for name in ("", "used_", "free_")
            )
            assert len(kept) == 3
            assert free == total - used - sum(kept)


def test_units_are_cores_and_bytes(world):
    result = world.collect(world.capacity())
    dr = {"region": "dr"}
    assert series(result, "gaoling_capacity_cores", **dr) == 128
    assert series(result, "gaoling_capacity_reserved_cores", reason="host_loss", **dr) == 64
    assert series(result, "gaoling_capacity_reserved_cores", reason="failover", **dr) == 6
    assert series(result, "gaoling_capacity_bytes", resource="memory", **dr) == 512 * GIB
    assert series(result, "gaoling_capacity_bytes", resource="root_disk", **dr) == 360 * GIB
    assert series(result, "gaoling_capacity_used_bytes", resource="volume", **dr) == 7 * GIB
    assert [series(result, "gaoling_capacity_hosts", state=s, **dr)
            for s in ("up", "down", "disabled")] == [2, 0, 1]  # fmt: skip


def test_without_history_nobody_says_how_long_it_lasts(world):
    assert series(world.collect(world.capacity()), "gaoling_capacity_left_seconds") == []


def test_with_history_time_left_is_said_in_seconds(world):
    world.grow()
    result = world.collect(world.capacity())
    # 64 without a host, 14 used, 6 kept, 1 to be made, 4 planned and overdue: 39 left, 0.5 a day
    assert series(result, "gaoling_capacity_left_seconds") == 79 * 86400
    assert series(result, "gaoling_capacity_history_samples", region="dr", resource="cores") == 25


def test_a_region_that_is_silent_has_no_series_and_the_other_has_all(world):
    world.dr.down = True
    result = world.collect(world.capacity())
    assert result.wrong == ["dr: identity: ConnectFailure: no answer"]
    assert (result.covered, result.wanted) == (1, 2)
    assert {s.labels["region"] for s in result.samples if "region" in s.labels} == {"primary"}


def test_a_part_that_is_silent_has_no_series(world):
    half = Observed("dr", pools=(), wrong=("dr: cinder: HttpException: 503",))

    def ask(city, region):
        return dataclasses.replace(half, region=region)

    result = world.collect(Capacity(ask, world.history))
    assert result.covered == 0
    assert not [s for s in result.samples if s.name.endswith(("cores", "bytes", "_hosts"))
               ]  # fmt: skip
    assert not world.history.exists()


def test_a_sample_a_day_is_kept(world):
    for _ in range(3):
        world.collect(world.capacity())
    assert len(world.history.read_text().splitlines()) == 2  # a region each


def test_every_sample_is_of_the_table(world):
    from exporters.families import HELP

    names = {s.name for s in world.collect(world.capacity()).samples}
    assert names <= HELP.keys()
    assert samples.__doc__


@pytest.mark.parametrize("text", ["spare: 1\n"])
def test_a_fault_of_capacity_yaml_is_a_failed_collection(world, tmp_path, text):
    from gaoling.city import RegisterError

    (tmp_path / "capacity.yaml").write_text(text)
    context = dataclasses.replace(
        world.context, city=world.context.city.model_copy(update={"directory": tmp_path})
    )
    with pytest.raises(RegisterError, match="no such field"):
        world.capacity().collect(context)
