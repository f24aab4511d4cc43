"""Whole configurations of one router of each role, as reviewed snapshots.

After a change that is meant: `GAOLING_WRITE_GOLDEN=1 pytest tests/network/test_render.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gaoling.network.intent import changeable, intent_of
from gaoling.network.render import Unsupported, render

GOLDEN = Path(__file__).parent / "golden"
ONE_OF_EACH = {
    "core": "core-1",
    "aggregation": "agg-1",
    "border": "border-1",
    "leaf": "dc1-leaf",
    "county": "county-360203-r1",
    "township": "town-360222100",
    "village": "village-360222100201",
    "peer": "province-1",
}


@pytest.mark.parametrize("role", ONE_OF_EACH)
@pytest.mark.parametrize("families", [(4,), (4, 6)], ids=["ipv4", "dual"])
def test_golden(plan, role, families):
    text = render(plan, ONE_OF_EACH[role], families)
    path = GOLDEN / f"{role}.{'dual' if 6 in families else 'ipv4'}.conf"
    if os.environ.get("GAOLING_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_every_role_of_the_register_has_a_golden_file(city):
    assert {d.role for d in city.devices if d.routes} == set(ONE_OF_EACH)


def test_ipv4_alone_says_nothing_of_ipv6(plan, city):
    for device in changeable(city):
        assert "ipv6" not in render(plan, device.name, (4,))


def test_dual_stack_keeps_every_line_of_ipv4(plan, city):
    for device in changeable(city):
        old = render(plan, device.name, (4,)).splitlines()
        new = render(plan, device.name).splitlines()
        assert [x for x in old if x not in new] == []


def test_ospfv3_has_one_area(plan, city):
    for device in changeable(city):
        for line in render(plan, device.name).splitlines():
            if "ospf6 area" in line:
                assert line.split()[-1] == "0.0.0.0"


def test_daemons_are_those_that_the_configuration_needs(plan):
    assert intent_of(plan, "village-360222100201").daemons == ("zebra", "staticd")
    assert intent_of(plan, "core-1").daemons == ("zebra", "ospfd", "ospf6d")
    assert "bgpd" in intent_of(plan, "border-1").daemons


def test_another_platform_is_refused_by_name(city, plan):
    devices = [
        d.model_copy(update={"platform": "huawei_vrp"}) if d.name == "core-1" else d
        for d in city.devices
    ]
    other = type(plan)(city.model_copy(update={"devices": tuple(devices)}))
    with pytest.raises(Unsupported) as caught:
        render(other, "core-1")
    assert str(caught.value) == (
        "core-1: found platform 'huawei_vrp', expected one with an engine: frr"
    )
