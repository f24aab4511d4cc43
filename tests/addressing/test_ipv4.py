"""IPv4: what exists is taken from the register and stays where it is."""

from ipaddress import IPv4Address, collapse_addresses

import pytest

from gaoling.addressing import plan_city
from gaoling.addressing.ipv4 import explain4, free4, uses
from gaoling.city import read_city
from tests.addressing.samples import LAB

CITY = read_city(LAB)
PLAN = plan_city(CITY)


def test_everything_that_the_register_names_is_in_the_plan():
    found = uses(CITY)
    assert len([u for u in found if u.use == "link"]) == len(CITY.links)
    assert len([u for u in found if u.use == "management"]) == len(CITY.devices)
    assert {u.owner for u in found if u.use == "lan"} == {s.code for s in CITY.sites if s.ipv4}


@pytest.mark.parametrize(
    ("address", "owners"),
    [
        ("10.11.1.1", [("lan", "360202001")]),
        ("10.254.0.1", [("link", "core-1:ge0"), ("end", "core-2:ge0")]),
        ("10.255.0.1", [("management", "core-1")]),
        ("10.64.3.7", [("tenants", "primary"), ("tenant", "primary/finance")]),
        ("198.51.100.1", [("provider", "primary"), ("leaf", "dc1-leaf")]),
        ("198.51.100.13", [("provider", "primary"), ("gateway", "primary/finance")]),
        ("192.0.2.1", []),
    ],
)
def test_every_ipv4_address_explains_back(address: str, owners: list[tuple[str, str]]):
    assert [(u.use, u.owner) for u in explain4(PLAN, IPv4Address(address))] == owners


def test_what_is_free_overlaps_nothing_in_use():
    free = free4(CITY)
    used = [u.network for u in uses(CITY)]
    assert not any(f.overlaps(u) for f in free for u in used)
    inside = [u for u in used if u.subnet_of(CITY.settings.ipv4_aggregate)]
    total = sum(n.num_addresses for n in [*free, *collapse_addresses(inside)])
    assert total == CITY.settings.ipv4_aggregate.num_addresses
