"""A real Nautobot 3: its own environment by hash, its own PostgreSQL and Redis, on sockets.

PostgreSQL and Redis run as Debian's own unprivileged users in a folder of this session. The first
run installs the environment (about 1 minute) and migrates an empty database (8 minutes);
both are kept in the XDG cache by the hash of the lock, so that later runs take about a minute.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LOCK = HERE / "requirements.txt"
PACKAGES = ("postgresql", "redis-server")  # Debian packages that these tests run
TOKEN = "0" * 40
CONFIG = """
from nautobot.core.settings import *
SECRET_KEY = "for this test only, nothing real is in this database"
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "nautobot",
    "USER": "nautobot", "HOST": "{base}/pg", "CONN_MAX_AGE": 60}}}}
CACHES = {{"default": {{"BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": "unix://{base}/redis/sock?db=1",
    "OPTIONS": {{"CLIENT_CLASS": "django_redis.client.DefaultClient"}}}}}}
CELERY_BROKER_URL = "redis+socket://{base}/redis/sock"
INSTALLATION_METRICS_ENABLED = False
"""
ACCOUNT = """
from nautobot.users.models import Token, User
user, _ = User.objects.get_or_create(username="gaoling", defaults=dict(is_superuser=True))
Token.objects.get_or_create(user=user, key="0" * 40)
"""


@dataclass
class Nautobot:
    url: str
    token: str


def program(name: str) -> str:
    """Return where a Debian program is; fail clearly when its package is missing."""
    found = shutil.which(name) or next(
        (str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    assert found, f"{name}: found nothing, install {' '.join(PACKAGES)}"
    return found


def run(*arguments: str, user: str = "", **env: str) -> None:
    as_user = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
    done = subprocess.run(
        [*as_user, *arguments], env={**os.environ, **env}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments[0]}: {done.stdout[-3000:]}"


def environment(cache: Path) -> Path:
    """Return the environment that has what the lock names, installed by hash."""
    folder = cache / "env"
    if not (folder / ".whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run("/usr/bin/python3", "-m", "venv", str(folder))
        run(str(folder / "bin/pip"), "install", "-q", "--disable-pip-version-check",
            "--require-hashes", "-r", str(LOCK))  # fmt: skip
        (folder / ".whole").touch()
    return folder / "bin"


@pytest.fixture(scope="session")
def nautobot() -> Iterator[Nautobot]:
    root = os.geteuid() == 0
    assert root or os.environ.get("USER"), "expected a user"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = home / "gaoling" / f"nautobot-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    bin_ = environment(cache)
    base = Path(tempfile.mkdtemp(prefix="nb-", dir="/tmp"))  # sockets have short paths
    base.chmod(0o755)
    (base / "nautobot_config.py").write_text(CONFIG.format(base=base))
    env = {"NAUTOBOT_CONFIG": str(base / "nautobot_config.py"), "NAUTOBOT_ROOT": str(base / "root"),
           "PATH": f"{bin_}:{os.environ['PATH']}"}  # fmt: skip
    for folder, user in (("pg", "postgres"), ("redis", "redis"), ("root", "")):
        (base / folder).mkdir()
        if user and root:
            shutil.chown(base / folder, user, user)
    postgres, redis = ("postgres", "redis") if root else ("", "")
    server: subprocess.Popen[bytes] | None = None
    cache_server: subprocess.Popen[bytes] | None = None
    data = str(base / "pg" / "data")
    pg_ctl = program("pg_ctl")
    try:
        run(program("initdb"), "-D", data, "-A", "trust", "-U", "nautobot", "--no-sync",
            "-E", "UTF8", "--locale=C.UTF-8", user=postgres)  # fmt: skip
        run(pg_ctl, "-D", data, "-w", "-l", str(base / "pg" / "log"), "start", "-o",
            f"-c listen_addresses= -c unix_socket_directories={base}/pg -c fsync=off "
            "-c full_page_writes=off -c synchronous_commit=off", user=postgres)  # fmt: skip
        connection = ("-h", str(base / "pg"), "-U", "nautobot")
        run("createdb", *connection, "nautobot")
        as_user = ["setpriv", "--reuid", redis, "--regid", redis, "--clear-groups"] if redis else []
        cache_server = subprocess.Popen(
            [*as_user, program("redis-server"), "--port", "0", "--unixsocket",
             str(base / "redis" / "sock"), "--unixsocketperm", "777", "--save", "",
             "--dir", str(base / "redis")],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        dump = cache / "migrated.dump"
        if dump.exists():
            run("pg_restore", *connection, "-d", "nautobot", "--no-owner", str(dump))
        else:
            run(str(bin_ / "nautobot-server"), "migrate", "--no-input", **env)
            run(str(bin_ / "nautobot-server"), "shell", "-c", ACCOUNT, **env)
            run("pg_dump", *connection, "-Fc", "-f", str(dump.with_suffix(".part")), "nautobot")
            dump.with_suffix(".part").rename(dump)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (base / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [str(bin_ / "nautobot-server"), "runserver", f"127.0.0.1:{port}", "--noreload",
                 "--insecure"],
                env={**os.environ, **env}, stdout=log, stderr=log,
            )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        answering(url, server, base / "server.log")
        yield Nautobot(url, TOKEN)
    finally:
        for process in (server, cache_server):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        subprocess.run(
            [*(["setpriv", "--reuid", postgres, "--regid", postgres, "--clear-groups"]
               if postgres else []), pg_ctl, "-D", data, "-m", "immediate", "stop"],
            stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        shutil.rmtree(base, ignore_errors=True)


def answering(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until Nautobot answers its API."""
    request = urllib.request.Request(f"{url}/api/status/",
                                     headers={"Authorization": f"Token {TOKEN}"})  # fmt: skip
    for _ in range(300):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(request, timeout=30):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail(f"Nautobot does not answer: {log.read_text()[-3000:]}", pytrace=False)
