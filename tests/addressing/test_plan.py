"""The plan: nothing overlaps, nothing moves, everything on its boundary, everything explains."""

import datetime as dt
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaoling.addressing import Book, PlanError, plan_city, prefix, read_lock
from gaoling.addressing.explain import explain
from gaoling.addressing.renumber import renumber
from gaoling.city import City, read_city
from tests.addressing.samples import LAB, ROOT, TODAY, disjoint

CITY = read_city(LAB)
LEAVES = ("loopback", "link", "tenant", "gateway", "address", "village")


def leaves(book: Book) -> list[int]:
    kinds = LEAVES
    return [prefix.of(v) for k, v in book.items() if k.split("/")[1] in kinds]


def everything(book: Book) -> dict[str, IPv6Network]:
    return dict(book.items())


def with_sites(city: City, gone: set[str]) -> City:
    """The city without some sites, what lies below them and what stands there."""
    sites = {s.code for s in city.sites if s.code not in gone and s.parent not in gone}
    devices = {d.name for d in city.devices if d.site in sites}
    links = (x for x in city.links if {x.a_device, x.b_device} <= devices)
    return city.model_copy(update={
        "sites": tuple(s for s in city.sites if s.code in sites),
        "devices": tuple(d for d in city.devices if d.name in devices), "links": tuple(links),
    })  # fmt: skip


def test_no_two_leaves_overlap():
    assert disjoint(leaves(plan_city(CITY).book))


def test_no_two_sites_overlap():
    assert disjoint(
        prefix.of(v) for k, v in plan_city(CITY).book.items() if k.split("/")[1] == "site"
    )


def test_blocks_are_on_nibble_boundaries_links_are_127():
    for key, net in plan_city(CITY).book.items():
        assert net.prefixlen == 127 if "/link/" in key else net.prefixlen % 4 == 0, key


def test_loopbacks_are_128_and_lans_64():
    plan = plan_city(CITY)
    assert plan.book["city/loopback/core-1"].prefixlen == 128
    assert plan.lan("police").prefixlen == 64


def test_no_address_of_all_zeros_is_given_to_a_device():
    """RFC 4291, 2.6.1 (subnet-router anycast) and RFC 6164, 5.1."""
    plan = plan_city(CITY)
    for device in CITY.devices:
        assert int(plan.management(device.name)) & (1 << 64) - 1
    for link in CITY.links:
        assert int(plan.link(link)[0].ip) & (1 << 64) - 1


@given(st.permutations(CITY.systems), st.permutations(CITY.sites), st.permutations(CITY.links))
@settings(max_examples=20, deadline=None)
def test_without_a_lock_the_order_of_rows_does_not_matter(systems, sites, links):
    other = CITY.model_copy(
        update={"systems": tuple(systems), "sites": tuple(sites), "links": tuple(links)}
    )
    assert everything(plan_city(other).book) == everything(plan_city(CITY).book)


TOWNS = sorted(s.code for s in CITY.sites if s.kind in ("town", "township", "unit", "department"))


@given(st.sets(st.sampled_from(TOWNS), max_size=8), st.sets(st.sampled_from(CITY.systems)))
@settings(max_examples=20, deadline=None)
def test_with_a_lock_nothing_that_it_holds_moves(gone, systems):
    left = with_sites(CITY, gone).with_systems(s for s in CITY.systems if s not in systems)
    before = plan_city(left, today=TODAY).book
    after = plan_city(CITY, before, TODAY).book
    assert {k: after[k] for k in before} == everything(before)
    assert disjoint(leaves(after))


