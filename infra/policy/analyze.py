"""The rules on what there is: `pulumi policy analyze` on the state of each stack."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from gaoling.city import City
from gaoling.cloud import states
from gaoling.cloud.home import Home
from gaoling.cloud.stacks import ROOT, stacks
from infra.policy.exemptions import Exemption
from infra.policy.model import Language
from infra.policy.pack import EXEMPT, EXEMPT_STACK, LANGUAGE
from infra.policy.rules import RULE_BY_ID

_RULE = re.compile(r"\[([a-z0-9-]+)\] ")
_LINE = re.compile(r"exemptions\.yaml:(\d+)")


class AnalysisError(Exception):
    """A state could not be judged: which stack, and what the CLI said."""


@dataclass(frozen=True)
class Breach:
    """A rule that something in a state breaks; `exemption` lets it pass."""

    rule: str
    severity: str
    urn: str
    message: str
    exemption: Exemption | None = None
    exempt: bool = False

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def type(self) -> str:
        return self.urn.split("::")[2].rpartition("$")[2] if self.urn.count("::") >= 3 else ""


@dataclass(frozen=True)
class Judgement:
    """What a stack's state came to. One that is absent or empty was not judged."""

    stack: str
    state: Literal["judged", "empty", "absent"]
    breaches: tuple[Breach, ...] = ()

    @property
    def broken(self) -> bool:
        return any(not b.exempt for b in self.breaches)


def stacks_of(home: Home, city: City) -> list[str]:
    """Return the names of a city's stacks: the register's in their order, then what else there is.

    A shard that the register has lost still holds what it held. Raises AnalysisError.
    """
    names = [stack.name for stack in stacks(city)]
    starts = tuple(f"{city.settings.id}-{region}-" for region in city.region)
    others = sorted(name for name in _known(home) if name.startswith(starts))
    return list(dict.fromkeys([*names, *others]))


def analyze(
    home: Home,
    city: City,
    wanted: Sequence[str],
    exemptions: Sequence[Exemption],
    language: Language = "en",
    jobs: int = 2,
) -> list[Judgement]:
    """Return what each stack's state came to, in the order given. No cloud is asked.

    Raises AnalysisError, StateError for a file that is no whole state, ToolchainError.
    """
    known = _known(home)
    environment: dict[str, str] = {}
    if known:
        about = {"GAOLING_CITY": str(city.directory.resolve()), LANGUAGE: language}
        environment = home.environment() | about

    def one(stack: str) -> Judgement:
        if stack not in known:
            return Judgement(stack, "absent")
        if home.local:
            states.check(home.local, stack, home.good)
        return _judge(stack, environment, exemptions)

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        return list(pool.map(one, wanted))


def _known(home: Home) -> set[str]:
    """Return the stacks that the backend has. Raises AnalysisError."""
    if folder := home.local:
        return {path.stem for path in states.file_of(folder, "x").parent.glob("*.json")}
    done = _pulumi(["stack", "ls", "--json"], home.environment())
    if done.returncode:
        raise AnalysisError(f"{home.url}: pulumi stack ls: {done.stderr.strip()}")
    return {str(row["name"]).rpartition("/")[2] for row in json.loads(done.stdout)}


def _pulumi(
    command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["pulumi", *command, "--non-interactive", "--color", "never"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _judge(
    stack: str, environment: Mapping[str, str], exemptions: Sequence[Exemption]
) -> Judgement:
    # the pack is in the environment (PULUMI_OPTION_POLICY_PACK): named here too, it would run twice
    done = _pulumi(["policy", "analyze", "--json", "--stack", stack], environment)
    if done.returncode == 0 and not done.stdout.strip():
        return Judgement(stack, "empty")
    events = list(_events(done.stdout))
    found = tuple(_breach(e["policyEvent"], exemptions) for e in events if "policyEvent" in e)
    ended = any("summaryEvent" in event for event in events)
    # a rule that is broken ends with an error too: then it is among the events
    if not ended or (done.returncode and not any(not b.exempt for b in found)):
        said = done.stderr.strip() or f"exit {done.returncode}"
        raise AnalysisError(f"{stack}: pulumi policy analyze: {said}")
    return Judgement(stack, "judged", tuple(sorted(found, key=lambda b: (b.rule, b.urn))))


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            yield found


def _breach(event: Mapping[str, Any], exemptions: Sequence[Exemption]) -> Breach:
    """Return a breach from the engine's event, whose message begins with the rule's description."""
    message = str(event["message"]).partition("\n")[2] or str(event["message"])
    name, urn = str(event["policyName"]), str(event.get("resourceUrn", ""))
    severity = str(event.get("severity", ""))
    if name not in (EXEMPT, EXEMPT_STACK):
        return Breach(name, severity, urn, message)
    given, lines = _RULE.match(message), _LINE.findall(message)
    by = [e for e in exemptions if lines and e.line == int(lines[-1])]
    rule = given[1] if given else name
    return Breach(
        rule,
        RULE_BY_ID[rule].severity if rule in RULE_BY_ID else severity,
        urn,
        _RULE.sub("", message, count=1),
        by[0] if by else None,
        exempt=True,
    )


def unused(exemptions: Sequence[Exemption], found: Sequence[Judgement]) -> list[Exemption]:
    """Return the exemptions that let nothing pass: they may go."""
    used = {b.exemption for judgement in found for b in judgement.breaches}
    return [e for e in exemptions if e not in used]
