"""Two configurations are compared by what they mean."""

from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from gaoling.network.diff import difference, meaning, normal, parse


@st.composite
def spellings(draw):
    """An IPv6 address and two ways to write it."""
    address = IPv6Address(draw(st.integers(min_value=0, max_value=2**128 - 1)))
    groups = [address.exploded, address.compressed, address.exploded.upper()]
    short = ":".join(f"{int(x, 16):x}" for x in address.exploded.split(":"))
    groups += [short, short.upper(), address.compressed.upper()]
    return draw(st.sampled_from(groups)), draw(st.sampled_from(groups))


@given(spellings(), st.integers(min_value=0, max_value=128))
def test_any_spelling_of_an_address_is_equal(pair, length):
    one, other = pair
    for form in (
        "router bgp 1\n neighbor {a} remote-as 2\nexit\n",
        "interface ge0\n ipv6 address {a}/" + str(length) + "\nexit\n",
        "ipv6 route {a}/" + str(length) + " {a}\n",
    ):
        assert not difference(form.format(a=one), form.format(a=other))


@given(st.integers(min_value=0, max_value=2**128 - 1), st.integers(0, 2**128 - 1))
def test_other_addresses_are_another(one, other):
    form = "ipv6 route ::/0 {}\n"
    found = difference(form.format(IPv6Address(one)), form.format(IPv6Address(other)))
    assert bool(found) == (one != other)


def test_a_patch_of_nothing_is_nothing():
    text = "interface ge0\n ip address 10.0.0.0/31\nexit\n!\nend\n"
    assert not difference(text, text)
    assert difference(text, text).text() == ""


def test_order_headers_and_comments_do_not_count():
    here = "frr version 8.4.4\n!\ninterface a\n x\n y\nexit\ninterface b\nexit\n"
    assert not difference(here, "interface a\n y\n x\n")


def test_areas_are_compared_by_value():
    assert normal("ip ospf area 1") == normal("ip  ospf area 0.0.0.1")


def test_a_line_is_known_by_its_contexts():
    text = (
        "router bgp 1\n address-family ipv4 unicast\n  network 10.0.0.0/8\n exit-address-family\n"
    )
    assert parse(text)[-1] == (
        "router bgp 1",
        "address-family ipv4 unicast",
        "network 10.0.0.0/8",
    )
    assert meaning("interface a\n x\n") != meaning("interface b\n x\n")


def test_what_people_read():
    found = difference("interface a\n x\n", "interface a\n y\nrouter ospf6\n")
    assert found.text() == "  interface a\n-  x\n  interface a\n+  y\n+ router ospf6\n"