@given(st.sets(st.sampled_from(TOWNS), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_add_then_remove_returns_to_the_start(new):
    small = with_sites(CITY, new)
    start = plan_city(small, today=TODAY).book
    added = plan_city(CITY, start, TODAY).book
    removed = plan_city(small, added, TODAY).book
    assert everything(removed) == everything(start)
    later = plan_city(small, removed, TODAY + dt.timedelta(days=366)).book
    assert list(later.all_retired()) == []
    assert everything(later) == everything(start)


@given(st.sets(st.sampled_from(TOWNS), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_what_is_retired_is_given_to_nobody_else_and_comes_back_to_its_owner(gone):
    start = plan_city(CITY, today=TODAY).book
    without = plan_city(with_sites(CITY, gone), start, TODAY).book
    held = {r.packed for _, r in without.all_retired()}
    assert held == {prefix.of(v) for v in start.values()} - {prefix.of(v) for v in without.values()}
    day = TODAY + dt.timedelta(days=365)
    assert everything(plan_city(CITY, without, day).book) == everything(start)


def test_a_new_site_does_not_get_what_is_retired_until_its_time_is_over():
    start = plan_city(CITY, today=TODAY).book
    old = start["360202/site/360202202"]
    without = with_sites(CITY, {"360202202"})
    locked = plan_city(without, start, TODAY).book
    town = CITY.site["360202202"].model_copy(update={"code": "360202900", "device": ""})
    grown = without.model_copy(update={"sites": (*without.sites, town)})
    soon = plan_city(grown, locked, TODAY + dt.timedelta(days=365)).book
    late = plan_city(grown, locked, TODAY + dt.timedelta(days=366)).book
    assert soon["360202/site/360202900"] != old
    assert late["360202/site/360202900"] == old


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_address_explains_back(data):
    plan = plan_city(CITY)
    key = data.draw(st.sampled_from(sorted(plan.book)))
    net = plan.book[key]
    address = net[data.draw(st.integers(0, min(net.num_addresses - 1, 1 << 70)))]
    found = explain(plan.book, plan.profile, address)
    assert found is not None
    assert prefix.text(prefix.of(net)) in [step.prefix for step in found.steps]
    assert key.split("/", 2)[2] in [step.name for step in found.steps]


def test_the_addresses_that_callers_use_explain_back_to_site_and_use():
    plan = plan_city(CITY)

    def of(address: IPv6Address) -> tuple[str, str]:
        found = explain(plan.book, plan.profile, address)
        assert found is not None
        return found.owner, found.use

    assert of(plan.host("police")) == ("police", "lan")
    assert of(plan.loopback("core-1")) == ("core-1", "loopback")
    assert of(plan.link(CITY.links[0])[1].ip) == ("core-1:ge0", "link")
    assert of(plan.tenant("health", "dr").gateway_ipv6) == ("health", "gateway")
    assert of(plan.tenant("health", "dr").ipv6[5]) == ("health", "tenant")
    assert of(plan.provider("primary").leaf_ipv6) == ("primary", "provider")
    assert of(plan.use("police", "services")[9]) == ("police", "services")
    assert of(plan.management("core-1")) == ("core-1", "address")
    assert of(plan.lan("360202001201")[1]) == ("360202001201", "lan")


def test_free_space_explains_as_free_and_foreign_space_as_none():
    plan = plan_city(CITY)
    found = explain(plan.book, plan.profile, IPv6Address("2001:db8:f000::1"))
    assert found is not None
    assert found.free
    assert explain(plan.book, plan.profile, IPv6Address("2001:db9::1")) is None


def test_a_prefix_that_is_too_small_says_which_level_runs_out_and_when():
    small = CITY.model_copy(update={
        "settings": CITY.settings.model_copy(update={"ipv6_prefix": IPv6Network("2001:db8::/34")})
    })  # fmt: skip
    with pytest.raises(PlanError) as caught:
        plan_city(small)
    assert str(caught.value) == (
        "level cloud（政务云） runs out at once: 2001:db8::/34 holds 4 of /36, the profile "
        "puts it at number 8"
    )


def test_counties_that_do_not_fit_are_named():
    sites = [CITY.site["360202"].model_copy(update={"code": f"3602{n}"}) for n in range(10, 25)]
    crowded = CITY.model_copy(update={"sites": tuple(sites), "devices": (), "links": ()})
    with pytest.raises(PlanError) as caught:
        plan_city(crowded)
    assert str(caught.value) == (
        "level county（县区） runs out now, at county '360224': 2001:db8::/32 has room for 16 of "
        "/36 (2 reserved by the profile), 15 are asked for"
    )


def city_of(systems: int) -> City:
    one = CITY.systems[0]
    return CITY.with_systems(one.model_copy(update={"id": f"s{n:03}"}) for n in range(systems))


def test_router_slots_run_out_by_name():
    with pytest.raises(PlanError) as caught:
        plan_city(city_of(246))
    assert str(caught.value) == (
        "level gateway（租户网关） runs out now, at system 's245': region primary has no router "
        "slot left (of 245: provider_ipv4 198.51.100.0/24, tenants_ipv4 10.64.0.0/16)"
    )


def test_a_department_is_probed_behind_its_router_and_a_township_at_it():
    plan = plan_city(CITY)
    town, department = CITY.site["360202001"], CITY.site["police"]
    assert str(plan.probe(town)[0]) == "10.11.1.1"
    assert str(plan.probe(department)[0]).endswith(".10")
    assert plan.probe(department)[1] == plan.host("police")


def test_tenants_of_two_regions_never_share_a_prefix():
    plan = plan_city(CITY)
    both = [plan.tenant(s.id, r) for s in CITY.systems for r in ("primary", "dr")]
    for field in ("ipv6", "ipv4", "gateway_ipv4", "gateway_ipv6"):
        assert len({getattr(t, field) for t in both}) == len(both)


def test_another_prefix_is_a_renumbering_not_a_plan():
    lock = plan_city(CITY).book
    moved = CITY.model_copy(update={
        "settings": CITY.settings.model_copy(update={"ipv6_prefix": IPv6Network("2001:db8::/31")})
    })  # fmt: skip
    with pytest.raises(PlanError, match="the lock holds 2001:db8::/32, the city has 2001:db8::/31"):
        plan_city(moved, lock)
    plan = renumber(moved, lock, ["all"], "larger prefix", "engineer", TODAY)
    assert plan.book.acts == ["2026-11-23 renumber all by engineer: larger prefix"]


def test_renumbering_moves_what_is_named_and_what_lies_in_it_and_nothing_else():
    lock = plan_city(CITY, today=TODAY).book
    plan = renumber(CITY, lock, ["360202001"], "merged", "engineer", TODAY)
    moved = {key for key in lock if plan.book[key] != lock[key]}
    assert moved == {
        "360202/site/360202001", "360202/village/360202001201", "360202/village/360202001202"
    }  # fmt: skip
    again = plan_city(CITY, plan.book, TODAY).book
    assert everything(again) == everything(plan.book)
    assert disjoint(leaves(plan.book))


def test_renumbering_needs_a_reason_and_a_name_that_the_lock_holds():
    lock = plan_city(CITY).book
    with pytest.raises(PlanError, match="--reason: found nothing, expected why"):
        renumber(CITY, lock, ["police"], " ", "engineer", TODAY)
    with pytest.raises(PlanError, match="--renumber: found 'mars', expected a key or a name"):
        renumber(CITY, lock, ["mars"], "why", "engineer", TODAY)


@pytest.mark.parametrize("city", ["lab", "jingdezhen"])
def test_the_committed_locks_are_whole_and_up_to_date(city: str):
    folder = ROOT / "inventories" / city
    lock = read_lock(folder / "addresses")
    assert everything(plan_city(read_city(folder), lock).book) == everything(lock)
    assert len(lock) > 0
