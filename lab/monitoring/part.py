"""The monitoring part of the lab: up, down, status, health."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.inventory import CITY
from lab.monitoring import config
from lab.monitoring.courier import carry
from lab.paths import STATE, LabPaths
from lab.progress import Progress
from lab.supervise import Ready, Service, ServiceStatus, Supervisor

PACKAGES = ("prometheus", "prometheus-alertmanager", "openssh-client")
ROOT = Path(__file__).resolve().parents[2]
PATHS = LabPaths("monitoring")
UIDS = {"prometheus": 61301, "alertmanager": 61302, "grafana": 61304}
# ssh refuses to run for a uid that has no entry in passwd; Debian's package makes this account
EXPORTER_USER = "prometheus"
SCALE = 0.25  # of the exporter's intervals: the lab shows a change soon
JOURNAL = STATE / "work" / "network" / CITY.name / "journal.jsonl"
DECLARED = STATE / "work" / "pulumi" / f"{CITY.name}.declared.json"  # what the stacks hold


def _grafana() -> str | None:
    return shutil.which("grafana-server")


PORTS = {"prometheus": 9090, "alertmanager": 9093, "exporter": 9464}
if _grafana():
    PORTS["grafana"] = 3000


# ---------------------------------------------------------------------- files
def _folder(path: Path, uid: int, mode: int = 0o700) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    os.chown(path, uid, uid)
    return path


def _write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file if it differs; return whether it did."""
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=mode)
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(path)
    return True


def _rules() -> bool:
    """Copy the project's rules to where Prometheus can read them; return whether any changed."""
    folder = PATHS.etc / "rules"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {p.name: p.read_text() for p in config.rule_files(ROOT / "dashboards" / "rules")}
    changed = False
    for stale in [p for p in folder.iterdir() if p.name not in wanted]:
        stale.unlink()
        changed = True
    for name, text in wanted.items():
        changed = _write(folder / name, text) or changed
    return changed


def exporter_account() -> pwd.struct_passwd:
    """Return the account that the exporter runs as. Raises LabError."""
    try:
        return pwd.getpwnam(EXPORTER_USER)
    except KeyError:
        raise LabError(
            f"no account {EXPORTER_USER!r}: expected the one that Debian's package prometheus makes"
        ) from None


def _clouds() -> Path:
    """Return where the clouds.yaml of the cloud part is, or will be."""
    public = STATE / "access" / "cloud" / "clouds.yaml"
    own = STATE / "cloud" / "clouds.yaml"
    return own if own.exists() and not public.exists() else public


def _access(folder: Path, uid: int, progress: Progress) -> None:
    """Give the exporter its key to vantages and routers, where the extranet part is there."""
    if not (STATE / "extranet" / "keys" / "exporter").exists():
        progress.note("no extranet part: sites and answers will read 无数据 until it is up")
        return
    from lab.extranet.ssh import write_access

    write_access(folder, "exporter", uid)


# ---------------------------------------------------------------------- services
def _answers(url: str) -> Ready:
    """Return a probe: None when the URL answers 200, else why not."""

    def ready() -> str | None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
                return None if answer.status == 200 else f"{url}: HTTP {answer.status}"
        except (urllib.error.URLError, OSError) as error:
            return f"{url}: {error}"

    return ready


def _drop(account: pwd.struct_passwd | None) -> tuple[str, ...]:
    """Return the words that drop root's rights; none for root itself."""
    if account is None:
        return ()
    return ("setpriv", "--reuid", str(account.pw_uid), "--regid", str(account.pw_gid),
            "--clear-groups", "--no-new-privs")  # fmt: skip


def _code() -> str:
    """Return a digest of all that the exporter reads once: its code and the register."""
    digest = hashlib.sha256()
    folders = [ROOT / "exporters", CITY, *(ROOT / "gaoling").glob("*/")]
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.is_file()):
        if path.suffix in (".py", ".yaml", ".csv", ".txt"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _exporter(account: pwd.struct_passwd | None) -> list[Service]:
    state = PATHS.state / "exporter"
    owner = account.pw_uid if account else 0
    arguments = {
        "--city": CITY,
        "--access-dir": state / "access",
        "--clouds": state / "clouds.yaml",
        "--state": state,
        "--run-dir": PATHS.run / "exporter",
        "--journal": state / "journal.jsonl",
        "--listen": f"127.0.0.1:{PORTS['exporter']}",
        "--interval-scale": SCALE,
    }
    words = [str(w) for pair in arguments.items() for w in pair]
    carried = [JOURNAL, state / "journal.jsonl", _clouds(), state / "clouds.yaml",
               DECLARED, state / "declared.json"]  # fmt: skip
    python = [sys.executable, "-P", "-m"]
    env = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
        "GAOLING_CODE": _code(),  # new code or a new register is a new definition: a restart
    }
    return [
        Service(
            "courier",
            (
                *python,
                "lab.monitoring.courier",
                str(owner),
                *map(str, [state / "access", *carried]),
            ),
            env=env,
        ),
        Service(
            "exporter",
            (*_drop(account), *python, "exporters", *words),
            env=env,
            stop_seconds=15,
            ready=_answers(f"http://127.0.0.1:{PORTS['exporter']}/metrics"),
        ),
    ]


