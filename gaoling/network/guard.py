"""The guard: walks a patch step by step and refuses what could cut us off from the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from gaoling.network.diff import Line, meaning, normal


class Refused(Exception):
    """A patch that is not sent; the message says device, step, line and what it would take away."""


@dataclass(frozen=True)
class Way:
    """How we reach a device: its management address, the interfaces that lead back to us."""

    device: str
    management: IPv4Address
    interfaces: tuple[str, ...]


@dataclass(frozen=True)
class Risk:
    """What the guard found. A deletion is high risk; nothing lowers it again on the way."""

    level: str
    deletions: tuple[Line, ...]


def step(state: set[Line], command: Line) -> set[Line]:
    """Return the lines that one command takes away from `state`, which is changed in place."""
    where, text = command[:-1], normal(command[-1])
    if text.startswith("no "):
        positive = (*where, text[3:])
        gone = {x for x in state if _within(x, positive)}
        if not gone:
            state.add((*where, text))
    else:
        gone = {x for x in state if x == (*where, f"no {text}")}
        state.add((*where, text))
    state -= gone
    return gone


def _within(line: Line, removed: Line) -> bool:
    """Whether `no <removed>` takes this line away: itself, what is in it, or its longer form."""
    depth = len(removed)
    if line[: depth - 1] != removed[:-1] or len(line) < depth:
        return False
    found = line[depth - 1]
    return found == removed[-1] or found.startswith(removed[-1] + " ")


def check(running: str, patch: Sequence[Line], way: Way, *, allow_deletions: bool = False) -> Risk:
    """Return the risk of a patch.

    Raises Refused when a step takes away the management address, the interface or the routing
    that we came through, or the access to the device; and when anything is deleted without
    `allow_deletions`.
    """
    state = set(meaning(running))
    needed = _needed(state, way)
    deletions: list[Line] = []
    for number, command in enumerate(patch, 1):
        gone = step(state, command)
        said = f"{way.device}: step {number} of {len(patch)}, {_said(command)}"
        for line in sorted(gone):
            if line in needed:
                raise Refused(f"{said} takes away {needed[line]}: refused")
        if command[-1] == "shutdown" and command[0] in _headers(way):
            raise Refused(f"{said} shuts the interface that we came through: refused")
        # a line of ours with `no` is an addition that says no, unless something went with it
        deletions += sorted(x for x in gone if not x[-1].startswith("no "))
    if deletions and not allow_deletions:
        raise Refused(
            f"{way.device}: the patch deletes {len(deletions)} lines, the first is "
            f"{_said(deletions[0])}; deletions are high risk: refused unless they are allowed"
        )
    return Risk("high" if deletions else "normal", tuple(deletions))


def _headers(way: Way) -> set[str]:
    return {f"interface {name}" for name in way.interfaces}


def _said(line: Line) -> str:
    return f"`{' / '.join(line)}`"


def _needed(state: set[Line], way: Way) -> dict[Line, str]:
    """Return the lines that must survive each step, with what each of them is.

    Raises Refused when the running configuration does not have the management address: then
    nothing is known about the way.
    """
    needed: dict[Line, str] = {}
    headers = _headers(way)
    for line in state:
        last = line[-1]
        if len(line) == 2 and last.startswith(f"ip address {way.management}/"):
            needed[line] = f"the management address {way.management}"
        elif line[0] in headers and last.startswith("ip address "):
            needed[line] = f"the address of the interface that we came through ({line[0]})"
        elif line[0] in headers and last.startswith("ip ospf area "):
            needed[line] = f"the adjacency that we came through ({line[0]})"
        elif line == ("router ospf",):
            needed[line] = "the routing that we came through (router ospf)"
        elif (
            len(line) == 1
            and last.startswith("ip route ")
            and not headers.isdisjoint(_static_interfaces(state, last))
        ):
            needed[line] = f"the route that we came through ({last})"
        elif line[0].startswith(("line vty", "service integrated-vtysh-config")):
            needed[line] = "the access to the device"
    if not any(x.startswith("the management address") for x in needed.values()):
        raise Refused(
            f"{way.device}: found no management address {way.management} in the running "
            "configuration, expected it on an interface: refused"
        )
    return needed


def _static_interfaces(state: set[Line], route: str) -> set[str]:
    """Return the headers of the interfaces that a static route's next hop is on."""
    hop = route.split()[-1]
    try:
        address = IPv4Address(hop)
    except ValueError:
        return set()
    found = set()
    for line in state:
        if len(line) == 2 and line[1].startswith("ip address "):
            interface = IPv4Interface(line[1].split()[2])
            if address in interface.network:
                found.add(line[0])
    return found
