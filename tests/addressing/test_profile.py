"""A profile is data: what is accepted gives no overlap, what is refused says why."""

from ipaddress import IPv6Network

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gaoling.addressing import Book, PlanError, ProfileError, prefix, read_profile
from gaoling.addressing.allocate import Allocator
from gaoling.addressing.plan import profile_of
from gaoling.addressing.profile import Profile, parse_profile, profiles
from gaoling.city import read_city
from tests.addressing.samples import LAB, TODAY, disjoint

HEAD = "name: own\ntitle: 自用\nboundary: 4\nretire_days: 30\nblocks:\n"


def refused(blocks: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(HEAD + blocks, "own.yaml")
    return str(caught.value).splitlines()


def test_the_profiles_of_the_project_are_valid():
    assert profiles() == ["city", "national"]
    for name in profiles():
        assert read_profile(name).faults() == []


def test_ours_is_on_nibble_boundaries():
    for name in profiles():
        assert all(b.length % 4 == 0 for b in read_profile(name).blocks if b.name != "link")


def test_an_unknown_profile_is_named():
    with pytest.raises(ProfileError, match="found 'mars', expected one of city, national, or a"):
        read_profile("mars")


def test_every_fault_of_a_layout_is_told_at_once():
    assert refused(
        "- {name: a, title: 甲, in: root, length: 36}\n"
        "- {name: b, title: 乙, in: root, length: 40, number: 0}\n"
        "- {name: c, title: 丙, in: a, length: 42}\n"
        "- {name: d, title: 丁, in: nowhere, length: 64}\n"
        "- {name: e, title: 戊, in: c, length: 36}\n"
    ) == [
        "own.yaml: c in a: /42 is not on a boundary of 4",
        "own.yaml: d in nowhere: no block is named 'nowhere'",
        "own.yaml: e in c: /36 does not fit in /42",
        "own.yaml: root: its blocks have /36, /40; one block has one length below",
    ]


def test_two_fixed_blocks_never_have_one_number():
    assert refused(
        "- {name: a, title: 甲, in: root, length: 36, number: 3}\n"
        "- {name: b, title: 乙, in: root, length: 36, number: 3}\n"
    ) == ["own.yaml: b in root: a has number 3 too"]


def test_a_number_fits_its_parent():
    assert refused(
        "- {name: a, title: 甲, in: root, length: 36}\n"
        "- {name: b, title: 乙, in: a, length: 40, number: 16}\n"
    ) == ["own.yaml: b in a: number 16 does not fit: /36 holds 16 of /40"]


def test_a_block_does_not_lie_in_itself():
    assert "own.yaml: a: it lies in itself" in refused(
        "- {name: a, title: 甲, in: b, length: 40}\n- {name: b, title: 乙, in: a, length: 36}\n"
    )


def test_a_wrong_type_names_its_field():
    assert refused("- {name: a, title: 甲, in: root, length: 129}\n") == [
        "own.yaml: blocks.0.length: found 129, expected: less than or equal to 128"
    ]


def test_a_profile_without_what_a_city_needs_is_refused_for_a_city():
    city = read_city(LAB)
    own = city.model_copy(
        update={"settings": city.settings.model_copy(update={"address_profile": "national"})}
    )
    with pytest.raises(PlanError, match=r"'national' is none for a city: it has no .*cloud"):
        profile_of(own)


@st.composite
def layouts(draw: st.DrawFn) -> Profile:
    """Any layout of up to six kinds: chains and siblings, fixed and sparse, any order."""
    boundary = draw(st.sampled_from([1, 2, 4]))
    blocks: list[dict[str, object]] = []
    lengths = {"root": 32}
    below: dict[str, int] = {}
    for name in "abcdef"[: draw(st.integers(1, 6))]:
        parent = draw(st.sampled_from(sorted(lengths)))
        step = draw(st.integers(1, 8 // boundary)) * boundary
        length = below.setdefault(parent, lengths[parent] + step)
        order = draw(st.sampled_from(["leftmost", "rightmost", "centermost"]))
        block = {"name": name, "title": "", "in": parent, "length": length, "order": order}
        if draw(st.booleans()):
            block["number"] = draw(st.integers(0, (1 << (length - lengths[parent])) - 1))
        blocks.append(block)
        lengths[name] = length
    assume(max(lengths.values()) <= 127)
    profile = Profile.model_validate(
        {"name": "any", "title": "", "boundary": boundary, "retire_days": 1, "blocks": blocks}
    )
    assume(not profile.faults())
    return profile


@given(layouts(), st.data())
@settings(max_examples=150, deadline=None)
def test_any_valid_profile_gives_a_plan_without_overlap(profile: Profile, data: st.DataObject):
    root = prefix.of(IPv6Network("2001:db8::/32"))
    allocator = Allocator(profile, root, Book(), TODAY)
    siblings: list[list[int]] = []

    def fill(kind: str, block: int) -> None:
        here = []
        for edge in profile.children.get(kind, ()):
            if edge.number is not None:
                inner = [prefix.child(block, edge.length, edge.number)]
            else:
                count = data.draw(st.integers(0, 3))
                names = [f"{prefix.text(block)}-{n}" for n in range(count)]
                try:
                    inner = allocator.fill(kind, block, edge.name, "all", names)
                except PlanError as error:
                    assert "runs out now" in str(error)  # noqa: PT017
                    inner = []
            here += inner
            for found in inner:
                assert prefix.inside(found, block)
                fill(edge.name, found)
        siblings.append(here)

    fill("root", root)
    for here in siblings:
        assert disjoint(here)