def _reachable_for(account: pwd.struct_passwd) -> str | None:
    """Return why a user cannot run the exporter; None when it can."""
    done = subprocess.run(
        [*_drop(account), sys.executable, "-P", "-c", "import exporters, gaoling.city"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]


def _services(account: pwd.struct_passwd | None) -> list[Service]:
    metrics, alerts = PORTS["prometheus"], PORTS["alertmanager"]
    found = _exporter(account)
    found.append(
        Service(
            "alertmanager",
            ("prometheus-alertmanager", f"--config.file={PATHS.etc}/alertmanager.yml",
             f"--storage.path={PATHS.state}/alertmanager", "--cluster.listen-address=",
             f"--web.listen-address=127.0.0.1:{alerts}", "--data.retention=120h"),
            uid=UIDS["alertmanager"],
            ready=_answers(f"http://127.0.0.1:{alerts}/-/ready"),
        )
    )  # fmt: skip
    found.append(
        Service(
            "prometheus",
            ("prometheus", f"--config.file={PATHS.etc}/prometheus.yml",
             f"--storage.tsdb.path={PATHS.state}/prometheus",
             f"--storage.tsdb.retention.time={config.RETENTION}",
             f"--web.listen-address=127.0.0.1:{metrics}"),
            wave=1,
            uid=UIDS["prometheus"],
            stop_seconds=30,
            ready=_answers(f"http://127.0.0.1:{metrics}/-/ready"),
        )
    )  # fmt: skip
    if program := _grafana():
        found.append(
            Service(
                "grafana",
                (program, "--homepath=/usr/share/grafana", f"--config={PATHS.etc}/grafana.ini"),
                wave=2,
                uid=UIDS["grafana"],
                ready=_answers(f"http://127.0.0.1:{PORTS['grafana']}/api/health"),
            )
        )
    return found


def _grafana_files() -> None:
    uid = UIDS["grafana"]
    state = _folder(PATHS.state / "grafana", uid)
    password = state / "admin-password"
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        os.chown(password, uid, uid)
    boards = _folder(PATHS.etc / "dashboards", uid, 0o755)
    for source in (ROOT / "dashboards").glob("*.json"):
        _write(boards / source.name, source.read_text())
    for name, text in config.provisioning(PORTS["prometheus"], boards).items():
        _write(PATHS.etc / "provisioning" / name, text)
    for folder in (PATHS.etc / "provisioning").rglob("*/"):
        folder.chmod(0o755)
    (PATHS.etc / "provisioning").chmod(0o755)
    _write(PATHS.etc / "grafana.ini",
           config.grafana(state, PATHS.etc, state / "log", PORTS["grafana"], password))  # fmt: skip


def _reload(keeper: Supervisor, name: str) -> None:
    """Let a program read its configuration again, without a restart."""
    if pid := keeper.pid(name):
        os.kill(pid, signal.SIGHUP)


# ---------------------------------------------------------------------- the part
def up(progress: Progress) -> None:
    """Start what does not run and wait for health; changed rules and configuration are reloaded.

    Raises LabError.
    """
    PATHS.make()
    account: pwd.struct_passwd | None = exporter_account()
    if account and (why := _reachable_for(account)):
        progress.note(
            f"the exporter runs as root and not as {EXPORTER_USER}: that user cannot use "
            f"{sys.executable} or {ROOT} ({why}); a checkout outside of a home folder is readable"
        )
        account = None
    owner = account.pw_uid if account else 0
    for name, number in UIDS.items():
        if name != "grafana":
            _folder(PATHS.state / name, number)
    state = _folder(PATHS.state / "exporter", owner)
    _folder(PATHS.run / "exporter", owner)
    _access(state / "access", owner, progress)
    carry(_clouds(), state / "clouds.yaml", owner)
    changed = _rules()
    changed = (
        _write(PATHS.etc / "prometheus.yml", config.prometheus(PATHS.etc / "rules", PORTS, "lab"))
        or changed
    )
    routes = _write(PATHS.etc / "alertmanager.yml", config.alertmanager())
    (PATHS.etc / "rules").chmod(0o755)
    if _grafana():
        _grafana_files()
    keeper = Supervisor(PATHS)
    ran = {s.name: s.pid for s in keeper.status()}
    keeper.up(_services(account), progress)
    for name, new in (("prometheus", changed), ("alertmanager", routes)):
        if new and ran.get(name) == keeper.pid(name):
            _reload(keeper, name)
            progress.note(f"{name} reads its configuration again")
    if not _grafana():
        progress.note("no grafana-server on PATH: dashboards/*.json can be imported elsewhere")


def down(progress: Progress) -> None:
    """Stop everything and remove all files, the measurements too."""
    Supervisor(PATHS).down(progress)
    for folder in (PATHS.state, PATHS.run):
        shutil.rmtree(folder, ignore_errors=True)
    progress.note("processes and files removed")


def status() -> list[ServiceStatus]:
    """Return the state of every process; empty when the part is down."""
    return Supervisor(PATHS).status()


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return json.load(answer)


def health() -> list[str]:
    """Return what is wrong beyond stopped processes: scrapes that fail, collectors that hang."""
    base = f"http://127.0.0.1:{PORTS['prometheus']}/api/v1"
    try:
        targets = _json(f"{base}/targets?state=active")["data"]["activeTargets"]
        groups = _json(f"{base}/rules")["data"]["groups"]
    except (OSError, ValueError, KeyError) as error:
        return [f"Prometheus does not answer: {error}"]
    wrong = [
        f"{t['scrapePool']}: scrape fails: {t['lastError']}"
        for t in targets if t["health"] == "down"
    ]  # fmt: skip
    wrong += [
        f"rule {rule['name']}: {rule['lastError']}"
        for group in groups for rule in group["rules"] if rule["health"] == "err"
    ]  # fmt: skip
    if why := _answers(f"http://127.0.0.1:{PORTS['exporter']}/healthz")():
        wrong.append(f"exporter: {why}")
    return wrong
