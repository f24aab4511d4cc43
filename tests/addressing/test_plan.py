"""The plan: nothing overlaps, nothing moves, everything on its boundary."""

from ipaddress import IPv6Network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaoling.addressing import LockError, plan_city, read_lock, write_lock
from gaoling.addressing.sparse import Block, leftmost
from gaoling.city import City, read_city

LAB = Path(__file__).parents[2] / "inventories" / "lab"
CITY = read_city(LAB)


def leaves(given: dict[str, IPv6Network]) -> list[IPv6Network]:
    kinds = ("loopback/", "link/", "tenant/", "provider/")
    return sorted(v for k, v in given.items() if k.startswith(kinds))


def test_the_order_is_that_of_rfc_3531_section_3_1():
    assert list(leftmost(4)) == [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15]


def test_no_two_leaves_overlap():
    given = leaves(plan_city(CITY).given)
    assert not any(a.overlaps(b) for a, b in zip(given, given[1:], strict=False))


def test_blocks_are_on_nibble_boundaries():
    for key, net in plan_city(CITY).given.items():
        if not key.startswith("link/"):
            assert net.prefixlen % 4 == 0, key


@given(st.permutations(CITY.systems), st.permutations(CITY.sites))
@settings(max_examples=20, deadline=None)
def test_without_a_lock_the_order_of_rows_does_not_matter(systems, sites):
    other = CITY.model_copy(update={"systems": tuple(systems), "sites": tuple(sites)})
    assert plan_city(other).given == plan_city(CITY).given


@given(st.sets(st.sampled_from(CITY.systems), max_size=6))
@settings(max_examples=20, deadline=None)
def test_with_a_lock_nothing_that_it_holds_moves(gone):
    left = CITY.with_systems(s for s in CITY.systems if s not in gone)
    before = plan_city(left).given
    after = plan_city(CITY, before).given
    assert {k: after[k] for k in before} == before
    tenants = leaves(after)
    assert not any(a.overlaps(b) for a, b in zip(tenants, tenants[1:], strict=False))


def test_the_lock_is_read_back_as_written(tmp_path: Path):
    given = plan_city(CITY).given
    write_lock(tmp_path, given)
    assert read_lock(tmp_path) == given


def test_a_lock_edited_by_hand_is_refused(tmp_path: Path):
    write_lock(tmp_path, plan_city(CITY).given)
    path = tmp_path / "city-all.txt"
    path.write_text("2001:db8:f000::/36 city/all\n")
    with pytest.raises(LockError, match=r"city-all\.txt: differs from index\.txt"):
        read_lock(tmp_path)


def test_a_lock_of_a_newer_version_is_refused(tmp_path: Path):
    (tmp_path / "index.txt").write_text("gaoling address lock 2\n")
    with pytest.raises(LockError, match="found 'gaoling address lock 2', expected"):
        read_lock(tmp_path)


def test_a_full_block_says_so():
    block = Block(IPv6Network("2001:db8::/60"), 64)
    for _ in range(16):
        block.give()
    with pytest.raises(ValueError, match=r"2001:db8::/60 has no /64 left"):
        block.give()


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


def city_of(systems: int) -> City:
    one = CITY.systems[0]
    return CITY.with_systems(one.model_copy(update={"id": f"s{n}"}) for n in range(systems))


def test_router_slots_run_out_by_name():
    with pytest.raises(ValueError, match="region primary has no router slot left"):
        plan_city(city_of(201))
