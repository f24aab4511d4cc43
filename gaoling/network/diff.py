"""What differs between two configurations: by meaning, not by spelling.

Addresses are compared by value (RFC 5952 gives one spelling to each): a comparison of text takes
`2001:DB8:0:0::1` for another neighbour than `2001:db8::1` and resets the session.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_interface

# a line with the contexts that it stands in: ("interface ge0", "ip address 10.0.0.1/31")
Line = tuple[str, ...]
_NOT_CONFIGURATION = re.compile(
    r"!|end$|exit(-address-family)?$|Building configuration|Current configuration|"
    r"frr (version|defaults) "
)
# headers that FRR shows only when there is something in them
_HOLLOW = ("interface ", "address-family ")


@lru_cache(8192)  # the lines of a router are compared three times in a change
def normal(line: str) -> str:
    """Return a line in its one spelling: addresses and areas by value, single spaces."""
    words = line.split()
    for number, word in enumerate(words):
        if number and words[number - 1] == "area" and word.isdigit():
            words[number] = str(IPv4Address(int(word)))
        elif ":" in word or "." in word:
            words[number] = _address(word)
    return " ".join(words)


def _address(word: str) -> str:
    try:
        return str(ip_interface(word) if "/" in word else ip_address(word))
    except ValueError:
        return word


def parse(text: str) -> list[Line]:
    """Return the lines of a configuration with their contexts, in order."""
    found: list[Line] = []
    stack: list[tuple[int, str]] = []
    for raw in text.splitlines():
        body = raw.strip()
        if not body or _NOT_CONFIGURATION.match(body):
            continue
        depth = len(raw) - len(raw.lstrip())
        while stack and stack[-1][0] >= depth:
            stack.pop()
        stack.append((depth, normal(body)))
        found.append(tuple(word for _, word in stack))
    return found


def meaning(text: str) -> frozenset[Line]:
    """Return what a configuration says, as a set: two of them are equal when they mean the same."""
    return _meaning(parse(text))


def _meaning(lines: Iterable[Line]) -> frozenset[Line]:
    return frozenset(line for line in lines if not line[-1].startswith(_HOLLOW))


@dataclass(frozen=True)
class Difference:
    """What must be added to and removed from the running configuration."""

    added: tuple[Line, ...]
    removed: tuple[Line, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def text(self) -> str:
        """Return it for people, `+` and `-` before each line under its context."""
        parts = [*_marked("-", self.removed), *_marked("+", self.added)]
        return "\n".join(parts) + ("\n" if parts else "")


def _marked(sign: str, lines: Iterable[Line]) -> Iterable[str]:
    context: Line = ()
    for line in lines:
        if line[:-1] != context:
            context = line[:-1]
            for depth, header in enumerate(context):
                yield f"  {' ' * depth}{header}"
        yield f"{sign} {' ' * (len(line) - 1)}{line[-1]}"


def difference(running: str, target: str) -> Difference:
    """Return what leads from one configuration to the other."""
    has, wants = parse(running), parse(target)
    here, there = _meaning(has), _meaning(wants)
    added, removed = there - here, here - there
    return Difference(
        tuple(dict.fromkeys(x for x in wants if x in added)),
        tuple(dict.fromkeys(x for x in has if x in removed)),
    )
