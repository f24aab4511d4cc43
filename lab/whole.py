"""The whole lab: its parts in order, what joins them, one at a time on a machine."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import ModuleType
from typing import Any

from lab import host, packages, sweep
from lab.errors import LabError
from lab.paths import PARTS, RUN, STATE
from lab.progress import Progress, stop

_WORK = {"cloud": (STATE / "work/pulumi",), "extranet": (STATE / "work/network",)}
_MODULES = {
    "cloud": "lab.openstack.part",
    "extranet": "lab.extranet.part",
    "monitoring": "lab.monitoring.part",
}


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the parts named, in the order of starting. Raises LabError for an unknown one."""
    for name in names or ():
        if name not in PARTS:
            raise LabError(f"no part {name!r}: expected {', '.join(PARTS)}")
    return tuple(p for p in PARTS if not names or p in names)


def _module(part: str) -> ModuleType:
    return importlib.import_module(_MODULES[part])


def running() -> set[str]:
    """Return the parts whose supervisor is there."""
    return {p for p in PARTS if (RUN / p / "supervisor.sock").exists()}


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the machine's one lab: a second command waits for nothing and is told who holds it."""
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            who = lock.read().strip() or "another process"
            raise LabError(f"the lab is being started or stopped by {who}; wait for it") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


def up(parts: Sequence[str]) -> None:
    """Start parts: check the machine, install, start, join cloud and extranet."""
    if os.geteuid() != 0:
        raise LabError("not root: the lab makes network namespaces; run it with sudo")
    progress = Progress("lab")
    with _alone():
        modules = {part: _module(part) for part in parts}
        ports = {n: p for m in modules.values() for n, p in m.PORTS.items()}
        host.preflight(ports, set(parts))
        packages.ensure([p for m in modules.values() for p in m.PACKAGES], progress)
        first = [p for p in parts if p != "monitoring"]
        _work_folder()
        with ThreadPoolExecutor(2) as pool:  # half of a start is waiting
            try:
                jobs = [pool.submit(modules[p].up, Progress(p)) for p in first]
                # again and again: a Ctrl-C just before a wait begins does not end that wait
                while wait(jobs, timeout=0.5).not_done:
                    pass
                for done in jobs:
                    done.result()
            except KeyboardInterrupt:
                stop()  # nobody waits for health any more; the next `up` goes on from there
                raise
        if {"cloud", "extranet"} <= running():
            from lab.join import join

            join(progress)
        _hand_over(modules)
        if "monitoring" in parts:
            modules["monitoring"].up(Progress("monitoring"))
        progress.note(f"{', '.join(parts)}: up")


def _work_folder() -> None:
    """Make the folder for what is done with the lab; it belongs to who called sudo."""
    folder = STATE / "work"
    for made in (STATE.parent, STATE):
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(0o711)
    folder.mkdir(exist_ok=True, mode=0o700)
    os.chown(folder, operator(), -1)


def _hand_over(modules: dict[str, ModuleType]) -> None:
    """Give the operator the credentials of the parts: one folder a part, for nobody else."""
    folder = STATE / "access"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    if "cloud" in modules:
        target = folder / "cloud" / "clouds.yaml"
        target.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = target.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(modules["cloud"].clouds_yaml().read_bytes())
        fresh.replace(target)
        for path in (target, target.parent):
            os.chown(path, operator(), -1)
    if "extranet" in modules:
        from lab.extranet.ssh import ACCESS, write_access

        write_access(ACCESS, "operator", operator())


def operator() -> int:
    """Return the uid of the person at the keyboard: root, or who called sudo."""
    return int(os.environ.get("SUDO_UID", "0"))


def down(parts: Sequence[str]) -> None:
    """Stop parts in the opposite order; nothing of theirs is left."""
    if os.geteuid() != 0:
        raise LabError("not root: run it with sudo")
    progress = Progress("lab")
    with _alone():
        for part in reversed(parts):
            if (STATE / part).exists() or (RUN / part).exists() or sweep.marked(part):
                _module(part).down(Progress(part))
            # what was made on a part is gone with it: Pulumi's state of its cloud, backups of its
            # routers; kept, they would describe things that do not exist
            for folder in (STATE / part, RUN / part, *_WORK.get(part, ())):
                shutil.rmtree(folder, ignore_errors=True)
        if not running():
            for folder in (STATE / "access", STATE / "work"):
                shutil.rmtree(folder, ignore_errors=True)
            for folder in (STATE, STATE.parent):
                with contextlib.suppress(OSError):
                    folder.rmdir()
    if not running():
        (RUN / "lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            RUN.rmdir()
    progress.note(f"{', '.join(parts)}: down")


def status() -> dict[str, dict[str, Any]]:
    """Return for each part its state, its counts and what is wrong with it."""
    found: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        if part not in running():
            found[part] = {"state": "down", "services": 0, "running": 0, "problems": [], "all": []}
            continue
        services = _module(part).status()
        stopped = [s for s in services if s.state != "RUNNING"]
        problems = [f"{s.name}: {s.state} {s.detail}" for s in stopped] + _module(part).health()
        found[part] = {
            "state": "up" if not problems else "ailing",
            "services": len(services),
            "running": len(services) - len(stopped),
            "problems": problems,
            "all": [
                {"name": s.name, "state": s.state, "pid": s.pid, "seconds": s.seconds}
                for s in services
            ],
        }
    return found


def logs(service: str) -> list[Path]:
    """Return the log of a service, or all logs. Raises LabError when there is no such log."""
    found = sorted(p for part in PARTS for p in (STATE / part / "log").glob("*.log"))
    if not service:
        return found
    mine = [p for p in found if p.stem == service]
    if not mine:
        near = ", ".join(p.stem for p in found if service in p.stem) or "none"
        raise LabError(f"no log of {service!r}; names that hold it: {near}")
    return mine
