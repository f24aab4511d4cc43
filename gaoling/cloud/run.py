"""Run Pulumi's own CLI on many stacks: in their order, several at once, with a log each."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

from gaoling.city import City
from gaoling.cloud import locks
from gaoling.cloud.events import Change, EventLog, Progress
from gaoling.cloud.home import SYNC_SECRET, Home, cloud_of, stack_config, write_config
from gaoling.cloud.stacks import ROOT, Stack

Operation = Literal["preview", "up", "refresh", "destroy"]
# Operations at once in a stack. The provider sleeps 5 s before it first looks at a network, subnet,
# port or router that it made: most operations wait, few work. Each costs little memory.
PARALLEL = 24
REPORT_SECONDS = 10.0
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
        """Return why it failed: the engine's errors, the rules that were broken, or the log."""
        said = list(dict.fromkeys([*self.progress.violations, *self.progress.errors]))
        if not said and self.log.exists():
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = lines[-5:]
        return "\n".join(said) or f"exit {self.code}; see {self.log}"


@dataclass
class Runner:
    """Runs stacks of a city. `say` gets one line at a time, from any thread."""

    home: Home
    city: City
    say: Callable[[str], None]
    jobs: int = 1
    parallel: int = PARALLEL
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def prepare(self, wanted: Sequence[Stack]) -> None:
        """Make everything that a run needs: folders, access to projects, the stacks themselves.

        Raises AccessError, ToolchainError, RunError. Nothing in the cloud is touched.
        """
        self.home.make()
        clouds = sorted({cloud_of(self.city, s.region) for s in wanted})
        self.home.write_access(self.city, clouds)
        # the event log, which the Automation API reads too, is a flag of "debug commands"
        self._environment = self.home.environment() | {"PULUMI_DEBUG_COMMANDS": "true"}
        known = self._stacks()
        for stack in wanted:
            if stack.name not in known:
                self._pulumi(["stack", "init", stack.name, "--no-select"], cwd=self.home.stacks)
            path = self.home.config_file(stack.name)
            if stack.part.isdigit() and SYNC_SECRET not in _text(path):
                secret = self.home.sync_secret.read_text()
                command = ["config", "set", "--secret", SYNC_SECRET, "--stack", stack.name]
                self._pulumi(command, cwd=self.home.stacks, stdin=secret)
            write_config(path, stack_config(self.city, stack))

    def _stacks(self) -> set[str]:
        folder = self.home.backend / ".pulumi" / "stacks" / "gaoling"
        return {path.stem for path in folder.glob("*.json")}

    def _pulumi(self, command: list[str], cwd: Path = ROOT, stdin: str | None = None) -> str:
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
        return self._pulumi(["stack", "output", "--json", "--stack", stack])

    def protect(self, stack: str, urn: str, on: bool) -> None:
        """Protect a resource in the state, or take its protection away. Raises RunError."""
        verb = "protect" if on else "unprotect"
        self._pulumi(["state", verb, urn, "--stack", stack, "--yes"])

    def all(
        self, operation: Operation, wanted: Sequence[Stack], *flags: str, backwards: bool = False
    ) -> list[Outcome]:
        """Run an operation on stacks, wave by wave; return what each came to.

        After a failure the rest of its wave goes on, later waves are not begun. A preview changes
        nothing: its waves are run together. Ctrl-C lets each stack finish what it has in hand.
        """
        found: list[Outcome] = []
        ordered = sorted(wanted, key=lambda s: s.wave, reverse=backwards)
        waves = [list(group) for _, group in groupby(ordered, key=lambda s: s.wave)]
        if operation == "preview":
            waves = [ordered]
        for wave in waves:
            with ThreadPoolExecutor(max_workers=max(1, self.jobs)) as pool:
                runs = [pool.submit(self.one, operation, stack, *flags) for stack in wave]
                try:
                    found += [run.result() for run in runs]
                except KeyboardInterrupt:
                    self.interrupt()
                    raise
            if not all(outcome.ok for outcome in found):
                break
        return found

    def one(self, operation: Operation, stack: Stack, *flags: str) -> Outcome:
        """Run an operation on one stack and follow its events. Raises locks.Locked."""
        begin = time.monotonic()
        stamp = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
        base = self.home.logs / f"{stack.name}-{operation}-{stamp}"
        log, events = base.with_suffix(".log"), base.with_suffix(".events.jsonl")
        progress = Progress()
        outcome = Outcome(stack, operation, 1, 0.0, progress, log)
        if self._stopped.is_set():
            progress.errors.append("not begun: interrupted")
            return outcome
        if operation != "preview" and locks.clear(self.home.backend, stack.name):
            self.say(f"{stack.name}: a lock of a run that was killed is gone")
        # the CLI refuses to be told at once to ask nobody and to change nothing
        given = list(ARGUMENTS[operation])
        if "--preview-only" in flags:
            given = [word for word in given if word not in ("--yes", "--skip-preview")]
        command = ["pulumi", operation, *given, *flags]
        command += ["--stack", stack.name, "--config-file", str(self.home.config_file(stack.name))]
        command += ["--event-log", str(events), "--parallel", str(self.parallel)]
        command += ["--non-interactive", "--suppress-progress", "--color", "never"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
            self._running[stack.name] = process
            self._follow(process, EventLog(events), outcome, begin)
        del self._running[stack.name]
        outcome.code = process.returncode
        outcome.seconds = time.monotonic() - begin
        self.say(_line(outcome))
        return outcome

    def _follow(
        self, process: subprocess.Popen[bytes], log: EventLog, outcome: Outcome, begin: float
    ) -> None:
        said = begin
        while True:
            ended = process.poll() is not None
            for event in log.new():
                outcome.progress.take(event)
            now = time.monotonic()
            if now - said > REPORT_SECONDS and outcome.operation != "preview":
                said = now
                done, failed = outcome.progress.done, len(outcome.progress.failed)
                about = f", {failed} failed" if failed else ""
                total = outcome.stack.resources or "?"
                self.say(f"{outcome.stack.name}: {done} of {total}{about}, {now - begin:.0f} s")
            if ended:
                return
            time.sleep(0.1)

    def interrupt(self) -> None:
        """Ask every run to finish what it has in hand and to begin nothing more."""
        self._stopped.set()
        for name, process in list(self._running.items()):
            self.say(f"{name}: interrupted, finishing what it has in hand")
            if process.poll() is None:
                os.kill(process.pid, signal.SIGINT)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _line(outcome: Outcome) -> str:
    counts = outcome.progress.counts
    what = ", ".join(f"{op} {n}" for op, n in sorted(counts.items())) or "no changes"
    state = "ok" if outcome.ok else "FAILED"
    name = f"{outcome.stack.name} {outcome.operation}"
    return f"{name}: {state}, {what}, {outcome.seconds:.1f} s"
