"""A change on one device, whole: facts, backup, render, diff, patch, guard, arm, apply, verify,
confirm or roll back, journal. One SSH session does all of it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gaoling.addressing.plan import Plan
from gaoling.city import City
from gaoling.network import guard, verify
from gaoling.network.diff import Difference, difference
from gaoling.network.engine_frr import EngineError, Facts, FrrEngine, Patch, additions
from gaoling.network.intent import intent_of
from gaoling.network.journal import Journal
from gaoling.network.render import TEMPLATES, Unsupported, render
from gaoling.network.session import Session, SessionError

# ospf6d keeps the LSA that a router took back for a minute, and a router that returns earlier is
# not seen by those who have it from somebody else: several that return together wait it out
FLUSHED_SECONDS = 60
CONFIRM_SECONDS = 120  # the router undoes the change by itself when it hears nothing for so long


class ChangeFailed(Exception):
    """A device was not changed; the message says why and what state it is left in."""


@dataclass(frozen=True)
class Job:
    """What to do with one device.

    `target` is a whole configuration (a backup to go back to); None renders `families` from the
    register. `in_service` names the routers that have IPv6 or get it in the same wave, `together`
    those that get it in the same wave. `reviewed` is the digest of the patch that was reviewed;
    None where nobody reviewed it before.
    """

    plan: Plan
    device: str
    access: Path
    state: Path
    journal: Journal
    change: str
    families: frozenset[int]
    target: str | None = None
    in_service: frozenset[str] = frozenset()
    together: frozenset[str] = frozenset()
    check: bool = False
    reviewed: str | None = None
    allow_deletions: bool = False
    confirm_seconds: int = CONFIRM_SECONDS


@dataclass
class Outcome:
    """What became of a device. `diff` and `patch` are the device's own text: not for logs."""

    device: str
    changed: bool = False
    digest: str = ""
    risk: str = "normal"
    diff: str = ""
    patch: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


def refuse_unsupported(city: City, devices: Collection[str]) -> None:
    """Raise Unsupported, naming every device whose platform has no engine: before any session."""
    wrong = [f"{n} ({city.device[n].platform})" for n in devices
             if city.device[n].platform not in TEMPLATES]  # fmt: skip
    if wrong:
        raise Unsupported(
            f"no engine for the platform of {', '.join(wrong)}; "
            f"expected one of: {', '.join(TEMPLATES)}; nothing was changed"
        )


def change_device(job: Job) -> Outcome:
    """Bring one device to its target, or leave it as it was.

    With `check` nothing is changed. Raises Unsupported before the session, guard.Refused before
    anything is sent, ChangeFailed after a rollback.
    """
    refuse_unsupported(job.plan.city, [job.device])
    target = job.target or render(job.plan, job.device, job.families)
    outcome = Outcome(job.device)
    with _clock(outcome, "all"), _alone(job):
        try:
            with _clock(outcome, "session"):
                session = Session(job.device, job.access)
            with session:
                _contract(job, FrrEngine(session), target, outcome)
        except (SessionError, EngineError) as error:
            raise ChangeFailed(str(error)) from error
    return outcome


def _contract(job: Job, engine: FrrEngine, target: str, outcome: Outcome) -> None:
    node = job.plan.city.device[job.device]
    ospf = intent_of(job.plan, job.device).ospf
    with _clock(outcome, "facts"):
        facts = engine.facts(node.management, ospf)
    if facts.state == "armed" and not job.check:
        # an earlier run died between arming and confirming: back to before it, then begin
        said = engine.roll_back()
        job.journal.write("rolled-back", job.device, job.change, reason="left armed", said=said)
        facts = engine.facts(node.management, ospf)
    running = facts.running
    found: Difference = difference(running, target)
    outcome.diff = found.text()
    if not found:
        _note_service(job)
        return
    with _clock(outcome, "plan"):
        patch = additions(found) or engine.patch(target)
    if not patch.commands:
        raise ChangeFailed(f"{job.device}: found a difference but frr-reload.py made no patch")
    outcome.patch, outcome.digest = patch.text, patch.digest
    if job.reviewed is not None and job.reviewed != patch.digest:
        raise guard.Refused(
            f"{job.device}: the patch is now {patch.digest[:12]}, reviewed was "
            f"{job.reviewed[:12] or 'none'}: plan again"
        )
    risk = guard.check(running, patch.commands, facts.way, allow_deletions=job.allow_deletions)
    outcome.risk = risk.level
    outcome.changed = True
    if not job.check:
        with _clock(outcome, "rest"):
            time.sleep(_rest(job))
        with _unbroken():
            _make(job, engine, facts, target, patch, outcome)


