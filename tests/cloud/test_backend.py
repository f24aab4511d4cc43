"""The state in PostgreSQL: Pulumi's own CLI, a database of this test's own, no cloud."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gaoling.city import read_city
from gaoling.cloud import locks
from gaoling.cloud.home import Home
from gaoling.cloud.run import Runner
from gaoling.cloud.stacks import stacks

pytestmark = [pytest.mark.pulumi, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
STACK = "lab-primary-platform"


@dataclass
class Database:
    """A PostgreSQL that asks for a password; `passfile` has it."""

    port: int
    password: str
    passfile: Path
    base: Path

    @property
    def url(self) -> str:
        return f"postgres://gaoling@127.0.0.1:{self.port}/state?sslmode=disable"

    def ask(self, query: str) -> str:
        done = subprocess.run(
            ["psql", "-XAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "gaoling", "-d",
             "state", "-c", query],
            env={**os.environ, "PGPASSFILE": str(self.passfile)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()


@pytest.fixture
def database() -> Iterator[Database]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, "initdb: found nothing, install postgresql"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = Path(tempfile.mkdtemp(prefix="gl-pg-", dir="/tmp"))
    password = secrets.token_hex(12)
    (base / "password").write_text(password)
    passfile = base / "pgpass"
    passfile.write_text(f"127.0.0.1:{port}:*:gaoling:{password}\n")
    passfile.chmod(0o600)
    user: list[str] = []
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        for path in (base, base / "password"):
            shutil.chown(path, "postgres", "postgres")
        base.chmod(0o755)
    data, pg_ctl = str(base / "data"), str(found[-1].with_name("pg_ctl"))

    def run(*command: str, **env: str) -> None:
        done = subprocess.run(
            command, env={**os.environ, **env}, text=True, check=False, cwd=base,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]

    try:
        run(*user, str(found[-1]), "-D", data, "-A", "scram-sha-256", "-U", "gaoling",
            "--pwfile", str(base / "password"), "--no-sync")  # fmt: skip
        run(*user, pg_ctl, "-D", data, "-w", "-l", str(base / "log"), "start", "-o",
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
            "-c fsync=off")  # fmt: skip
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "gaoling", "state",
            PGPASSFILE=str(passfile))  # fmt: skip
        yield Database(port, password, passfile, base)
    finally:
        subprocess.run(
            [*user, pg_ctl, "-D", data, "-m", "immediate", "stop"], cwd=base,
            stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def runner(database, tmp_path, monkeypatch):
    monkeypatch.setenv("GAOLING_PULUMI_BACKEND", database.url)
    monkeypatch.setenv("PGPASSFILE", str(database.passfile))
    given = tmp_path / "clouds.yaml"
    auth = {"auth_url": "http://127.0.0.1:9/v3", "username": "u", "password": "p",
            "project_name": "p", "user_domain_name": "Default",
            "project_domain_name": "Default"}  # fmt: skip
    given.write_text(json.dumps({"clouds": {"primary": {"auth": auth}, "dr": {"auth": auth}}}))
    said: list[str] = []
    made = Runner(Home(tmp_path / "state", given), read_city(ROOT / "inventories/lab"), said.append)
    made.said = said  # type: ignore[attr-defined]
    return made


def lock(database, pid, host):
    about = {"pid": pid, "hostname": host, "username": "ops", "timestamp": "2026-01-01T00:00:00Z"}
    import base64

    # the backend puts the name of the database before its keys
    data = base64.b64encode(json.dumps(about).encode()).decode()
    key = f"state/.pulumi/locks/organization/gaoling/{STACK}/x.json"
    database.ask(
        "insert into pulumi_state (key, data) values "
        f"('{key}', '{json.dumps({'data': data})}')"
    )  # fmt: skip


def test_stacks_live_in_a_database_whose_password_stands_nowhere(database, runner, tmp_path):
    (one,) = [s for s in stacks(runner.city) if s.name == STACK]
    runner.prepare([one])
    runner.prepare([one])  # the stack is there already
    assert runner.resources(STACK) == set()
    # the cloud is nowhere: the run fails and its state is in the database all the same
    (up,) = runner.all("up", [one])
    assert not up.ok
    assert "connection refused" in up.why()
    assert any(urn.endswith("Platform::platform") for urn in runner.resources(STACK))
    assert int(database.ask("select count(*) from pulumi_state")) > 1
    assert not (runner.home.folder / "state").exists()
    # a run that was killed here left its lock, one of another machine may be alive
    lock(database, 2**22 + 1, socket.gethostname())
    (again,) = runner.all("refresh", [one])
    assert "the stack is currently locked" not in again.why()
    assert f"{STACK}: a lock of a run that was killed is gone" in runner.said
    assert database.ask("select count(*) from pulumi_state where key like '%locks%'") == "0"
    lock(database, 1, "another")
    with pytest.raises(locks.Locked, match=f"ops@another .*pulumi cancel --stack {STACK}"):
        runner.one("refresh", one)
    text = "".join(
        p.read_text(errors="replace") for p in (tmp_path / "state").rglob("*") if p.is_file()
    )
    assert database.password not in text
