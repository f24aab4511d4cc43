"""Which level runs out, and when."""

import datetime as dt
from ipaddress import IPv6Network

import pytest

from gaoling.addressing import plan_city
from gaoling.addressing.country import plan_country
from gaoling.addressing.forecast import forecast, pools
from gaoling.addressing.profile import read_profile
from gaoling.city import read_city
from tests.addressing.samples import LAB, TODAY

PLAN = plan_city(read_city(LAB), today=TODAY)


def level(name: str, parent: str, **growth: float):
    found = forecast(PLAN.book, PLAN.profile, TODAY, growth)
    return next(f for f in found if (f.level, f.parent) == (name, parent))


def test_each_level_says_how_many_its_pools_hold_and_have_given():
    counties = level("county", "root")
    assert (counties.used, counties.pools, counties.fullest.capacity) == (4, 1, 14)
    assert counties.fullest.next == "2001:db8:6000::/36"


def test_the_fullest_pool_decides_when_a_level_runs_out():
    sites = level("site", "county", site=0.1)
    assert (sites.fullest.name, sites.fullest.used, sites.fullest.capacity) == ("360281", 21, 255)
    assert sites.runs_out == dt.date(2053, 2, 2)  # 21 × 1.1^26.2 = 255


def test_without_growth_nothing_runs_out():
    assert level("county", "root").runs_out is None


def test_a_full_level_runs_out_today():
    codes = [f"36020200{n}" for n in range(1, 4)]
    book = plan_country(codes, root=IPv6Network("3fff::/20"), today=TODAY)
    village = [f"360202001{n:03}" for n in range(255)]
    book = plan_country(codes + village, book, today=TODAY)
    first = forecast(book, read_profile("national"), TODAY)[0]
    assert (first.level, first.fullest.name, first.runs_out) == ("village", "360202001", TODAY)
    assert first.fullest.next == ""


def test_the_next_prefix_that_is_promised_is_the_one_that_is_given():
    pool = next(
        p for p in pools(PLAN.book, PLAN.profile) if p.name == "360202" and p.kind == "site"
    )
    city = read_city(LAB)
    town = city.site["360202202"].model_copy(update={"code": "360202900", "device": ""})
    grown = city.model_copy(update={"sites": (*city.sites, town)})
    assert str(plan_city(grown, PLAN.book, TODAY).book["360202/site/360202900"]) == pool.next


def test_what_is_retired_counts_as_used():
    city = read_city(LAB)
    left = city.with_systems(city.systems[1:])
    later = plan_city(left, PLAN.book, TODAY)
    used = {p.prefix: p.used for p in pools(later.book, later.profile) if p.kind == "tenant"}
    assert used == {p.prefix: p.used for p in pools(PLAN.book, PLAN.profile) if p.kind == "tenant"}


@pytest.mark.parametrize("kind", ["region", "tenant", "gateway", "village", "link", "loopback"])
def test_every_level_of_the_profile_is_in_the_forecast(kind: str):
    assert kind in {f.level for f in forecast(PLAN.book, PLAN.profile, TODAY)}
