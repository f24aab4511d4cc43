"""The engine for FRR: what each step of the contract is on this platform.

`frr-reload.py` (GPL, run as the router's own program) orders the patch; the rollback is armed in
the router by `commit-confirm` (beside this file, installed on the router).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network
from typing import Any

from gaoling.network.diff import Line
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

    Each command stands under its contexts, by indentation. Raises EngineError for anything that
    is not a command.
    """
    lines, commands = [], []
    stack: list[tuple[int, str]] = []
    for raw in text.splitlines():
        if not raw.strip() or raw.startswith(_HEADINGS):
            continue
        if "\x1b" in raw or "Traceback" in raw:
            raise EngineError(f"frr-reload.py said: {raw.strip()}")
        depth = len(raw) - len(raw.lstrip())
        while stack and stack[-1][0] >= depth:
            stack.pop()
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


@dataclass(frozen=True)
class Facts:
    """What a router is before a change: `state` says whether a rollback is armed in it."""

    state: str
    way: Way
    running: str
    neighbours: dict[str, Any]


def _json(device: str, text: str, commands: Sequence[str]) -> list[dict[str, Any]]:
    """Return one value for each command from JSON texts that follow each other."""
    found = []
    for command in commands:
        text = text.lstrip()
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except json.JSONDecodeError:
            raise EngineError(
                f"{device}: `{command}`: found {text.strip()[:80]!r}, expected JSON"
            ) from None
        text = text[end:]
        found.append(value)
    return found


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
        return _json(self.device, self.session.run("\n".join(commands)).text, commands)

    def routes(self) -> set[IPv6Network]:
        """Return the IPv6 prefixes that the router forwards to: selected and in the kernel.

        Read from the table for people: the JSON of 300 routes is seven times as long.
        """
        text = self.session.run("show ipv6 route").text
        return {IPv6Network(x) for x in re.findall(r"^[A-Z]>\*\s+(\S+/\d+)", text, re.MULTILINE)}

    def facts(self, management: IPv4Address, ospf: bool) -> Facts:
        """Return all that a change must know first, in one call.

        Raises EngineError when the device is no FRR, another one, or its answer is cut off.
        """
        text = self._helper("facts ospf" if ospf else "facts").text
        state, source, rest = text.split("\n", 2)
        if not rest.startswith("FRRouting "):
            raise EngineError(f"{self.device}: found {rest[:60]!r}, expected FRRouting")
        running = self._running(rest)
        before, _, after = rest.partition(running)
        (routes,) = _json(self.device, before[before.find("\n{") :], [f"show ip route {source}"])
        hops = [h for entries in routes.values() for r in entries for h in r["nexthops"]]
        names = tuple(sorted({h["interfaceName"] for h in hops if "interfaceName" in h}))
        neighbours = _json(self.device, after, ["show ip ospf neighbor"])[0] if ospf else {}
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
        return self._running(self.session.run(BACKUP).text)

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
        text = self._helper(f"apply {patch.digest}", patch.text).text
        running = self._running(text)
        return text.partition(running)[0], running

    def confirm(self) -> None:
        """Disarm and save."""
        self._helper("confirm")

    def roll_back(self) -> str:
        """Restore now; return what the router said (`restored identical`)."""
        try:
            return self._helper("rollback", fails=False).text.strip()
        except SessionError:
            return "the session is cut: the router restores itself"
