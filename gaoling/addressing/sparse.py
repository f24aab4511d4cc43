"""Sparse assignment of subnets, so that neighbours can grow: RFC 3531, leftmost method."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Network


def leftmost(bits: int) -> Iterator[int]:
    """Yield all numbers of `bits` bits in the order of RFC 3531, section 3.1: 0, 8, 4, 12, 2 ...

    The n-th number is n with its bits reversed: the widest gap is always the next to be halved.
    """
    for count in range(1 << bits):
        yield int(f"{count:0{bits}b}"[::-1], 2) if bits else 0


def child(parent: IPv6Network, length: int, number: int) -> IPv6Network:
    """Return the `number`-th subnet of that length. Raises ValueError when it lies outside."""
    if not 0 <= number < 1 << (length - parent.prefixlen):
        raise ValueError(f"{parent} has no subnet /{length} number {number}")
    return IPv6Network((int(parent.network_address) + (number << (128 - length)), length))


class Block:
    """A prefix whose children are given out sparsely; what is held already stays where it is."""

    def __init__(self, prefix: IPv6Network, length: int) -> None:
        self.prefix = prefix
        self.length = length
        self._taken: set[int] = set()
        self._order = leftmost(length - prefix.prefixlen)

    def hold(self, network: IPv6Network) -> None:
        """Mark a child as taken. Raises ValueError when it is no child or taken twice."""
        if network.prefixlen != self.length or not network.subnet_of(self.prefix):
            raise ValueError(f"{network} is no /{self.length} of {self.prefix}")
        number = (int(network.network_address) - int(self.prefix.network_address)) >> (
            128 - self.length
        )
        if number in self._taken:
            raise ValueError(f"{network} is given twice")
        self._taken.add(number)

    def give(self) -> IPv6Network:
        """Return the next free child. Raises ValueError when the block is full."""
        for number in self._order:
            if number not in self._taken:
                self._taken.add(number)
                return child(self.prefix, self.length, number)
        raise ValueError(f"{self.prefix} has no /{self.length} left")
