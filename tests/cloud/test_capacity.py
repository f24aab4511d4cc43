"""What a region holds, keeps and lacks: the figures, the forecast and the order."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaoling.city import read_city
from gaoling.cloud import capacity_order as ordering
from gaoling.cloud.capacity import (
    Aggregate,
    Figures,
    Host,
    Inventory,
    Observed,
    aggregates,
    declared,
    failover,
    measure,
    pending,
)
from gaoling.cloud.capacity_history import History
from gaoling.cloud.capacity_report import assess
from gaoling.cloud.capacity_settings import COMPUTE, RESOURCES, Kind, Planning, read_planning
from gaoling.cloud.forecast import Step, days_left, growth, planned, taken, theil_sen

ROOT = Path(__file__).resolve().parents[2]
LAB = read_city(ROOT / "inventories/lab")
REAL = read_city(ROOT / "inventories/jingdezhen")
TODAY = dt.date(2026, 11, 25)

# ---------------------------------------------------------------------- strategies
amounts = st.floats(0, 1e5, allow_nan=False)
inventories = st.builds(
    Inventory, total=amounts, reserved=st.floats(0, 100), ratio=st.floats(0.1, 16), used=amounts
)
hosts = st.builds(
    Host, name=st.text("abc", min_size=1, max_size=3),
    inventories=st.fixed_dictionaries(dict.fromkeys(COMPUTE, inventories)),
    enabled=st.booleans(), up=st.booleans(),
)  # fmt: skip
regions = st.lists(hosts, max_size=6).map(lambda found: Observed("primary", tuple(found)))
plannings = st.builds(
    Planning, headroom=st.floats(0, 0.6), horizon_days=st.integers(1, 60),
    batch_days=st.integers(0, 40),
    kinds=st.just((Kind(id="big", name="大", vcpus=64, memory_gb=256, disk_gb=900, lead_days=20),)),
)  # fmt: skip
steps = st.lists(
    st.builds(
        Step, system=st.just("x"),
        day=st.one_of(st.none(), st.dates(TODAY - dt.timedelta(9), TODAY + dt.timedelta(90))),
        amounts=st.fixed_dictionaries({name: st.floats(0, 5000) for name in COMPUTE}),
    ), max_size=5,
)  # fmt: skip
slopes = st.fixed_dictionaries({name: st.one_of(st.none(), st.floats(-50, 50)) for name in COMPUTE})


def figures_of(observed, planning, kept=0.0, waiting=0.0):
    return [
        Figures(observed.region, name, observed.total(name), observed.host_loss(name),
                observed.used(name), kept, waiting, planning.headroom)
        for name in COMPUTE if observed.knows(name)
    ]  # fmt: skip


def host(name, cores, used=0.0, **more):
    return Host(name, {"vcpus": Inventory(cores, used=used)}, **more)


# ---------------------------------------------------------------------- N+1
def test_effective_is_what_placement_promises():
    assert Inventory(total=64, reserved=4, ratio=16.0).effective == 960
    assert Inventory(total=2, reserved=4, ratio=16.0).effective == 0


def test_nothing_is_left_without_the_only_host():
    (found,) = figures_of(Observed("primary", (host("a", 64, used=3),)), Planning())
    assert (found.total, found.usable, found.free) == (64, 0, -3)


def test_the_largest_host_is_taken_away():
    (found,) = figures_of(Observed("primary", (host("a", 64), host("b", 96))), Planning())
    assert (found.total, found.host_loss, found.usable) == (160, 96, 64)


def test_hosts_that_are_down_use_the_reserve_and_are_not_taken_away_twice():
    three = (host("a", 64, up=False), host("b", 96), host("c", 64))
    assert Observed("r", three).host_loss("vcpus") == 96
    assert Observed("r", (*three, host("d", 64, up=False))).host_loss("vcpus") == 128


def test_a_disabled_host_offers_nothing_and_its_servers_still_need_a_place():
    seen = Observed("r", (host("a", 64), host("b", 64), host("c", 64, used=5, enabled=False)))
    assert (seen.total("vcpus"), seen.used("vcpus")) == (128, 5)


def test_storage_has_its_own_redundancy():
    pool = Host("files", {"volume_gb": Inventory(100, used=10)})
    seen = Observed("r", pools=(pool,))
    assert (seen.total("volume_gb"), seen.host_loss("volume_gb")) == (100, 0)


@given(regions, hosts)
def test_another_host_never_lowers_what_is_free(seen, more):
    more = Host(more.name, {n: Inventory(i.total, i.reserved, i.ratio)
                            for n, i in more.inventories.items()}, more.enabled)  # fmt: skip
    after = Observed(seen.region, (*seen.hosts, more))
    for before in figures_of(seen, Planning()):
        (new,) = [f for f in figures_of(after, Planning()) if f.resource == before.resource]
        assert new.free >= before.free - 1e-6


@given(regions)
def test_what_is_usable_is_never_more_than_all_and_never_less_than_nothing(seen):
    for found in figures_of(seen, Planning()):
        assert -1e-6 <= found.usable <= found.total


# ---------------------------------------------------------------------- demand and reservation
def test_a_copy_of_objects_is_kept_for_with_servers_and_a_warm_standby_is_not():
    license_ = LAB.system["e-license"]  # objects: a network in dr, two servers at home
    assert failover(LAB, "dr", license_, 1) == {
        "vcpus": 2, "memory_gb": 2, "disk_gb": 2, "volume_gb": 4
    }  # fmt: skip
    window = LAB.system["one-window"]  # warm standby: it runs in dr already
    assert set(failover(LAB, "dr", window, 1).values()) == {0}
    assert set(failover(LAB, "primary", license_, 1).values()) == {0}
    assert set(failover(LAB, "dr", LAB.system["open-data"], 1).values()) == {0}  # no policy


def test_a_retired_system_comes_over_with_its_data_alone():
    retired = LAB.system["e-license"].model_copy(update={"state": "retired"})
    assert failover(LAB, "dr", retired, 1) == {
        "vcpus": 0, "memory_gb": 0, "disk_gb": 0, "volume_gb": 4
    }  # fmt: skip


def test_what_runs_is_pending_no_longer_and_one_projects_surplus_is_no_others():
    all_of_it = pending(LAB, Observed("primary"), 1)
    assert all_of_it == {"vcpus": 9, "memory_gb": 9, "disk_gb": 9, "volume_gb": 7}
    held = {"lab-e-license": {"vcpus": 2, "memory_gb": 2, "disk_gb": 2, "volume_gb": 4}}
    assert pending(LAB, Observed("primary", provisioned=held), 1) == {
        "vcpus": 7, "memory_gb": 7, "disk_gb": 7, "volume_gb": 3
    }  # fmt: skip
    surplus = {"lab-open-data": {"vcpus": 99}}
    assert pending(LAB, Observed("primary", provisioned=surplus), 1)["vcpus"] == 8


@given(st.sampled_from([s.id for s in LAB.systems if s.has_landing_zone]), st.integers(1, 20))
def test_more_is_asked_and_kept_when_a_system_grows(system, more):
    def grown(found):
        servers = found.servers + more
        return found.model_copy(update={"servers": servers}) if found.id == system else found

    larger = LAB.with_systems(grown(s) for s in LAB.systems)
    for region in ("primary", "dr"):
        pool = Host("p", {name: Inventory(1000) for name in RESOURCES})
        seen = Observed(region, pools=(pool,))
        before = {f.resource: f for f in measure(LAB, seen, Planning())}
        for after in measure(larger, seen, Planning()):
            assert after.taken >= before[after.resource].taken
    assert (
        pending(larger, Observed("primary"), 1)["vcpus"]
        > pending(LAB, Observed("primary"), 1)["vcpus"]
    )


def test_the_real_city_fits_in_what_its_provider_declares():
    seen = declared(REAL, "dr")
    found = {f.resource: f for f in measure(REAL, seen, Planning())}
    assert "disk_gb" not in found  # no provider speaks of it
    assert (found["vcpus"].failover, found["vcpus"].free) == (192, 64)
    assert all(f.assumed for f in found.values())


# ---------------------------------------------------------------------- forecast
def test_theil_sen_of_a_line_with_wild_days():
    points = [(float(x), 3.0 * x + 7) for x in range(20)]
    points[4], points[11], points[17] = (4.0, 900.0), (11.0, 0.0), (17.0, 4000.0)
    assert theil_sen(points) == pytest.approx(3.0)


def test_theil_sen_of_one_day_is_none():
    with pytest.raises(ValueError, match="expected at least two points with different x"):
        theil_sen([(1.0, 2.0), (1.0, 3.0)])


@given(st.floats(-100, 100), st.floats(0, 1000), st.integers(2, 40))
def test_theil_sen_finds_any_line(slope, start, count):
    points = [(float(x), start + slope * x) for x in range(count)]
    assert theil_sen(points) == pytest.approx(slope, abs=1e-6)


def samples(count, slope=2.0, last=TODAY):
    return {last - dt.timedelta(n): 100.0 - slope * n for n in range(count)}


def test_too_few_days_are_no_forecast():
    assert growth(samples(13), TODAY, 14) is None
    assert growth(samples(14), TODAY, 14) == pytest.approx(2.0)
    assert growth(samples(20), TODAY - dt.timedelta(10), 14) is None  # 10 days were known then


def figure(usable=100.0, used=40.0, headroom=0.2):
    return Figures("primary", "vcpus", usable, 0.0, used, 0.0, 0.0, headroom)


def test_days_left_by_growth():
    left = days_left(figure(), 2.0, [], TODAY)
    assert (left.days, left.reason) == (31, "trend")  # on day 30 it is full, on day 31 too full


def test_days_left_by_a_planned_system_before_growth_does_it():
    step = Step("city-brain", TODAY + dt.timedelta(10), {"vcpus": 70.0})
    assert days_left(figure(), 0.1, [step], TODAY).days == 10
    assert days_left(figure(), 0.1, [step], TODAY).reason == "planned"
    assert days_left(figure(), None, [step], TODAY).days == 10


def test_a_deadline_that_has_passed_is_there_now():
    step = Step("city-brain", dt.date(2024, 12, 31), {"vcpus": 70.0})
    assert (days_left(figure(), None, [step], TODAY).days) == 0
    assert days_left(figure(), None, [step], TODAY).reason == "planned"


def test_unknown_growth_is_unknown_and_no_growth_is_far():
    assert (days_left(figure(), None, [], TODAY).days) is None
    assert days_left(figure(), None, [], TODAY).reason == "unknown"
    assert days_left(figure(), -3.0, [], TODAY).reason == "far"
    assert days_left(figure(used=101), None, [], TODAY).reason == "now"


def test_what_is_planned_is_in_both_regions_by_its_deadline():
    (step,) = planned(LAB, "primary")
    assert (step.system, step.day) == ("city-brain", dt.date(2024, 12, 31))
    assert step.amounts == {"vcpus": 4, "memory_gb": 8, "disk_gb": 2, "volume_gb": 200}
    (kept,) = planned(LAB, "dr")
    assert kept.amounts == step.amounts  # objects alone are copied: all of it is kept there


# ---------------------------------------------------------------------- the order
def grown(seen, resource, kind, count):
    """Return what is there without the largest host, or those that are down, once more came."""
    enabled = [h for h in seen.hosts if h.enabled]
    old = [h.inventories[resource].effective for h in enabled]
    down = sum(h.inventories[resource].effective for h in enabled if not h.up)
    new = [kind.effective()[resource]] * count
    return sum(old) + sum(new) - max([0.0, down, *old, *new[:1]])


def test_a_new_host_that_is_the_largest_is_the_one_that_may_fail():
    seen = Observed("primary", (host("a", 10), host("b", 10)))
    planning = Planning(headroom=0.0, kinds=(Kind(id="big", name="大", vcpus=64, memory_gb=1),))
    found = figures_of(seen, planning, kept=30.0)
    (line,) = ordering.order(found, seen, planning, {}, [], TODAY).lines
    assert line.count == 2  # one would leave 20 when it fails


@given(regions, plannings, steps, slopes)
def test_the_order_makes_every_shortage_of_the_horizon_vanish(seen, planning, coming, growing):
    found = figures_of(seen, planning, kept=10.0, waiting=5.0)
    order = ordering.order(found, seen, planning, growing, coming, TODAY)
    assert order.impossible == ()
    kind = planning.kinds[0]
    for number in range(planning.horizon_days + 1):
        day = TODAY + dt.timedelta(number)
        come = sum(line.count for line in order.lines if line.needed_by <= day)
        for each in found:
            there = grown(seen, each.resource, kind, come)
            wanted = taken(each, growing[each.resource], coming, day, TODAY)
            assert there * (1 - planning.headroom) >= wanted - 1e-3
    assert all(line.count > 0 for line in order.lines)


@given(regions, plannings, steps, slopes)
def test_one_host_less_than_ordered_is_not_enough(seen, planning, coming, growing):
    found = figures_of(seen, planning)
    order = ordering.order(found, seen, planning, growing, coming, TODAY)
    if order.lines:
        kind = planning.kinds[0]
        last = TODAY + dt.timedelta(planning.horizon_days)
        end = {f.resource: taken(f, growing[f.resource], coming, last, TODAY) for f in found}
        count = sum(line.count for line in order.lines)
        assert ordering.enough(found, seen, kind, count, end)
        assert not ordering.enough(found, seen, kind, count - 1, end)


def test_a_region_with_one_host_orders_the_second():
    seen = Observed("primary", (host("a", 64, used=10),))
    planning = Planning(headroom=0.2, batch_days=0)
    found = figures_of(seen, planning)
    kind = Kind(id="same", name="同", vcpus=64, memory_gb=1, lead_days=30)
    order = ordering.order(
        found, seen, planning.model_copy(update={"kinds": (kind,)}), {}, [], TODAY
    )
    (line,) = order.lines
    assert (line.count, line.needed_by, line.because) == (1, TODAY, ("vcpus",))
    assert line.place_by == TODAY - dt.timedelta(30)
    assert order.needed(TODAY)


def test_what_is_needed_later_than_its_lead_time_is_not_urgent():
    two = tuple(
        Host(n, {"vcpus": Inventory(100), "memory_gb": Inventory(900), "disk_gb": Inventory(900)})
        for n in "ab"
    )
    seen = Observed("primary", two)
    planning = Planning(headroom=0.2, batch_days=30)
    step = Step("x", TODAY + dt.timedelta(200), {"vcpus": 81.0})
    order = ordering.order(figures_of(seen, planning), seen, planning, {}, [step], TODAY)
    (line,) = order.lines
    assert (line.kind.id, line.kind.name, line.count) == ("as-there", "同 b", 1)
    assert line.needed_by == TODAY + dt.timedelta(200)
    assert not order.needed(TODAY)
    assert order.needed(TODAY + dt.timedelta(110))  # 90 days before


def test_the_kind_of_which_the_fewest_are_enough_is_ordered():
    small = Kind(id="small", name="小", vcpus=16, memory_gb=1)
    large = Kind(id="large", name="大", vcpus=64, memory_gb=1)
    seen = Observed("primary", (host("a", 64, used=60),))
    planning = Planning(headroom=0.0, kinds=(small, large))
    (line,) = ordering.order(figures_of(seen, planning), seen, planning, {}, [], TODAY).lines
    assert (line.kind.id, line.count) == ("large", 1)


def test_what_no_kind_can_mend_is_said():
    pool = Host("p", {"volume_gb": Inventory(10, used=10)})
    seen = Observed("dr", pools=(pool,), measured=False)
    short = [Figures("dr", "volume_gb", 10, 0, 10, 0, 0, 0.2)]
    order = ordering.order(short, seen, Planning(), {}, [], TODAY)
    assert order.impossible == (
        "dr: volume_gb: no kind of host is known, expected kinds in capacity.yaml",
    )
    assert order.needed(TODAY)


# ---------------------------------------------------------------------- report, aggregates
def test_a_later_day_is_seen_with_the_growth_until_then():
    history = History({("primary", "vcpus"): samples(20)})
    seen = Observed("primary", (host("a", 900, used=100), host("b", 900)))
    later = TODAY + dt.timedelta(50)
    now, then = (assess(LAB, seen, Planning(), history, TODAY, day) for day in (TODAY, later))
    assert [r.figures[0].used for r in (now, then)] == [100, pytest.approx(200)]
    assert now.left["vcpus"].days - then.left["vcpus"].days == 50


def test_a_report_says_what_is_assumed_and_what_is_not_measured():
    told = assess(LAB, declared(LAB, "primary"), Planning(), History(), TODAY).as_json()
    (first, *_) = told["resources"]
    assert (first["used"], first["growth_per_day"], first["basis"]) == (None, None, "assumed")
    assert (told["measured"], told["fits"]) == (False, False)


def test_aggregates_are_the_declared_hosts_by_kind():
    planning = read_planning(LAB)
    assert aggregates(planning, "primary") == (Aggregate("general", "", ("primary-cmp1",)),)
    assert aggregates(Planning(), "primary") == ()


def test_kinds_may_share_an_aggregate_and_a_host_is_in_that_of_its_kind():
    def kind(name, **more):
        return Kind(id=name, name=name, vcpus=8, memory_gb=8, **more)

    kinds = (kind("old", aggregate="general", zone="az1"), kind("new", aggregate="general"),
             kind("fast", aggregate="fast"), kind("loose"))  # fmt: skip
    hosts = [("h2", "new"), ("h1", "old"), ("h3", "loose"), ("h4", "fast")]
    planning = Planning.model_validate(
        {"kinds": kinds,
         "hosts": [{"name": n, "region": "dr", "kind": k} for n, k in hosts]}
    )  # fmt: skip
    assert aggregates(planning, "dr") == (
        Aggregate("fast", "", ("h4",)), Aggregate("general", "az1", ("h1", "h2"))
    )  # fmt: skip
    assert aggregates(planning, "primary") == ()
