"""Reading what frr-reload.py says, and what a router must have."""

from __future__ import annotations

import pytest

from gaoling.network.diff import difference, meaning
from gaoling.network.engine_frr import EngineError, additions, read_plan
from gaoling.network.intent import changeable
from gaoling.network.render import render
from gaoling.network.verify import expect, full

PLAN = """
Lines To Delete
===============
no router ospf6
interface ge0
 no ipv6 ospf6 area 0.0.0.0
router bgp 65010
 address-family ipv6 unicast
  no network 2001:db8::/32\x20

Lines To Add
============
router ospf6
router ospf6
 ospf6 router-id 10.255.0.1
"""


def test_commands_stand_under_their_contexts():
    patch = read_plan(PLAN)
    assert patch.commands == (
        ("no router ospf6",),
        ("interface ge0", "no ipv6 ospf6 area 0.0.0.0"),
        ("router bgp 65010", "address-family ipv6 unicast", "no network 2001:db8::/32"),
        ("router ospf6",),
        ("router ospf6", "ospf6 router-id 10.255.0.1"),
    )
    assert (
        patch.text
        == """\
no router ospf6
interface ge0
 no ipv6 ospf6 area 0.0.0.0
exit
router bgp 65010
 address-family ipv6 unicast
  no network 2001:db8::/32
exit
exit
router ospf6
router ospf6
 ospf6 router-id 10.255.0.1
"""
    )
    assert len(patch.digest) == 64


def test_nothing_to_do_is_an_empty_patch():
    assert read_plan("\n").commands == ()


def test_an_error_is_not_a_command():
    with pytest.raises(EngineError, match="Traceback"):
        read_plan("Traceback (most recent call last):\n  File\n")


def test_the_way_to_dual_stack_only_adds(plan):
    """So frr-reload.py is not asked; the patch says what the diff says, and leads to the target."""
    for device in (d.name for d in changeable(plan.city)):
        here, there = render(plan, device, {4}), render(plan, device, {4, 6})
        patch = additions(difference(here, there))
        assert patch is not None, device
        assert set(patch.commands) == set(difference(here, there).added), device
        assert meaning(here + patch.text) == meaning(there), device


def test_ospf_has_its_name_before_it_speaks_and_speaks_last(plan):
    patch = additions(difference(render(plan, "core-1", {4}), render(plan, "core-1", {4, 6})))
    words = [line[-1].split("0.0.0")[0].strip() for line in patch.commands]
    first, last = words.index("ipv6 ospf6 area"), len(words)
    assert words[0] == "router ospf6"
    assert set(words[first:last]) == {"ipv6 ospf6 area"}


def test_what_takes_away_or_replaces_is_not_ours_to_order():
    here = "interface ge0\n description a\n"
    assert additions(difference(here, "interface ge0\n description b\n")) is None
    assert additions(difference(here, "")) is None
    assert additions(difference(here, here)) is None


def test_expected_adjacencies_need_both_ends(plan):
    alone = expect(plan, "core-1", {"core-1"})
    assert alone.adjacencies == frozenset()
    both = expect(plan, "core-1", {"core-1", "core-2"})
    assert both.adjacencies == {("ge0", "10.255.0.2")}
    assert not both.reached_by_noc
    assert expect(plan, "core-1", {"core-1", "dc1-leaf"}).reached_by_noc


def test_a_villages_prefixes_come_by_its_township(plan):
    found = expect(plan, "core-1", {d.name for d in plan.city.devices})
    village = next(s for s in plan.city.sites if s.code == "360222100201")
    assert plan.village_block(village.code) in found.routes


def test_routes_beyond_a_gap_are_not_expected(plan):
    found = expect(plan, "core-1", {"core-1", "town-360222100"})
    assert all("2001:db8:ffff" in str(p) for p in found.routes)
    assert len(found.routes) == 1


def test_full_adjacencies_of_both_protocols():
    there = [{"nbrState": "Full/-", "ifaceName": "ge0:10.0.0.1"}]
    coming = [{"nbrState": "Init/-", "ifaceName": "ge1:10.0.0.3"}]
    four = {"neighbors": {"10.255.0.2": there, "10.255.0.3": coming}}
    assert full(four, 4) == {("ge0", "10.255.0.2")}
    six = {"neighbors": [{"neighborId": "10.255.0.2", "state": "Full", "interfaceName": "ge0"}]}
    assert full(six, 6) == {("ge0", "10.255.0.2")}
