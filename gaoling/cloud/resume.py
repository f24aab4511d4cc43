"""Before a run: what earlier runs of a stack left open is settled, and said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from gaoling.cloud import journal, locks, states
from gaoling.cloud.connect import connect
from gaoling.cloud.run import RunError, Runner
from gaoling.cloud.settle import Marks, Settled, Unsettled, failed, pending, settle
from gaoling.cloud.stacks import Stack

YOUNG_SECONDS = 60.0  # after a run the cloud may still be at work on what it was asked


def resume(runner: Runner, wanted: Sequence[Stack]) -> None:
    """Settle what earlier runs left open in these stacks.

    What is in the cloud goes into the state, what is not is made by the next run; nothing is
    deleted. Raises Unsettled, RunError, locks.Locked.
    """
    for stack in wanted:
        marks = Marks.read(runner.home.marks(stack.name))
        if not marks and not _open(runner, stack):
            continue
        if folder := runner.home.local:
            locks.clear(folder, stack.name)
        _Resumed(runner, stack, marks).run()


def _open(runner: Runner, stack: Stack) -> bool:
    """Say whether a stack's state has creates that were cut off."""
    if folder := runner.home.local:
        path = states.file_of(folder, stack.name)
        if not path.exists() or '"pending_operations"' not in path.read_text(encoding="utf-8"):
            return False
    return bool(pending(_export(runner, stack)))


def _export(runner: Runner, stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(runner.pulumi(["stack", "export", "--stack", stack.name]))
    return found


class _Resumed:
    def __init__(self, runner: Runner, stack: Stack, marks: Marks) -> None:
        self._runner, self._stack, self._marks = runner, stack, marks
        self._connection = connections(runner)

    def run(self) -> None:
        deployment = _export(self._runner, self._stack)
        cut = pending(deployment)
        known = {c["urn"] for c in cut}
        cut += [c for c in failed(self._marks) if c["urn"] not in known]
        self._take(deployment, self._settle(deployment, cut), bool(known))
        while self._marks.everything:
            outcome = self._runner.one("preview", self._stack)
            if not outcome.ok:
                raise RunError(f"{self._stack.name}: preview failed\n{outcome.why()}")
            deployment = _export(self._runner, self._stack)
            all_of_it = list(outcome.progress.creates.values())
            wanted = [c for c in all_of_it if c.get("custom")]
            found = self._settle(deployment, wanted, all_of_it)
            self._take(deployment, found, False)
            self._marks.everything = bool(found.adopted and found.waiting)
        self._read()
        self._marks.events = []
        self._marks.write()

    def _settle(
        self, deployment: dict[str, Any], cut: list[Any], frames: Sequence[Any] = ()
    ) -> Settled:
        from keystoneauth1.exceptions import ClientException
        from openstack.exceptions import SDKException

        at = (deployment["deployment"].get("manifest") or {}).get("time", "")
        young = bool(at) and time.time() - _seconds(at) < YOUNG_SECONDS
        try:
            return settle(deployment, cut, self._connection, young, frames)
        except (ClientException, SDKException) as error:
            line = str(error).partition("\n")[0]
            raise Unsettled(
                f"{self._stack.name}: a run was cut off while it made {len(cut)} resources, and "
                f"the cloud does not say whether they are there: {line}; run again when it does"
            ) from None

    def _take(self, deployment: dict[str, Any], found: Settled, cleared: bool) -> None:
        """Write what was found into the state."""
        if found.removed:
            gone = [urn for urn, _ in found.removed]
            journal.append(
                self._runner.home.state, "cloud adopt", stack=self._stack.name, gone=gone
            )
        for urn, identity in found.removed:
            self._runner.say(f"{self._stack.name}: {named(urn)} {identity} was made by a run that "
                             "was cut off, and its secret is lost: removed, the next up makes "
                             "another")  # fmt: skip
        if not found.adopted and not cleared:
            return
        runner, name = self._runner, self._stack.name
        self._marks.adopted += [urn for urn, _ in found.adopted]
        self._marks.write()
        runner.pulumi(["stack", "import", "--stack", name], stdin=json.dumps(deployment))
        for urn, identity in found.adopted:
            runner.say(f"{name}: {named(urn)} {identity} was made by a run that was cut off: "
                       "taken into the state")  # fmt: skip
        for urn in found.absent:
            runner.say(f"{name}: {named(urn)} was begun by a run that was cut off and is not "
                       "there: the next up makes it")  # fmt: skip
        if found.adopted:
            journal.append(
                runner.home.state, "cloud adopt", stack=name, adopted=dict(found.adopted)
            )

    def _read(self) -> None:
        """Read what was taken into the state from the cloud: the state had its arguments only."""
        held = self._runner.resources(self._stack.name) if self._marks.adopted else set()
        urns = [urn for urn in self._marks.adopted if urn in held]
        if urns:
            targets = [word for urn in urns for word in ("--target", urn)]
            outcome = self._runner.one("refresh", self._stack, *targets)
            if not outcome.ok:
                raise RunError(f"{self._stack.name}: refresh failed\n{outcome.why()}")
        self._marks.adopted = []


def connections(runner: Runner) -> Callable[[str], Any]:
    """Return a function that gives one connection an entry of clouds.yaml."""
    made: dict[str, Any] = {}

    def get(entry: str) -> Any:
        if entry not in made:
            made[entry] = connect(runner.home.clouds, entry)
        return made[entry]

    return get


def named(urn: str) -> str:
    """Return what people call a resource: the last word of its type, and its name."""
    return f"{urn.rpartition('::')[0].rpartition(':')[2]} {urn.rpartition('::')[2]}"


def _seconds(at: str) -> float:
    """Return the time of a manifest, which has nanoseconds."""
    whole = at.partition(".")[0].removesuffix("Z")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