def _rest(job: Job) -> float:
    """Return the seconds that a device must still stay without IPv6 before it gets it anew."""
    last = job.journal.last(job.device, "confirmed", "rolled-back")
    alone = job.together <= {job.device}
    if alone or last is None or 6 not in job.families or 6 in last.get("families", ()):
        return 0.0
    since = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(last["time"])
    return max(0.0, FLUSHED_SECONDS - since.total_seconds())


def _note_service(job: Job) -> None:
    """Write down what is in service where the running configuration has it already.

    So the journal is whole again after a crash between the router's confirm and our entry.
    """
    if job.check or not job.journal.path.parent.is_dir():
        return
    last = job.journal.last(job.device, "confirmed")
    if (set(last["families"]) if last else {4}) != set(job.families):
        about = {"families": sorted(job.families), "note": "found so"}
        job.journal.write("confirmed", job.device, job.change, **about)


def _make(
    job: Job, engine: FrrEngine, facts: Facts, target: str, patch: Patch, outcome: Outcome
) -> None:
    running = facts.running
    before = verify.full(facts.neighbours, 4)
    backup = save_backup(job.state, job.device, running)
    about = {"patch": patch.digest, "backup": str(backup), "risk": outcome.risk}
    with _clock(outcome, "arm"):
        engine.arm(job.confirm_seconds, running)
    job.journal.write("armed", job.device, job.change, **about)
    try:
        with _clock(outcome, "apply"):
            said, after = engine.apply(patch)
        job.journal.write("applied", job.device, job.change, **about)
        left = difference(after, target)
        if left:
            raise EngineError(f"{job.device}: after the patch this is left to do:\n{left.text()}"
                              f"the router said: {said.strip()[:300]}")  # fmt: skip
        if job.target is not None and after != job.target:
            raise EngineError(f"{job.device}: the configuration is not the backup to the byte")
        patience = min(verify.PATIENCE, job.confirm_seconds / 2)
        expected = None
        if 6 in job.families:
            expected = verify.expect(job.plan, job.device, job.in_service | {job.device})
            with _clock(outcome, "wave"):
                job.journal.wait(job.together - {job.device}, job.families, patience / 3)
        with _clock(outcome, "verify"):
            at_once = len(job.together | {job.device})
            verify.verify(engine, job.plan, before, expected, job.access, patience, at_once)
        with _clock(outcome, "confirm"):
            engine.confirm()
    except (SessionError, EngineError, verify.Unverified) as error:
        said = engine.roll_back()
        job.journal.write("rolled-back", job.device, job.change, reason=str(error), said=said)
        raise ChangeFailed(f"{error}; rolled back: {said}") from error
    job.journal.write("confirmed", job.device, job.change, families=sorted(job.families), **about)


def save_backup(state: Path, device: str, text: str) -> Path:
    """Keep a running configuration, 0600, under its device and content; return the file."""
    folder = state / "backups" / device
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{stamp}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.conf"
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def backup_before_ipv6(journal: Journal, device: str) -> Path | None:
    """Return the backup made before the last change that put IPv6 in service; None if none was."""
    for entry in journal.newest_first():
        if entry["device"] == device and entry["event"] == "confirmed" and "backup" in entry:
            return Path(entry["backup"]) if 6 in entry["families"] else None
    return None


@contextlib.contextmanager
def _alone(job: Job) -> Iterator[None]:
    """One change at a time on a device. Raises ChangeFailed when another one is at work."""
    folder = job.state / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / job.device).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChangeFailed(f"{job.device}: another change is at work on it") from None
        yield


@contextlib.contextmanager
def _unbroken() -> Iterator[None]:
    """Finish the device in hand: Ctrl-C and TERM wait until it is confirmed or rolled back."""
    with contextlib.suppress(OSError):
        os.setsid()  # a runner that ends its process group does not end this
    waiting = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    old = signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


@contextlib.contextmanager
def _clock(outcome: Outcome, phase: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        outcome.seconds[phase] = round(time.monotonic() - began, 3)
