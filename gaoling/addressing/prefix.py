"""Prefixes as single integers: a country has 660,000 of them, and `IPv6Network` is slow and big.

A packed prefix is `address << 8 | length`: packed prefixes sort by address, the wider one first.
"""

from __future__ import annotations

from ipaddress import IPv6Network
from socket import AF_INET6, inet_ntop, inet_pton

Packed = int


def pack(address: int, length: int) -> Packed:
    """Return address and length as one number."""
    return address << 8 | length


def address(packed: Packed) -> int:
    """Return the first address of a packed prefix."""
    return packed >> 8


def length(packed: Packed) -> int:
    """Return the length of a packed prefix."""
    return packed & 0xFF


def of(network: IPv6Network) -> Packed:
    """Return a network packed."""
    return int(network.network_address) << 8 | network.prefixlen


def network(packed: Packed) -> IPv6Network:
    """Return a packed prefix as the standard library's network."""
    return IPv6Network((packed >> 8, packed & 0xFF))


def text(packed: Packed) -> str:
    """Return a packed prefix as RFC 5952 writes it."""
    return f"{inet_ntop(AF_INET6, (packed >> 8).to_bytes(16, 'big'))}/{packed & 0xFF}"


def parse(written: str) -> Packed:
    """Return a written prefix packed. Raises ValueError when it is none, or has host bits."""
    host, _, bits = written.partition("/")
    try:
        found = int.from_bytes(inet_pton(AF_INET6, host), "big")
        size = int(bits)
    except (OSError, ValueError):
        raise ValueError(f"{written!r} is no IPv6 prefix") from None
    if not 0 <= size <= 128 or found & ((1 << (128 - size)) - 1):
        raise ValueError(f"{written!r} is no IPv6 prefix in its canonical form")
    return found << 8 | size


def child(parent: Packed, size: int, number: int) -> Packed:
    """Return the `number`-th subnet of that length. Raises ValueError when it lies outside."""
    if not 0 <= number < 1 << (size - (parent & 0xFF)):
        raise ValueError(f"{text(parent)} has no subnet /{size} number {number}")
    return ((parent >> 8) + (number << (128 - size))) << 8 | size


def number(parent: Packed, packed: Packed) -> int:
    """Return which subnet of its parent a prefix is."""
    return ((packed >> 8) - (parent >> 8)) >> (128 - (packed & 0xFF))


def inside(packed: Packed, parent: Packed) -> bool:
    """Return whether a prefix lies in another one, or is it."""
    size = parent & 0xFF
    return packed & 0xFF >= size and (packed >> 8) >> (128 - size) == (parent >> 8) >> (128 - size)
