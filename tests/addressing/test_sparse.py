"""RFC 3531: its own published sequences, and what every order promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaoling.addressing.sparse import Numbers, centermost, leftmost, rightmost, sequence

PUBLISHED = {  # RFC 3531, sections 3.1 to 3.3
    leftmost: ["00000000", "10000000", "01000000", "11000000", "00100000", "10100000", "01100000",
               "11100000", "00010000"],
    rightmost: ["00000000", "00000001", "00000010", "00000011", "00000100", "00000101"],
    centermost: ["00000000", "00001000", "00010000", "00011000", "00000100", "00001100",
                 "00010100", "00011100"],
}  # fmt: skip


@pytest.mark.parametrize("method", PUBLISHED, ids=lambda m: m.__name__)
def test_the_sequences_that_rfc_3531_prints(method):
    expected = [int(bits, 2) for bits in PUBLISHED[method]]
    found = method(8)
    assert [next(found) for _ in expected] == expected


@given(st.sampled_from(["leftmost", "rightmost", "centermost"]), st.integers(0, 10))
def test_every_order_gives_every_number_once(order, bits):
    assert sorted(sequence(order, bits)) == list(range(1 << bits))


@given(st.integers(1, 10))
def test_leftmost_always_halves_the_widest_gap(bits):
    given: list[int] = []
    for count, number in enumerate(leftmost(bits)):
        if count and count & (count - 1) == 0:  # at each power of two all gaps are equal
            ordered = sorted(given)
            gaps = {b - a for a, b in zip(ordered, [*ordered[1:], 1 << bits], strict=True)}
            assert len(gaps) == 1
        given.append(number)


def test_numbers_outside_first_and_last_are_left_out():
    numbers = Numbers(4, {2})
    assert [numbers.give("rightmost", 1, 4) for _ in range(4)] == [1, 3, 4, None]


def test_a_range_of_two_to_the_64_is_not_walked():
    assert Numbers(64, set()).give("leftmost", 1, (1 << 64) - 129) == 1 << 63
