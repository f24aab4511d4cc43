"""The guard: what it refuses and in which words."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from gaoling.network.diff import difference
from gaoling.network.guard import Refused, Way, check

RUNNING = """\
frr version 8.4.4
hostname town-1
service integrated-vtysh-config
!
ip route 10.9.0.0/24 10.0.2.1
!
interface ge0
 ip address 10.0.0.1/31
 ip ospf area 0.0.0.1
exit
!
interface ge1
 ip address 10.0.1.1/31
 ip ospf area 0.0.0.1
exit
!
interface lo
 ip address 10.255.1.11/32
 ip ospf area 0.0.0.1
exit
!
router ospf
 ospf router-id 10.255.1.11
 redistribute static
exit
!
end
"""
WAY = Way("town-1", IPv4Address("10.255.1.11"), ("ge0",))
LO, GE0, OSPF = ("interface lo",), ("interface ge0",), ("router ospf",)


def test_an_addition_is_a_normal_risk():
    patch = [(*GE0, "ipv6 address 2001:db8::1/127"), (*GE0, "no ipv6 nd suppress-ra")]
    assert check(RUNNING, patch, WAY).level == "normal"


@pytest.mark.parametrize(
    ("command", "taken"),
    [
        ((*LO, "no ip address 10.255.1.11/32"), "the management address 10.255.1.11"),
        (("no interface lo",), "the management address 10.255.1.11"),
        ((*GE0, "no ip address 10.0.0.1/31"),
         "the address of the interface that we came through (interface ge0)"),
        ((*GE0, "no ip ospf area 0.0.0.1"), "the adjacency that we came through (interface ge0)"),
        ((*GE0, "no ip ospf area"), "the adjacency that we came through (interface ge0)"),
        (("no router ospf",), "the routing that we came through (router ospf)"),
        (("no service integrated-vtysh-config",), "the access to the device"),
    ],
)  # fmt: skip
def test_what_carries_us_is_never_taken_away(command, taken):
    harmless = (*GE0, "ipv6 address 2001:db8::1/127")
    with pytest.raises(Refused) as caught:
        check(RUNNING, [harmless, command], WAY, allow_deletions=True)
    said = f"town-1: step 2 of 2, `{' / '.join(command)}`"
    assert str(caught.value) == f"{said} takes away {taken}: refused"


def test_not_even_for_a_moment():
    """Taken away and put back: the end is the same, the way there cuts us off."""
    patch = [(*LO, "no ip address 10.255.1.11/32"), (*LO, "ip address 10.255.1.11/32")]
    with pytest.raises(Refused, match="step 1 of 2"):
        check(RUNNING, patch, WAY, allow_deletions=True)


def test_another_spelling_of_it_is_it():
    with pytest.raises(Refused, match="the adjacency"):
        check(RUNNING, [(*GE0, "no ip ospf area 1")], WAY, allow_deletions=True)


def test_shutdown_of_our_interface():
    with pytest.raises(Refused) as caught:
        check(RUNNING, [(*GE0, "shutdown")], WAY)
    assert str(caught.value) == (
        "town-1: step 1 of 1, `interface ge0 / shutdown` shuts the interface that we came "
        "through: refused"
    )


def test_deletions_must_be_allowed_and_stay_high_risk():
    patch = [(*OSPF, "no redistribute static"), (*OSPF, "redistribute static")]
    with pytest.raises(Refused) as caught:
        check(RUNNING, patch, WAY)
    assert str(caught.value) == (
        "town-1: the patch deletes 1 lines, the first is `router ospf / redistribute static`; "
        "deletions are high risk: refused unless they are allowed"
    )
    assert check(RUNNING, patch, WAY, allow_deletions=True).level == "high"


def test_a_village_keeps_the_route_that_we_came_by():
    running = (
        "ip route 0.0.0.0/0 10.0.0.0\ninterface ge0\n ip address 10.0.0.1/31\nexit\n"
        "interface lo\n ip address 10.255.1.11/32\nexit\n"
    )
    with pytest.raises(Refused, match="the route that we came through"):
        check(running, [("no ip route 0.0.0.0/0 10.0.0.0",)], WAY, allow_deletions=True)


def test_without_a_management_address_nothing_is_known():
    with pytest.raises(Refused, match=r"found no management address 10\.255\.1\.11"):
        check("interface lo\n ip address 10.255.1.12/32\n", [], WAY)


def test_a_readdressed_neighbour_would_be_a_deletion_and_is_none_by_value():
    other = RUNNING.replace("10.9.0.0/24 10.0.2.1", "10.9.0.0/24   10.0.2.1")
    assert not difference(RUNNING, other)
