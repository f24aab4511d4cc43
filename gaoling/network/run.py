"""Run a playbook over all routers through ansible-runner, a line of progress a wave."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import ansible_runner

from gaoling.city import City
from gaoling.network.change import CONFIRM_SECONDS
from gaoling.network.intent import changeable
from gaoling.network.journal import Journal
from gaoling.network.session import open_way
from gaoling.network.settings import ROOT
from gaoling.network.waves import waves

PLAYBOOKS = {"ipv6": "ipv6.yml", "rollback": "rollback_ipv6.yml"}
KEPT_RUNS = 20
# ansible-runner writes its whole environment to artifacts/*/command: it gets these and no more
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TERM", "USER", "LOGNAME", "SUDO_USER", "TZ")
Say = Callable[[str], None]


@dataclass
class Result:
    """What became of a run: device -> what it said."""

    changed: dict[str, str] = field(default_factory=dict)  # the digest of the patch
    same: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    not_done: list[str] = field(default_factory=list)
    diffs: dict[str, str] = field(default_factory=dict)
    risks: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        return not (self.failed or self.not_done or self.interrupted)


class RunError(Exception):
    """The playbook could not be run; the message holds what Ansible said."""


@dataclass(frozen=True)
class Run:
    """One run: which playbook, on which devices, what was reviewed."""

    city: City
    access: Path
    home: Path
    kind: str
    limit: str = ""
    check: bool = False
    change: str = ""


def execute(run: Run, say: Say) -> Result:
    """Run it; return what became of each device. Ctrl-C finishes the devices in hand.

    Raises RunError when Ansible itself fails, SessionError when the bastion is closed.
    """
    open_way(run.access)
    folder = run.home / "network" / run.city.settings.id / "runner"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # all that the run writes lies in here; no umask: Python's caches of what it imports would be
    # root's alone, and Ansible stumbles over a folder of plugins that it may not list
    folder.chmod(0o700)
    events = _Events(run.city, say)
    began = time.monotonic()
    with _clean_environment(run, folder), _interruptible(events):
        done = ansible_runner.run(
            private_data_dir=str(folder),
            project_dir=str(ROOT),
            playbook=str(ROOT / "playbooks" / PLAYBOOKS[run.kind]),
            limit=run.limit or None,
            cmdline=" ".join(["--diff"] * run.check + ["--check"] * run.check) or None,
            extravars={"gaoling_change": run.change} if run.change else None,
            suppress_env_files=True,
            rotate_artifacts=KEPT_RUNS,
            quiet=True,
            event_handler=events.handle,
            cancel_callback=lambda: events.cancelled,
            finished_callback=None,
        )
    events.result.seconds = round(time.monotonic() - began, 1)
    result = events.result
    if not events.seen and not result.interrupted:
        raise RunError(f"ansible-playbook did nothing ({done.status}):\n{_tail(done)}")
    result.not_done = [n for n in events.wanted if n not in events.seen]
    shutil.rmtree(folder / "env", ignore_errors=True)
    return result


def finish_in_hand(journal: Journal, say: Say) -> list[str]:
    """Wait until no device is between armed and confirmed; return those that stay so.

    A device that nobody confirms undoes the change by itself after CONFIRM_SECONDS.
    """
    deadline = time.monotonic() + CONFIRM_SECONDS
    while (left := journal.unfinished()) and time.monotonic() < deadline:
        say(f"finishing the devices in hand: {', '.join(left)}")
        time.sleep(2)
    return left


def _tail(done: Any) -> str:
    with contextlib.suppress(OSError, AttributeError):
        return "\n".join(done.stdout.read().splitlines()[-15:])
    return ""


class _Events:
    """Counts what the runner reports, and says when a wave is done."""

    def __init__(self, city: City, say: Say) -> None:
        self.result = Result()
        self.seen: set[str] = set()
        self.cancelled = False
        self.wanted: list[str] = []
        self._say = say
        self._wave = {n: w for w, names in enumerate(waves(city), 1) for n in names}
        self._ours = {d.name for d in changeable(city)}
        self._batch: set[str] = set()
        self._began = time.monotonic()

    def handle(self, event: dict[str, Any]) -> bool:
        about = event.get("event_data", {})
        kind, host = event.get("event", ""), about.get("host", "")
        if kind == "playbook_on_play_start":
            self._began = time.monotonic()
        elif kind == "runner_on_start" and host in self._ours:
            self.wanted.append(host)
            self._batch.add(host)
        elif kind in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            self._take(kind, host, about.get("res", {}))
        return False  # the artifact folder keeps no event: they would hold device output

    def _take(self, kind: str, host: str, said: dict[str, Any]) -> None:
        self.seen.add(host)
        self._batch.discard(host)
        if kind != "runner_on_ok":
            self.result.failed[host] = str(said.get("msg", "failed"))
            self._say(f"{host}: {self.result.failed[host]}")
        elif said.get("changed"):
            self.result.changed[host] = str(said.get("patch", ""))
            self.result.risks[host] = str(said.get("risk", ""))
            diff = said.get("diff") or {}
            self.result.diffs[host] = str(diff.get("prepared", ""))
        else:
            self.result.same.append(host)
        if not self._batch:
            wave = self._wave.get(host, 0)
            mine = [n for n in self.seen if self._wave.get(n) == wave]
            new = sum(1 for n in mine if n in self.result.changed)
            bad = sum(1 for n in mine if n in self.result.failed)
            spent = time.monotonic() - self._began
            self._say(
                f"wave {wave}: {len(mine)} devices, {new} changed, {bad} failed, {spent:.1f} s"
            )


@contextlib.contextmanager
def _clean_environment(run: Run, home: Path) -> Iterator[None]:
    """Give the runner an environment without secrets; ours comes back after it.

    Ansible keeps its files under `home`: the account may have no home of its own, or no right to
    it. SHELL is what ssh starts its way through the bastion with: the account may have none.
    """
    kept = dict(os.environ)
    clean = {name: kept[name] for name in _ENVIRONMENT if name in kept}
    clean["PATH"] = f"{Path(sys.executable).parent}:{clean.get('PATH', '/usr/bin:/bin')}"
    clean |= {"HOME": str(home), "ANSIBLE_HOME": str(home / "ansible"), "SHELL": "/bin/sh"}
    clean["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    clean["GAOLING_CITY"] = str(run.city.directory)
    clean["GAOLING_ACCESS"] = str(run.access.parent)
    clean["GAOLING_STATE"] = str(run.home)
    os.environ.clear()
    os.environ.update(clean)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


@contextlib.contextmanager
def _interruptible(events: _Events) -> Iterator[None]:
    """On Ctrl-C no further device is begun; those in hand finish in their own process groups."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        events.cancelled = True
        events.result.interrupted = True

    old = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old)
