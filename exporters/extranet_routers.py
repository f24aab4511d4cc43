"""What routers say of themselves over SSH: their configuration and their neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_interface
from typing import Any, Protocol

from exporters.base import Context, Result
from gaoling.city import Device, Role, Site
from gaoling.evidence import Observation, default_expiry
from gaoling.evidence.dependence import dead_devices
from gaoling.evidence.probes import Completed

AT_ONCE = 8  # sessions: the bastion and AAA bear more than this
SECONDS = 10.0  # for one command
SHOW_CONFIG = "show running-config"
SHOW_NEIGHBOURS = {4: "show ip ospf neighbor json", 6: "show ipv6 ospf6 neighbor json"}


class Asker(Protocol):
    """Runs one command of a router's own language as the account that may only look."""

    def ask(self, router: str, line: str, timeout: float) -> Completed: ...


class ExtranetRouters:
    """Configured: the site's own addresses are on the router. Adjacent: the IGP has a neighbour.

    Only FRR is read so far; routers of other platforms are wanted and not covered.
    """

    name = "extranet_routers"
    interval = 480.0
    deadline = 180.0

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def collect(self, context: Context) -> Result:
        """Return what each router says of the sites that hang on it."""
        routers = [d for d in context.city.devices if d.routes and d.role is not Role.PEER
                   and context.city.sites_on(d.name)]  # fmt: skip
        result = Result(wanted=len(routers))
        families = context.families()
        now = context.clock()
        # a dead router is no fault of the collector: it is not asked, and not covered
        fresh = [o for o in context.store.all() if default_expiry().holds(o, now)]
        dead = dead_devices(context.city, fresh)
        routers = [d for d in routers if d.name not in dead]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(
                lambda d: self._router(context, d, families.get(d.name, frozenset({4})), now),
                routers,
            )
            for observations, wrong in found:
                result.observations += observations
                result.covered += not wrong
                result.wrong += wrong
        return result

    def _router(
        self, context: Context, device: Device, families: frozenset[int], now: float
    ) -> tuple[list[Observation], list[str]]:
        if device.platform != "frr":
            return [], [f"{device.name}: platform {device.platform} is not read yet"]
        seen: list[Observation] = []
        sites = context.city.sites_on(device.name)

        def note(rung: str, site: Site, family: int, value: bool) -> None:
            seen.append(Observation("site", site.code, rung, family, value, now, "ssh",
                                    source=device.name))  # fmt: skip

        ospf = any(x.protocol == "ospf" for x in context.city.links_of(device.name))
        # a village has a static route: there is no neighbour to see
        wanted = [SHOW_NEIGHBOURS[f] for f in sorted(families)] if ospf else []
        # FRR takes several commands at once, one a line: one session a router
        done = self._asker.ask(device.name, "\n".join([SHOW_CONFIG, *wanted]), SECONDS)
        if done.code != 0 or "interface " not in done.stdout:
            return [], [f"{device.name}: {_why(done)}"]
        config, answers = split(done.stdout)
        addresses = configured(config)
        for site in sites:
            here = addresses.get(site.interface, set())
            note("configured", site, 4, site.ipv4 is not None and str(site.ipv4) in here)
            note("configured", site, 6, str(context.plan.gateway(site.code)) in here)
        if len(answers) != len(wanted):
            return seen, [f"{device.name}: {len(answers)} answers to {len(wanted)} questions"]
        for family, answer in zip(sorted(families), answers, strict=False):
            for site in sites:
                note("adjacent", site, family, full_neighbours(answer) > 0)
        return seen, []


def split(text: str) -> tuple[str, list[Any]]:
    """Return the configuration, and the JSON that follows it, one value an answer."""
    start = text.find("\n{")
    if start < 0:
        return text, []
    config, rest = text[: start + 1], text[start + 1 :].lstrip()
    decoder, found = json.JSONDecoder(), []
    while rest.startswith("{"):
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError:
            break
        found.append(value)
        rest = rest[end:].lstrip()
    return config, found


def configured(config: str) -> dict[str, set[str]]:
    """Return interface -> the addresses in a running configuration, by value (RFC 5952)."""
    found: dict[str, set[str]] = {}
    interface = ""
    for line in config.splitlines():
        words = line.split()
        if line.startswith("interface "):
            interface = words[1]
        elif line and not line.startswith(" "):
            interface = ""
        elif (
            interface and len(words) >= 3 and words[:2] in (["ip", "address"], ["ipv6", "address"])
        ):
            try:
                found.setdefault(interface, set()).add(str(ip_interface(words[2])))
            except ValueError:
                continue
    return found


def full_neighbours(data: Any) -> int:
    """Return how many neighbours are Full, in what FRR says in JSON."""
    return sum(1 for neighbour in _neighbours(data) if _full(neighbour))


def _neighbours(data: Any) -> Iterator[dict[str, Any]]:
    """Yield what looks like a neighbour: FRR's OSPFv2 and OSPFv3 nest them differently."""
    if isinstance(data, dict):
        if any(key in data for key in ("nbrState", "state")):
            yield data
        else:
            for value in data.values():
                yield from _neighbours(value)
    elif isinstance(data, list):
        for value in data:
            yield from _neighbours(value)


def _full(neighbour: dict[str, Any]) -> bool:
    return str(neighbour.get("nbrState", neighbour.get("state"))).startswith("Full")


def _why(done: Completed) -> str:
    if done.code is None:
        return "out of time"
    last = (done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or ["nothing"])[-1]
    return f"{done.code}: {last[:200]}"
