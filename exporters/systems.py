"""Whether systems are on the cloud and answer as themselves, seen from townships."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address

from exporters.base import Context, Result
from exporters.cloud import Server
from gaoling.city import Level, Role, System
from gaoling.evidence import Observation
from gaoling.evidence.probes import Address, ProbeFailed, Question, ask, sweep


class Systems:
    """Provisioned and addressed by the cloud's API; reachable and answering from vantages.

    Only the region that systems live in counts: the first of the register (`primary`).
    """

    name = "systems"
    interval = 60.0
    deadline = 60.0

    def collect(self, context: Context) -> Result:
        """Return the rungs of every system that is counted. Raises CloudError."""
        city, now = context.city, context.clock()
        region = city.settings.regions[0].name
        inventory = context.cloud(region).inventory()
        systems = [s for s in city.systems if s.counted]
        result = Result()
        vantages = [d.name for d in city.devices if d.role is Role.VANTAGE
                    and city.site[d.site].level in (Level.COUNTY, Level.TOWNSHIP)]  # fmt: skip
        if not vantages:
            result.wrong.append("no vantage in a county or township of the register")
        asked: list[tuple[System, list[Server]]] = []
        for system in systems:
            project = f"{city.settings.id}-{system.id}"
            mine = [s for s in inventory.servers if s.system == system.id and s.active]
            mine = [s for s in mine if s.project == project]
            there = project in inventory.projects and bool(mine)
            _note(result, system, "provisioned", there, now, region)
            if there:
                right = _addressed(context, system, region, mine)
                _note(result, system, "addressed", right, now, region)
                asked.append((system, mine))
        result.wanted = len(vantages) * len(asked)
        with ThreadPoolExecutor(max(1, len(vantages))) as pool:
            seen = pool.map(lambda vantage: _look(context, vantage, asked, now), vantages)
            for observations, wrong in seen:
                result.observations += observations
                result.covered += len(asked) if not wrong else 0
                result.wrong += wrong
        return result


def _note(result: Result, system: System, rung: str, value: bool, now: float, region: str) -> None:
    result.observations.append(
        Observation("system", system.id, rung, None, value, now, "cloud-api", source=region)
    )


def _addresses(server: Server) -> list[Address]:
    return [ip_address(text) for text in server.addresses]


def _addressed(context: Context, system: System, region: str, servers: list[Server]) -> bool:
    """Whether every server has an address of each family, all inside the plan's prefixes."""
    tenant = context.plan.tenant(system.id, region)
    for server in servers:
        found = _addresses(server)
        if {a.version for a in found} != {4, 6}:
            return False
        for address in found:
            if isinstance(address, IPv4Address) and address not in tenant.ipv4:
                return False
            if isinstance(address, IPv6Address) and address not in tenant.ipv6:
                return False
    return True


def _look(
    context: Context, vantage: str, asked: list[tuple[System, list[Server]]], now: float
) -> tuple[list[Observation], list[str]]:
    """Return what one vantage sees of all systems: an endpoint in two calls for all of them."""
    seen: list[Observation] = []
    targets = [(system, a) for system, mine in asked for s in mine for a in _addresses(s)]
    alive, wrong = sweep(context.runner, vantage, [a for _, a in targets])
    questions = [Question(system.id, a, system.port) for system, a in targets]
    answers: dict[Question, bool] = {}
    try:
        answers = dict(zip(questions, ask(context.runner, vantage, questions), strict=True))
    except ProbeFailed as error:
        wrong.append(f"{vantage}: {error}")
    for system, _ in asked:
        for family in (4, 6):
            mine = [a for s, a in targets if s is system and a.version == family]
            found = [alive[a] for a in mine if a in alive]
            words = [("reachable", any(found), "fping")] if found or not mine else []
            spoken = [q for q in answers if q.system == system.id and q.address in mine]
            if spoken or (not mine and answers):
                words.append(("answering", any(answers[q] for q in spoken), "curl"))
            for rung, value, method in words:
                source = ", ".join(str(a) for a in mine)
                seen.append(Observation("system", system.id, rung, family, value, now, method,
                                        vantage, source))  # fmt: skip
    return seen, wrong
