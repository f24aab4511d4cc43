"""Sparse assignment of subnets, so that neighbours can grow: the three methods of RFC 3531.

Each method names the bits in the order in which they are brought into use; the n-th number has
the bits of n in that order. Leftmost keeps the widest gaps between neighbours, rightmost counts,
centermost leaves room on both sides of a border that is not decided yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Literal

Order = Literal["leftmost", "rightmost", "centermost"]
_KEPT = 12  # sequences of up to that many bits are computed once


def leftmost(bits: int) -> Iterator[int]:
    """Yield all numbers of `bits` bits as RFC 3531, section 3.1, has them: 0, 8, 4, 12, 2 ..."""
    return _sequence(bits, list(range(bits - 1, -1, -1)))


def rightmost(bits: int) -> Iterator[int]:
    """Yield all numbers of `bits` bits as RFC 3531, section 3.2, has them: 0, 1, 2, 3 ..."""
    return iter(range(1 << bits))


def centermost(bits: int) -> Iterator[int]:
    """Yield all numbers of `bits` bits as RFC 3531, section 3.3, has them; of 8: 0, 8, 16, 24 ...

    The middle bit first (the one after the centre where their number is even), then in turn the
    bit before and the bit after those in use.
    """
    if bits == 0:
        return iter((0,))
    low = high = (bits - 1) // 2  # counted from the right
    columns = [low]
    while len(columns) < bits:
        if len(columns) % 2:
            high += 1
            columns.append(high)
        else:
            low -= 1
            columns.append(low)
    return _sequence(bits, columns)


def _sequence(bits: int, columns: list[int]) -> Iterator[int]:
    for count in range(1 << bits):
        found, place = 0, 0
        while count:
            if count & 1:
                found |= 1 << columns[place]
            count >>= 1
            place += 1
        yield found


_METHODS: dict[Order, Callable[[int], Iterator[int]]] = {
    "leftmost": leftmost,
    "rightmost": rightmost,
    "centermost": centermost,
}


@cache
def _whole(order: Order, bits: int) -> tuple[int, ...]:
    return tuple(_METHODS[order](bits))


def sequence(order: Order, bits: int) -> Iterator[int]:
    """Yield all numbers of `bits` bits in the order of that method."""
    return iter(_whole(order, bits)) if bits <= _KEPT else _METHODS[order](bits)


class Numbers:
    """The numbers of one block's children: which are taken, which is next."""

    __slots__ = ("_bits", "_orders", "taken")

    def __init__(self, bits: int, taken: set[int]) -> None:
        self._bits = bits
        self._orders: dict[tuple[Order, int, int], Iterator[int]] = {}
        self.taken = taken

    def give(self, order: Order, first: int, last: int) -> int | None:
        """Return the next free number from first to last and take it; None when there is none."""
        key = (order, first, last)
        numbers = self._orders.get(key)
        if numbers is None:
            if order == "rightmost":  # a range of 2^64 is not walked up to its first number
                numbers = iter(range(first, min(last + 1, 1 << self._bits)))
            else:
                numbers = filter(partial(_between, first, last), sequence(order, self._bits))
            self._orders[key] = numbers
        for number in numbers:
            if number not in self.taken:
                self.taken.add(number)
                return number
        return None


def _between(first: int, last: int, number: int) -> bool:
    return first <= number <= last
