"""Waves: everybody once, never both of two that stand in for each other."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from gaoling.city import Role, read_city
from gaoling.network.intent import changeable
from gaoling.network.waves import twins, waves

ROOT = Path(__file__).resolve().parents[2] / "inventories"


@pytest.fixture(params=["lab", "jingdezhen"])
def any_city(request):
    return read_city(ROOT / request.param)


def test_everybody_once(any_city):
    found = [name for wave in waves(any_city) for name in wave]
    assert sorted(found) == sorted(d.name for d in changeable(any_city))


def test_never_both_redundant_paths_at_once(any_city):
    for wave in waves(any_city):
        for a, b in combinations(wave, 2):
            assert not twins(any_city, any_city.device[a], any_city.device[b]), (a, b)


def test_pairs_are_known(city):
    def pair(a, b):
        return twins(city, city.device[a], city.device[b])

    assert pair("core-1", "core-2")
    assert pair("agg-1", "agg-2")
    assert pair("county-360222-r1", "county-360222-r2")
    assert not pair("county-360222-r1", "county-360203-r2")
    assert not pair("core-1", "agg-2")


def test_the_canary_is_one_township_and_what_its_adjacency_needs(city):
    roles = [city.device[n].role for n in waves(city)[0]]
    assert roles.count(Role.TOWNSHIP) == 1
    assert roles.count(Role.COUNTY) == 1
    assert set(roles) <= {Role.TOWNSHIP, Role.COUNTY, Role.VILLAGE}


def test_a_village_goes_with_its_township(city):
    number = {n: w for w, names in enumerate(waves(city)) for n in names}
    for link in city.links:
        if link.protocol == "static":
            assert number[link.a_device] == number[link.b_device]


def test_the_province_is_not_ours(city):
    assert "province-1" not in [n for wave in waves(city) for n in wave]


def test_same_city_same_waves(city):
    assert waves(city) == waves(read_city(ROOT / "lab"))
