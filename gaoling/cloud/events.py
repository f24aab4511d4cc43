"""What the engine says of a run: its event log, read line by line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gaoling.cloud.faults import fault

# What may hold data: nothing of these goes without being named
STATEFUL = (
    "openstack:blockstorage/volume:Volume",
    "openstack:objectstorage/container:Container",
    "openstack:objectstorage/containerObject:ContainerObject",
    "openstack:database/database:Database",
    "openstack:database/instance:Instance",
    "openstack:sharedfilesystem/share:Share",
    "openstack:identity/project:Project",
)
DESTRUCTIVE = ("delete", "replace", "create-replacement", "delete-replaced")
SILENT = ("same", "read", "refresh")
CREATES = ("create", "create-replacement")
SHOWN = 4  # of what is waited for
STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Change:
    """One step: what is done to which resource; `keys` are the arguments that differ."""

    op: str
    type: str
    urn: str
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def destructive(self) -> bool:
        return self.op in DESTRUCTIVE

    @property
    def stateful(self) -> bool:
        return self.type in STATEFUL

    @property
    def system(self) -> str:
        """Return the system that the resource belongs to; "" for what is of no system."""
        kinds, _, name = self.urn.rpartition("::")
        if "gaoling:cloud:LandingZone" not in kinds:
            return ""
        return name


@dataclass
class Progress:
    """A run so far: what is done, what failed, what was said."""

    changes: list[Change] = field(default_factory=list)
    done: int = 0
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # the same, a line each
    violations: list[str] = field(default_factory=list)
    summary: dict[str, int] = field(default_factory=dict)
    begun: dict[str, str] = field(default_factory=dict)  # URN -> step, of what is in hand
    steps: dict[str, str] = field(default_factory=dict)  # the same, of all
    creates: dict[str, dict[str, Any]] = field(default_factory=dict)  # what is to be, by URN
    made: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)  # what the program declares, by URN
    outputs_differ: bool = False

    @property
    def lost(self) -> dict[str, dict[str, Any]]:
        """Return the creates of which nobody knows whether they were done, by URN."""
        return {u: c for u, c in self.creates.items() if c.get("custom") and u not in self.made}

    @property
    def in_hand(self) -> str:
        """Say what is begun and not done, for people."""
        named = [f"{op} {_short(urn)}" for urn, op in sorted(self.begun.items())]
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        return f"waiting for {', '.join(named[:SHOWN])}{more}" if named else "nothing in hand"

    @property
    def still(self) -> bool:
        """Say whether a preview found that nothing would be done or written."""
        return not self.changed and not self.outputs_differ

    @property
    def counts(self) -> dict[str, int]:
        """Return how many resources each kind of step concerns, without those that stay."""
        if self.summary:
            return {op: n for op, n in self.summary.items() if op not in SILENT and n}
        return dict(Counter(c.op for c in self.changes))

    @property
    def changed(self) -> bool:
        return bool(self.counts)

    def take(self, event: dict[str, Any]) -> None:
        """Take one event of the log."""
        if found := event.get("resourcePreEvent"):
            self._step(found["metadata"])
        elif found := event.get("resOutputsEvent"):
            self._done(found["metadata"])
        elif found := event.get("resOpFailedEvent"):
            self.failed.append(found["metadata"]["urn"])
            self.begun.pop(found["metadata"]["urn"], None)
        elif found := event.get("diagnosticEvent"):
            if found.get("severity") == "error" and not found.get("ephemeral"):
                self._error(_plain(found["message"]), found.get("urn") or "")
        elif found := event.get("policyEvent"):
            if found.get("enforcementLevel") == "mandatory":
                self.violations.append(f"{found['policyName']}: {_plain(found['message'])}")
        elif found := event.get("summaryEvent"):
            self.summary = found.get("resourceChanges") or {}

    def _error(self, message: str, urn: str) -> None:
        self.errors.append(message)
        if line := fault(message, urn, self.steps.get(urn, "")):
            self.faults.append(line)

    def _step(self, about: dict[str, Any]) -> None:
        if not about["op"].startswith("delete"):
            self.kept.add(about["urn"])
        if about["op"] in SILENT:
            return
        self.begun[about["urn"]] = self.steps[about["urn"]] = about["op"]
        if about["op"] in CREATES and about.get("new"):
            self.creates[about["urn"]] = about["new"]
        keys = tuple(about.get("diffs") or about.get("keys") or ())
        self.changes.append(Change(about["op"], about["type"], about["urn"], keys))

    def _done(self, about: dict[str, Any]) -> None:
        self.done += about["op"] not in SILENT
        self.begun.pop(about["urn"], None)
        self.made.add(about["urn"])
        if about["type"] == STACK:
            before, after = (about.get(side) or {} for side in ("old", "new"))
            self.outputs_differ = before.get("outputs") != after.get("outputs")
        self._refreshed(about)

    def _refreshed(self, about: dict[str, Any]) -> None:
        """A refresh says what it found (update, delete) only when it has looked."""
        if about["op"] in ("update", "delete") and not any(
            c.urn == about["urn"] for c in self.changes
        ):
            keys = tuple(about.get("diffs") or ())
            self.changes.append(Change(about["op"], about["type"], about["urn"], keys))


def _short(urn: str) -> str:
    kinds, _, name = urn.rpartition("::")
    return f"{kinds.rpartition(':')[2]} {name}"


def _plain(text: str) -> str:
    """Return a message without Pulumi's colour marks."""
    while "<{%" in text and "%}>" in text:
        start = text.index("<{%")
        text = text[:start] + text[text.index("%}>", start) + 3 :]
    return text.strip()


class EventLog:
    """An event log that is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield the events that were written since; a line that is not whole waits."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)
