"""Run Pulumi's own CLI on many stacks: in their order, several at once, with a log each."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gaoling.city import City
from gaoling.cloud import locks, states
from gaoling.cloud.events import Change, EventLog, Progress
from gaoling.cloud.home import SYNC_SECRET, Home, cloud_of, stack_config, write_config
from gaoling.cloud.settle import Marks
from gaoling.cloud.stacks import PLATFORM, QUIET, ROOT, Stack

Operation = Literal["preview", "up", "refresh", "destroy"]
# Operations at once in a stack. The provider sleeps 5 s before it first looks at a network, subnet,
# port or router that it made: most operations wait. More at once only ask more often for what the
# service has no time to make (docs/performance.md: 24 took a fifth longer).
PARALLEL = 12
REPORT_SECONDS = 10.0
SILENCE_SECONDS = 60.0  # without a word: say what is waited for
PATIENCE_SECONDS = 1800.0  # without a word: the longest that the provider waits for one resource
GRACE_SECONDS = 30.0  # from the interrupt to the kill
ARGUMENTS: dict[Operation, tuple[str, ...]] = {
    "preview": (),
    "up": ("--yes", "--skip-preview", "--suppress-outputs"),
    "refresh": ("--yes", "--skip-preview", "--suppress-outputs"),
    "destroy": ("--yes", "--skip-preview"),
}


class RunError(Exception):
    """A run cannot start, or failed: what was found, and what to do."""


@dataclass
class Outcome:
    """What a run of one stack came to."""

    stack: Stack
    operation: Operation
    code: int
    seconds: float
    progress: Progress
    log: Path

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def changes(self) -> list[Change]:
        return self.progress.changes

    def why(self) -> str:
        """Return why it failed: a line a fault, the rules that were broken, or the log's end."""
        said = list(dict.fromkeys([*self.progress.violations, *self.progress.faults]))
        said = said or list(dict.fromkeys(self.progress.errors))
        if not said and self.log.exists():
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = lines[-5:]
        return "\n".join(said) or f"exit {self.code}; see {self.log}"


Extra = Callable[[Stack], Sequence[str]]


