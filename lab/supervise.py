"""Long-running processes of a part of the lab: supervisord keeps them alive, waves order them.

One supervisord a part, so that the cloud, the extranet and the monitoring live and die apart.
supervisord starts, restarts and stops; the order and the waiting for health are ours.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from lab import sweep
from lab.errors import LabError
from lab.paths import LabPaths, cache_home
from lab.progress import Progress

TAIL_LINES = 25
_RUNNING = ("STARTING", "RUNNING", "BACKOFF")
Ready = Callable[[], str | None]


def base_env(uid: int | None) -> dict[str, str]:
    """Return what every process gets. Root's HOME is in our cache, for what programs keep of
    themselves (entry points, a history): it makes any folder that it is told. Others have none and
    can make none."""
    home = "/nonexistent" if uid is not None else str(cache_home() / "lab" / "home")
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": home}


@dataclass(frozen=True)
class Service:
    """A process to keep alive, and how to know that it is healthy.

    `ready` returns None when the service is healthy, else a short reason why not. `uid` is a number
    without an entry in passwd (systemd's dynamic range, 61184-65519); None means root. `kill_group`
    is False where children must outlive a restart (Neutron's agents: dnsmasq, radvd).
    """

    name: str
    argv: tuple[str, ...]
    wave: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    uid: int | None = None
    groups: tuple[int, ...] = ()
    cwd: str = "/"
    netns: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    kill_group: bool = True
    ready: Ready | None = None

    def command(self) -> list[str]:
        """Return the whole command line: namespace first, then the drop of rights, then argv."""
        line: list[str] = []
        if self.netns:
            line += ["ip", "netns", "exec", self.netns]
        if self.uid is not None:
            groups = (
                ["--groups", ",".join(map(str, self.groups))] if self.groups else ["--clear-groups"]
            )
            line += ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), *groups]
            line += ["--no-new-privs"]
        return [*line, *self.argv]


@dataclass(frozen=True)
class ServiceStatus:
    """What supervisord says of a service: `state` is its own word (RUNNING, BACKOFF, FATAL ...)."""

    name: str
    state: str
    pid: int
    seconds: int
    detail: str


def _quoted(word: str) -> str:
    # supervisord splits commands like a shell and expands %(...)s in every value
    word = word.replace("%", "%%")
    if word and not set(word) & set(" \t\"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Supervisor:
    """The services of one part. Every method may be called again and again."""

    def __init__(self, paths: LabPaths) -> None:
        self.paths = paths
        self.conf = paths.etc / "supervisord.conf"
        self.programs = paths.etc / "programs"
        self.socket = paths.run / "supervisor.sock"
        self._waves = paths.etc / "waves.json"

    # ------------------------------------------------------------------ configuration
    def _write(self, services: Sequence[Service]) -> None:
        self.paths.make()
        self.programs.mkdir(exist_ok=True)
        wanted = {f"{s.name}.conf" for s in services}
        for stale in self.programs.glob("*.conf"):
            if stale.name not in wanted:
                stale.unlink()
        _private(
            self.conf,
            f"""[supervisord]
logfile={self.paths.log}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={self.paths.run}/supervisord.pid
childlogdir={self.paths.log}
directory=/
minfds=4096
user=root
[unix_http_server]
file={self.socket}
chmod=0700
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files={self.programs}/*.conf
""",
        )
        _private(self._waves, json.dumps({s.name: s.wave for s in services}))
        for service in services:
            _private(self.programs / f"{service.name}.conf", self._program(service))

    def _program(self, s: Service) -> str:
        mine = {sweep.MARK: self.paths.part, "GAOLING_SERVICE": s.name}
        env = {**base_env(s.uid), **s.env, **mine}
        pairs = ",".join(f"{k}={_value(v)}" for k, v in sorted(env.items()))
        group = str(s.kill_group).lower()
        return f"""[program:{s.name}]
command={" ".join(_quoted(w) for w in s.command())}
directory={s.cwd}
environment={pairs}
autostart=false
autorestart=true
startsecs=1
startretries=20
stopsignal={s.stop_signal}
stopwaitsecs={s.stop_seconds}
stopasgroup={group}
killasgroup={group}
redirect_stderr=true
stdout_logfile={self.paths.log}/{s.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""

    # ------------------------------------------------------------------ the daemon
    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def alive(self) -> bool:
        """Return whether the part's supervisord answers."""
        try:
            return bool(self._rpc().getState()["statename"] in ("RUNNING", "RESTARTING"))
        except (OSError, xmlrpc.client.Error):
            return False

    def _ensure_daemon(self, progress: Progress) -> None:
        if self.alive():
            return
        # a supervisord that was killed leaves its children without a keeper: end them, start anew
        orphans = sweep.end(lambda: sweep.marked(self.paths.part))
        if orphans:
            progress.note(f"ended {orphans} processes that had lost their supervisor")
        self.socket.unlink(missing_ok=True)
        program = Path(sys.executable).parent / "supervisord"
        done = subprocess.run(
            [program, "-c", self.conf], capture_output=True, text=True, check=False, cwd="/"
        )
        for _ in range(100):
            if self.alive():
                return
            time.sleep(0.1)
        raise LabError(
            f"supervisord of the {self.paths.part} part did not start: "
            f"{(done.stderr or done.stdout).strip() or 'no message'}"
            f"\n{self.tail('supervisord')}"
        )

    def _reload(self) -> None:
        rpc = self._rpc()
        added, changed, removed = rpc.reloadConfig()[0]
        self.stop_wave([*removed, *changed])  # all at once: one after the other takes minutes
        for name in [*removed, *changed]:
            rpc.removeProcessGroup(name)
        for name in [*added, *changed]:
            rpc.addProcessGroup(name)

    # ------------------------------------------------------------------ up and down
    def up(self, services: Sequence[Service], progress: Progress, timeout: float = 180.0) -> None:
        """Start what does not run, wave by wave, and wait until each wave is healthy.

        `timeout` is for each wave, in seconds. Raises LabError with the tail of the log of the
        first service that is not healthy, Interrupted when the start was told to stop.
        """
        self._write(services)
        self._ensure_daemon(progress)
        self._reload()
        for wave in sorted({s.wave for s in services}):
            self._wave([s for s in services if s.wave == wave], progress, timeout)

    def _wave(self, services: list[Service], progress: Progress, timeout: float) -> None:
        rpc = self._rpc()
        states = {p["name"]: p["statename"] for p in rpc.getAllProcessInfo()}
        for service in services:
            if states.get(service.name) not in _RUNNING:
                with contextlib.suppress(xmlrpc.client.Fault):  # started meanwhile
                    rpc.startProcess(service.name, False)
        waiting = {s.name: s for s in services}
        why: dict[str, str] = {}
        deadline = time.monotonic() + timeout
        while waiting:
            states = {p["name"]: p for p in rpc.getAllProcessInfo()}
            for name, service in list(waiting.items()):
                found = states[name]["statename"]
                reason: str | None = f"supervisord says {found}"
                if found == "RUNNING":
                    reason = service.ready() if service.ready else None
                if reason is None:
                    del waiting[name]
                    continue
                why[name] = reason
                if found == "FATAL" or time.monotonic() > deadline:
                    raise LabError(f"{name} is not healthy: {reason}\n{self.tail(name)}")
            if waiting:
                progress.wait(0.2)
        progress.note(f"{', '.join(_short([s.name for s in services]))}: healthy")

    def down(self, progress: Progress | None = None) -> None:
        """Stop everything in descending waves, then the daemon; nothing marked is left."""
        if self.alive():
            waves = json.loads(self._waves.read_text()) if self._waves.exists() else {}
            for wave in sorted(set(waves.values()), reverse=True):
                self.stop_wave([name for name, number in waves.items() if number == wave])
            daemon = int(self._rpc().getPID())
            self._rpc().shutdown()
            sweep.end(lambda: [daemon] if daemon in sweep.processes() else [], patience=10)
        ended = sweep.end(lambda: sweep.marked(self.paths.part))
        if ended and progress:
            progress.note(f"ended {ended} processes that had stayed behind")
        self.socket.unlink(missing_ok=True)

    def stop_wave(self, names: Sequence[str]) -> None:
        """Stop these services, all at once, and wait until they are gone."""
        rpc = self._rpc()
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):
                rpc.stopProcess(name, False)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            left = [s.name for s in self.status() if s.name in names and s.pid]
            if not left:
                return
            time.sleep(0.1)
        raise LabError(f"did not stop within 60 s: {', '.join(left)}")

    def start(self, name: str) -> None:
        self._rpc().startProcess(name, True)

    def stop(self, name: str) -> None:
        self._rpc().stopProcess(name, True)

    def restart(self, name: str) -> None:
        with contextlib.suppress(xmlrpc.client.Fault):  # it may not run
            self.stop(name)
        self.start(name)

    # ------------------------------------------------------------------ looking
    def status(self) -> list[ServiceStatus]:
        """Return the state of every service; empty when the part is down."""
        if not self.alive():
            return []
        return [
            ServiceStatus(
                p["name"],
                p["statename"],
                p["pid"],
                max(0, p["now"] - p["start"]) if p["pid"] else 0,
                p["spawnerr"] or p["description"],
            )
            for p in self._rpc().getAllProcessInfo()
        ]

    def pid(self, name: str) -> int:
        """Return the service's pid; 0 when it does not run."""
        return int(self._rpc().getProcessInfo(name)["pid"])

    def tail(self, name: str, lines: int = TAIL_LINES) -> str:
        """Return the end of a service's log, under its name."""
        path = self.paths.log / f"{name}.log"
        try:
            text = path.read_text(errors="replace").splitlines()[-lines:]
        except OSError as error:
            return f"({path}: {error.strerror})"
        return "\n".join([f"--- end of {path}", *text])


def _value(text: str) -> str:
    """Quote a value of `environment=`: supervisord's reader knows quotes but no escapes."""
    quote = "'" if '"' in text else '"'
    if quote in text:
        raise LabError(f"supervisord cannot hold an environment value with both quotes: {text!r}")
    return quote + text.replace("%", "%%") + quote


def _short(names: list[str], most: int = 8) -> list[str]:
    return names if len(names) <= most else [*names[:most], f"… {len(names)} in all"]


def _private(path: Path, text: str) -> None:
    """Write `text` readable for root alone (environments hold passwords), only when it differs."""
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)
