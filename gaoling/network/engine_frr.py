"""The engine for FRR: what each step of the contract is on this platform.

`frr-reload.py` (GPL, run as the router's own program) orders the patch; the rollback is armed in
the router by `commit-confirm` (beside this file, installed on the router).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network
from typing import Any

from gaoling.network.diff import Difference, Line
from gaoling.network.guard import Way
from gaoling.network.session import Answer, Session, SessionError

PLATFORM = "frr"
BACKUP = "show running-config no-header"
_HEADINGS = ("Lines To", "====")


class EngineError(Exception):
    """A step did not do what it must; the message names device, step and what was said."""


@dataclass(frozen=True)
class Patch:
    """An ordered patch: `text` is what is sent, its `digest` what was reviewed."""

    text: str
    commands: tuple[Line, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_plan(text: str) -> Patch:
    """Return the patch that `frr-reload.py --test` printed.

    Each command stands under its contexts, by indentation. Each context is left by `exit` before
    the next: in `router ospf6`, `interface NAME` is the start of another command. Raises
    EngineError for anything that is not a command.
    """
    lines, commands = [], []
    stack: list[tuple[int, str]] = []
    for raw in text.splitlines():
        if not raw.strip() or raw.startswith(_HEADINGS):
            continue
        if "\x1b" in raw or "Traceback" in raw:
            raise EngineError(f"frr-reload.py said: {raw.strip()}")
        depth = len(raw) - len(raw.lstrip())
        inside = len(stack) - 1
        while stack and stack[-1][0] >= depth:
            stack.pop()
        lines += ["exit"] * (inside - len(stack))
        stack.append((depth, raw.strip()))
        lines.append(raw.rstrip())
        commands.append(tuple(word for _, word in stack))
    # a header that only opens the way for the next line is no command of its own
    leaves = [
        command
        for command, following in zip(commands, [*commands, ()][1:], strict=True)
        if following[: len(command)] != command or len(following) == len(command)
    ]
    return Patch("\n".join(lines) + "\n" if lines else "", tuple(leaves))


def additions(found: Difference) -> Patch | None:
    """Return the patch of a difference that takes nothing away; None where something goes.

    What only adds needs no frr-reload.py: the order is that of the configuration itself, in which a
    router reads all of it when it starts, but for two things. OSPF's own part comes first, else its
    first hellos name the router 0.0.0.0; and OSPF begins on an interface when all else about the
    interface is said, else its first hellos have the wrong timers. Both cost a hello interval.
    What deletes or replaces is ordered by frr-reload.py.
    """
    if found.removed or not found.added:
        return None
    lines: list[str] = []
    context: Line = ()
    for *where, word in sorted(found.added, key=_turn):
        if (*where,) != context:
            context = (*where,)
            lines += [f"{' ' * depth}{header}" for depth, header in enumerate(context)]
        lines.append(f"{' ' * len(context)}{word}")
    return read_plan("\n".join(lines))


def _turn(line: Line) -> int:
    if line[0].startswith("router ospf"):
        return 0
    return 2 if re.match(r"ip(v6)? ospf6? area ", line[-1]) else 1


@dataclass(frozen=True)
class Facts:
    """What a router is before a change: `state` says whether a rollback is armed in it."""

    state: str
    way: Way
    running: str
    neighbours: dict[str, Any]


class FrrEngine:
    """The contract's steps on one router, over one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.device = session.device

    def _helper(self, words: str, stdin: str = "", *, fails: bool = True) -> Answer:
        answer = self.session.run(f"commit-confirm {words}", stdin)
        if fails and answer.code:
            step = words.split()[0]
            raise EngineError(f"{self.device}: {step} failed: {answer.text.strip()[:300]}")
        return answer

    def data(self, *commands: str) -> list[dict[str, Any]]:
        """Return what `show ... json` commands say. Raises EngineError when it is not JSON."""
        return [self._data(command) for command in commands]

    def _data(self, command: str) -> dict[str, Any]:
        text = self.session.show(command)
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError):
            raise EngineError(
                f"{self.device}: `{command}`: found {text.strip()[:80]!r}, expected JSON"
            ) from None

    def routes(self) -> set[IPv6Network]:
        """Return the IPv6 prefixes that the router forwards to: selected and in the kernel."""
        return {IPv6Network(x) for x in self.routes_shown()}

    def routes_shown(self) -> set[str]:
        """Return the same as FRR writes them (RFC 5952, as Python does): a tenth of the work.

        Read from the table for people: the JSON of 300 routes is seven times as long.
        """
        text = self.session.show("show ipv6 route")
        return set(re.findall(r"^[A-Z]>\*\s+(\S+/\d+)", text, re.MULTILINE))

    def facts(self, management: IPv4Address, ospf: bool) -> Facts:
        """Return all that a change must know first.

        Raises EngineError when the device is no FRR, another one, or its answer is cut off.
        """
        state, source = self._helper("facts").text.splitlines()
        version = self.session.show("show version")
        if not version.startswith("FRRouting "):
            raise EngineError(f"{self.device}: found {version[:60]!r}, expected FRRouting")
        routes = self._data(f"show ip route {source} json")
        hops = [h for entries in routes.values() for r in entries for h in r["nexthops"]]
        names = tuple(sorted({h["interfaceName"] for h in hops if "interfaceName" in h}))
        running = self.running()
        neighbours = self._data("show ip ospf neighbor json") if ospf else {}
        return Facts(state, Way(self.device, management, names), running, neighbours)

    def _running(self, text: str) -> str:
        found = re.search(r"^frr version .*?^end$\n", text, re.MULTILINE | re.DOTALL)
        if not found:
            raise EngineError(f"{self.device}: the running configuration came back cut off")
        if f"\nhostname {self.device}\n" not in found[0]:
            raise EngineError(f"{self.device}: found the configuration of another device")
        return found[0]

    def running(self) -> str:
        """Return the running configuration, whole. Raises EngineError when its end is missing."""
        return self._running(self.session.show(BACKUP))

    def patch(self, target: str) -> Patch:
        """Return the ordered patch from running to target, made by the router itself."""
        return read_plan(self._helper("plan", target).text)

    def arm(self, seconds: int, backup: str) -> None:
        """Arm the rollback. Raises EngineError when the router holds another backup than we do."""
        digest = self._helper(f"start {seconds}").text.strip()
        if digest != hashlib.sha256(backup.encode()).hexdigest():
            self._helper("rollback", fails=False)
            raise EngineError(
                f"{self.device}: the running configuration changed between backup and arming: "
                "somebody else is at work on it"
            )

    def apply(self, patch: Patch) -> tuple[str, str]:
        """Send the patch; return what the router said of it and its configuration after it.

        It is applied whole or not at all, also when the session is cut while it runs.
        """
        said = self._helper(f"apply {patch.digest}", patch.text).text
        return said, self.running()

    def confirm(self) -> None:
        """Disarm and save."""
        self._helper("confirm")

    def roll_back(self) -> str:
        """Restore now; return what the router said (`restored identical`)."""
        try:
            return self._helper("rollback", fails=False).text.strip()
        except SessionError:
            return "the session is cut: the router restores itself"