@dataclass
class Runner:
    """Runs stacks of a city. `say` gets one line at a time, from any thread.

    `unscheduled` are volumes in which nothing can be, as far as they were asked for: URN -> id.
    """

    home: Home
    city: City
    say: Callable[[str], None]
    jobs: int = 1
    parallel: int = PARALLEL
    patience: float = PATIENCE_SECONDS
    interrupted: bool = False
    unscheduled: dict[str, str] = field(default_factory=dict)
    _running: dict[str, tuple[subprocess.Popen[bytes], Progress]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _unlocked: list[tuple[str, str]] = field(default_factory=list)  # stack, URN

    def prepare(self, wanted: Sequence[Stack]) -> None:
        """Make everything that a run needs: folders, access to projects, the stacks themselves.

        Raises AccessError, ToolchainError, RunError, StateError. Nothing in the cloud is touched.
        """
        self.home.make()
        clouds = sorted({cloud_of(self.city, s.region) for s in wanted})
        self.home.write_access(self.city, clouds)
        # the event log, which the Automation API reads too, is a flag of "debug commands"
        ours = {"PULUMI_DEBUG_COMMANDS": "true", QUIET: "1"}
        self._environment = self.home.environment() | ours
        if folder := self.home.local:
            for stack in wanted:
                states.check(folder, stack.name, self.home.good)
        known = self._stacks()
        for stack in wanted:
            if stack.name not in known:
                self.pulumi(["stack", "init", stack.name, "--no-select"], cwd=self.home.stacks)
            path = self.home.config_file(stack.name)
            if stack.part.isdigit() and SYNC_SECRET not in _text(path):
                secret = self.home.sync_secret.read_text()
                command = ["config", "set", "--secret", SYNC_SECRET, "--stack", stack.name]
                self.pulumi(command, cwd=self.home.stacks, stdin=secret)
            write_config(path, stack_config(self.city, stack))

    def _stacks(self) -> set[str]:
        if folder := self.home.local:
            return {path.stem for path in states.file_of(folder, "x").parent.glob("*.json")}
        listed = json.loads(self.pulumi(["stack", "ls", "--json"], cwd=self.home.stacks))
        return {str(row["name"]).rpartition("/")[2] for row in listed}

    def pulumi(self, command: list[str], cwd: Path = ROOT, stdin: str | None = None) -> str:
        """Run a short command of the CLI; return its output. Raises RunError."""
        done = subprocess.run(
            ["pulumi", *command, "--non-interactive", "--color", "never"],
            cwd=cwd,
            env=self._environment,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RunError(f"pulumi {' '.join(command[:3])}: {done.stderr.strip()}")
        return done.stdout

    def outputs(self, stack: str) -> str:
        """Return a stack's outputs as JSON; secrets are not shown."""
        return self.pulumi(["stack", "output", "--json", "--stack", stack])

    def resources(self, stack: str) -> set[str]:
        """Return the URNs of what a stack's state holds. Raises RunError, OSError, ValueError."""
        return {row["urn"] for row in self.rows(stack)}

    def holds(self, stack: str) -> bool:
        """Say whether a stack's state holds anything. Raises RunError."""
        if folder := self.home.local:
            path = states.file_of(folder, stack)
            return path.exists() and states.holds(path)
        return bool(self.rows(stack))

    def protected(self, stack: str) -> set[str]:
        """Return the URNs of what is protected in a stack's state. Raises as `resources`."""
        return {row["urn"] for row in self.rows(stack) if row.get("protect")}

    def rows(self, stack: str) -> list[dict[str, Any]]:
        """Return what a stack's state holds. Raises as `resources`."""
        if folder := self.home.local:
            found = json.loads(_text(states.file_of(folder, stack)) or '{"checkpoint": {}}')
            held = found["checkpoint"].get("latest") or {}
        else:
            text = self.pulumi(["stack", "export", "--stack", stack])
            held = json.loads(text)["deployment"] or {}
        return list(held.get("resources") or [])

    def unlock(self, stack: str, urn: str) -> None:
        """Take the protection of a resource away until `locking` ends. Raises RunError."""
        self.pulumi(["state", "unprotect", urn, "--stack", stack, "--yes"])
        self._unlocked.append((stack, urn))

    @contextlib.contextmanager
    def locking(self) -> Iterator[None]:
        """Protect again at the end what was unlocked and is still there, however it ends."""
        try:
            yield
        finally:
            for stack in sorted({name for name, _ in self._unlocked}):
                open_ = self.resources(stack) - self.protected(stack)
                for urn in [u for name, u in self._unlocked if name == stack and u in open_]:
                    self.pulumi(["state", "protect", urn, "--stack", stack, "--yes"])
            self._unlocked.clear()

    def all(
        self,
        operation: Operation,
        wanted: Sequence[Stack],
        *flags: str,
        backwards: bool = False,
        extra: Extra = lambda _: (),
    ) -> list[Outcome]:
        """Run an operation on stacks, in their order; return what each came to.

        `extra` gives the flags of one stack. A stack begins when those that it builds on (the
        platforms, and its own shard in the waves before) have made it (`Stack.anchors`), at the
        latest when they have ended; of those that may begin, one whose region has the least to do.
        After a failure what was begun goes on, and nothing is begun that builds on what failed. A
        preview changes nothing and waits for nobody. Ctrl-C lets each stack finish what it has in
        hand, and sets `interrupted`.
        """
        left = sorted(wanted, key=lambda s: s.wave, reverse=backwards)
        runs: dict[Stack, Future[Outcome]] = {}
        with ThreadPoolExecutor(max_workers=max(1, self.jobs)) as pool:
            try:
                while True:
                    active = [s for s, run in runs.items() if not run.done()]
                    ready = [
                        s for s in left if operation == "preview" or all(
                            self._made(t, runs.get(t), operation)
                            for t in wanted if _before(t, s, backwards)
                        )
                    ]  # fmt: skip
                    if ready and len(active) < max(1, self.jobs):
                        busy = Counter(s.region for s in active)
                        s = min(ready, key=lambda s: busy[s.region])
                        left.remove(s)
                        runs[s] = pool.submit(self.one, operation, s, *flags, *extra(s))
                    elif active:
                        wait([runs[s] for s in active], 0.1, FIRST_COMPLETED)
                    elif not ready:
                        return [run.result() for run in runs.values()]
            except KeyboardInterrupt:
                self.interrupt()
                return [run.result() for run in runs.values()]

    def _made(self, stack: Stack, run: Future[Outcome] | None, operation: Operation) -> bool:
        """Return whether a stack has made what others build on. Raises what its run raised."""
        if run is None:
            return False
        return run.result().ok if run.done() else operation == "up" and self._anchored(stack)

    def _anchored(self, stack: Stack) -> bool:
        _, progress = self._running.get(stack.name, (None, Progress()))
        return bool(stack.anchors) and stack.anchors <= progress.made

    def one(self, operation: Operation, stack: Stack, *flags: str) -> Outcome:
        """Run an operation on one stack and follow its events. Raises locks.Locked."""
        begin = time.monotonic()
        stamp = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
        base = self.home.logs / f"{stack.name}-{operation}-{stamp}"
        log, events = base.with_suffix(".log"), base.with_suffix(".events.jsonl")
        outcome = Outcome(stack, operation, 1, 0.0, Progress(), log)
        if self._stopped.is_set():
            outcome.progress.errors.append("not begun: interrupted")
            return outcome
        folder = self.home.local
        if operation != "preview" and folder and locks.clear(folder, stack.name):
            self.say(f"{stack.name}: a lock of a run that was killed is gone")
        # the CLI refuses to be told at once to ask nobody and to change nothing
        given = list(ARGUMENTS[operation])
        if "--preview-only" in flags:
            given = [word for word in given if word not in ("--yes", "--skip-preview")]
        command = ["pulumi", operation, *given, *flags]
        command += ["--stack", stack.name, "--config-file", str(self.home.config_file(stack.name))]
        command += ["--event-log", str(events), "--parallel", str(self.parallel)]
        command += ["--non-interactive", "--suppress-progress", "--color", "never"]
        marks = Marks.read(self.home.marks(stack.name)) if operation == "up" else None
        if marks is not None:
            marks.begun(events)
        self._execute(command, outcome, events, begin)
        if not outcome.ok and not folder and locks.judge(stack.name, outcome.why()):
            self.say(f"{stack.name}: a lock of a run that was killed is gone")
            self.pulumi(["cancel", "--yes", "--stack", stack.name])
            outcome.progress = Progress()
            self._execute(command, outcome, events, begin)
        if marks is not None:
            marks.ended(events, outcome.progress)
        if outcome.ok and operation != "preview" and folder:
            states.keep(folder, stack.name, self.home.good)
        outcome.seconds = time.monotonic() - begin
        self.say(_line(outcome))
        return outcome

    def _execute(self, command: list[str], outcome: Outcome, events: Path, begin: float) -> None:
        name = outcome.stack.name
        with outcome.log.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
            self._running[name] = (process, outcome.progress)
            self._follow(process, EventLog(events), outcome, begin)
        del self._running[name]
        outcome.code = process.returncode

    def _follow(
        self, process: subprocess.Popen[bytes], log: EventLog, outcome: Outcome, begin: float
    ) -> None:
        said = heard = complained = begin
        asked = 0.0  # when it was told to stop, because nothing came for too long
        progress, name = outcome.progress, outcome.stack.name
        while True:
            ended = process.poll() is not None
            for event in log.new():
                progress.take(event)
                heard = time.monotonic()
            now = time.monotonic()
            if now - said > REPORT_SECONDS and outcome.operation != "preview":
                said = now
                about = f", {len(progress.failed)} failed" if progress.failed else ""
                total = outcome.stack.resources or "?"
                self.say(f"{name}: {progress.done} of {total}{about}, {now - begin:.0f} s")
            if now - max(heard, complained) > SILENCE_SECONDS:
                complained = now
                self.say(f"{name}: nothing for {now - heard:.0f} s, {progress.in_hand}")
            if not ended and not asked and now - heard > self.patience:
                asked = now
                progress.faults.append(
                    f"nothing came for {now - heard:.0f} s, {progress.in_hand}: stopped; "
                    "see whether the service answers, then run it again"
                )
                _signal(process, signal.SIGINT)
            if not ended and asked and now - asked > GRACE_SECONDS:
                _signal(process, signal.SIGKILL, group=True)
            if ended:
                return
            time.sleep(0.1)

    def interrupt(self) -> None:
        """Ask every run to finish what it has in hand and to begin nothing more."""
        self._stopped.set()
        self.interrupted = True
        for name, (process, progress) in list(self._running.items()):
            self.say(f"{name}: interrupted, {progress.in_hand}; finishing that")
            _signal(process, signal.SIGINT)


def _before(first: Stack, then: Stack, backwards: bool) -> bool:
    """Return whether `then` waits for `first`: a platform is under all, a shard under its own."""
    low, high = (then, first) if backwards else (first, then)
    return low.wave < high.wave and low.part in (PLATFORM, high.part)


def _signal(process: subprocess.Popen[bytes], number: int, group: bool = False) -> None:
    if process.poll() is None:
        (os.killpg if group else os.kill)(process.pid, number)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _line(outcome: Outcome) -> str:
    counts = outcome.progress.counts
    what = ", ".join(f"{op} {n}" for op, n in sorted(counts.items())) or "no changes"
    state = "ok" if outcome.ok else "FAILED"
    name = f"{outcome.stack.name} {outcome.operation}"
    return f"{name}: {state}, {what}, {outcome.seconds:.1f} s"
