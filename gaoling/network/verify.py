"""Is a router what it shall be? Adjacencies, route sets and pings, not pings alone."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path

from gaoling.addressing.plan import Plan
from gaoling.city import Role
from gaoling.network.engine_frr import FrrEngine
from gaoling.network.intent import intent_of
from gaoling.network.session import from_vantage

PATIENCE = 60.0  # seconds for adjacencies and routes to come; a few OSPF hellos and one SPF
# between two looks: no longer than this for each router of the wave (a busy network is not made
# quicker by asking), and the first ones more often
PAUSE, PAUSE_EACH, PAUSE_MOST = 0.3, 0.04, 2.0
NOC = "vantage-noc"
Adjacencies = frozenset[tuple[str, str]]  # (interface, the neighbour's router id)


class Unverified(Exception):
    """A router is not what it shall be: expected and actual, by name."""


@dataclass(frozen=True)
class Expected:
    """What a router must have in IPv6 when these devices have it in service."""

    adjacencies: Adjacencies
    routes: frozenset[IPv6Network]
    reached_by_noc: bool


def expect(plan: Plan, device: str, in_service: Collection[str]) -> Expected:
    """Return what a router must have, when `in_service` (itself among them) have IPv6."""
    city = plan.city
    adjacencies = set()
    for link in city.links_of(device):
        there = link.other(device)
        if link.protocol == "ospf" and there in in_service:
            interface = link.end(device)
            if interface:
                adjacencies.add((interface[0], str(city.device[there].management)))
    island = _island(plan, device, set(in_service))
    routes: set[IPv6Network] = set()
    for name in island:
        intent = intent_of(plan, name)
        if not intent.ospf:
            continue  # a village: its township's static routes, redistributed, stand for it
        routes |= {i.ipv6.network for i in intent.interfaces if i.kind in ("lo", "lan")}
        if intent.redistribute_static and intent.device.role is Role.TOWNSHIP:
            static = [s.prefix for s in intent.statics]
            routes |= {p for p in static if isinstance(p, IPv6Network)}
    own = intent_of(plan, device)
    if not own.ospf:
        routes = {s.prefix for s in own.statics if isinstance(s.prefix, IPv6Network)}
    noc = city.device[NOC].site if NOC in city.device else ""
    leaf = city.site[noc].device if noc in city.site else ""
    return Expected(frozenset(adjacencies), frozenset(routes), leaf in island)


def _island(plan: Plan, device: str, in_service: set[str]) -> set[str]:
    """Return the devices with IPv6 that are connected with this one by links with IPv6.

    Villages have no adjacency: they are there when their township is.
    """
    found, edge = {device}, [device]
    while edge:
        here = edge.pop()
        for link in plan.city.links_of(here):
            there = link.other(here)
            if there in in_service and there not in found and link.protocol != "ebgp":
                found.add(there)
                edge.append(there)
    return found


def full(neighbours: dict[str, object], family: int) -> Adjacencies:
    """Return the full adjacencies in FRR's `show ip(v6) ospf(6) neighbor json`."""
    found = set()
    listed = neighbours.get("neighbors", {} if family == 4 else [])
    if family == 4 and isinstance(listed, dict):
        for router, entries in listed.items():
            for entry in entries if isinstance(entries, list) else [entries]:
                if str(entry.get("nbrState", entry.get("state", ""))).startswith("Full"):
                    name = str(entry.get("ifaceName", "")).split(":")[0]
                    found.add((name, str(router)))
    elif isinstance(listed, list):
        for entry in listed:
            if entry.get("state") == "Full":
                found.add((str(entry.get("interfaceName")), str(entry.get("neighborId"))))
    return frozenset(found)


def verify(
    engine: FrrEngine,
    plan: Plan,
    before: Adjacencies,
    expected: Expected | None,
    access: Path,
    patience: float = PATIENCE,
    at_once: int = 1,
) -> float:
    """Wait until a router is what it shall be; return the seconds that it took.

    `expected` None means that only IPv4 must be as `before`; `at_once` routers ask beside each
    other, this one among them: the more, the longer each waits between two looks. Raises
    Unverified with what is missing when `patience` is over.
    """
    began = time.monotonic()
    pause = PAUSE
    ospf = intent_of(plan, engine.device).ospf
    while True:
        missing = _missing(engine, ospf, before, expected)
        if not missing and expected is not None and expected.reached_by_noc:
            missing = _ping(plan, engine.device, access)
        if not missing:
            return time.monotonic() - began
        if time.monotonic() - began > patience:
            raise Unverified(f"{engine.device}: after {patience:.0f} s {missing}")
        time.sleep(pause)
        pause = min(pause * 1.3, max(PAUSE, min(PAUSE_EACH * at_once, PAUSE_MOST)))


def _missing(engine: FrrEngine, ospf: bool, before: Adjacencies, expected: Expected | None) -> str:
    """Return what is missing, the cheapest question first; nothing more is asked after a no."""
    if ospf:
        lost = before - full(engine.data("show ip ospf neighbor json")[0], 4)
        if lost:
            return f"found no IPv4 adjacency {_said(lost)}, expected it as before the change"
    if expected is None:
        return ""
    if ospf:
        lost = expected.adjacencies - full(engine.data("show ipv6 ospf6 neighbor json")[0], 6)
        if lost:
            return f"found no IPv6 adjacency {_said(lost)}, expected it"
    shown = engine.routes_shown()
    absent = {p for p in expected.routes if str(p) not in shown}
    if absent:
        few = ", ".join(str(p) for p in sorted(absent)[:3])
        return f"found no route to {len(absent)} of {len(expected.routes)} prefixes ({few})"
    return ""


def _said(adjacencies: Collection[tuple[str, str]]) -> str:
    return ", ".join(f"{name} to {router}" for name, router in sorted(adjacencies))


def _ping(plan: Plan, device: str, access: Path) -> str:
    loopback = plan.loopback(device)
    answer = from_vantage(access, NOC, f"fping -6 -q -r3 -t500 {loopback}")
    return "" if answer.code == 0 else f"found no answer of {loopback} at {NOC}, expected one"
