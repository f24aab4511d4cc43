"""The databases: schemas made once for a set of package versions, accounts made for each lab.

The datadir with all schemas and no account but root's (by its socket) is packed into the cache:
no secret is in it, and the next first start takes seconds instead of a minute.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.errors import LabError
from lab.openstack import (
    cinder,
    common,
    glance,
    keystone,
    mariadb,
    neutron,
    nova,
    placement,
    programs,
)
from lab.openstack.render import File, Folder, Section, ini
from lab.openstack.topology import (
    DR,
    LOOPBACK,
    PRIMARY,
    PYTHON,
    REGION_DATABASES,
    REGIONS,
    SERVICE_USERS,
    UID_MARIADB,
    Cloud,
    Region,
    databases,
)
from lab.progress import Progress

FORM = 1  # raise when this file makes schemas differently
VERSIONED = (
    "mariadb-server-core",
    *(f"python3-{n}" for n in ("keystone", "neutron", "nova", "placement", "glance", "cinder")),
)
# (type, name, service in the port table, path)
CATALOGUE = (
    ("compute", "nova", "nova", "/v2.1"),
    ("network", "neutron", "neutron", ""),
    ("placement", "placement", "placement", ""),
    ("image", "glance", "glance", ""),
    ("volumev3", "cinderv3", "cinder", "/v3/%(project_id)s"),
    ("block-storage", "cinder", "cinder", "/v3/%(project_id)s"),
    ("object-store", "swift", "swift-proxy", "/v1/AUTH_%(project_id)s"),
)


def prepare(cloud: Cloud, progress: Progress) -> None:
    """Make schemas and accounts; what a stamp says is done stays as it is."""
    data, key = mariadb.data(cloud), schema_key()
    stamp, accounts = _stamp(cloud, "schemas"), _stamp(cloud, "accounts")
    if stamp != key or not data.is_dir():
        if stamp and data.is_dir():
            raise LabError(
                "the databases were made by other package versions: run `gaoling lab down cloud`"
            )
        _schemas(cloud, key, progress)
        _write_stamp(cloud, "schemas", key)
        accounts = ""
    wanted = accounts_key(cloud)
    if accounts != wanted:
        with _server(cloud, cloud.etc / "mariadb.cnf", cloud.database_socket) as socket:
            _accounts(cloud, socket)
            _identity(cloud, socket)
        _write_stamp(cloud, "accounts", wanted)
        progress.note("accounts, users and catalogue made")


def schema_key() -> str:
    """Return a hash of all that the schemas depend on: package versions and names."""
    query = ("dpkg-query", "-W", "-f", "${Package}=${Version}\n", *VERSIONED)
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"packages are missing: {done.stderr.strip()}")
    parts = [str(FORM), *sorted(done.stdout.split()), *(name for _, name in databases())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def accounts_key(cloud: Cloud) -> str:
    text = json.dumps([_sql_accounts(cloud), _identities(cloud)])
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(cloud: Cloud, name: str) -> str:
    path = cloud.paths.state / f"{name}.stamp"
    return path.read_text() if path.exists() else ""


def _write_stamp(cloud: Cloud, name: str, text: str) -> None:
    File(cloud.paths.state / f"{name}.stamp", text).write()


# ---------------------------------------------------------------------- schemas
def _schemas(cloud: Cloud, key: str, progress: Progress) -> None:
    packed = cloud.cache / f"schemas-{key}.tar.gz"
    fresh = cloud.data / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(mariadb.data(cloud), ignore_errors=True)
    if packed.exists() and _unpack(packed, fresh, progress):
        (fresh / "mariadb").rename(mariadb.data(cloud))
        shutil.rmtree(fresh)
        progress.note("schemas of all databases taken from the cache")
        return
    Folder(fresh, UID_MARIADB).make()
    _build(cloud, fresh, progress)
    _pack(fresh, packed)
    (fresh / "mariadb").rename(mariadb.data(cloud))
    shutil.rmtree(fresh)


def _unpack(packed: Path, fresh: Path, progress: Progress) -> bool:
    fresh.mkdir(mode=0o711)
    options = ("--numeric-owner", "--same-owner")
    line = ["tar", "-xzf", str(packed), "-C", str(fresh), *options]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return True
    progress.note(f"the packed schemas cannot be read and are made again: {done.stderr.strip()}")
    packed.unlink()
    shutil.rmtree(fresh)
    return False


def _pack(fresh: Path, packed: Path) -> None:
    packed.parent.mkdir(parents=True, exist_ok=True)
    partial = packed.with_suffix(".new")
    line = ["tar", "-I", "gzip -1", "-cf", str(partial), "-C", str(fresh)]
    line += ["--numeric-owner", "mariadb"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        partial.unlink(missing_ok=True)
        raise LabError(f"packing the schemas into {packed}: {done.stderr.strip()}")
    partial.replace(packed)


def _build(cloud: Cloud, fresh: Path, progress: Progress) -> None:
    """Make every schema: the primary region's by the projects' migrations, dr's as a copy."""
    Folder(fresh / "tmp", UID_MARIADB).make()
    socket = cloud.database_socket.with_name("build")
    settings = mariadb.settings(fresh / "mariadb", socket, fresh / "tmp")
    config = fresh / "my.cnf"
    File(config, ini(settings), UID_MARIADB).write()
    install = ("mariadb-install-db", f"--defaults-file={config}", "--skip-test-db")
    by_socket = "--auth-root-authentication-method=socket"
    programs.run(cloud, "init-mariadb", *install, by_socket, uid=UID_MARIADB)
    progress.note("MariaDB initialised")
    etc = fresh / "etc"
    with _server(cloud, config, socket):
        _sql(cloud, socket, [f"create database if not exists `{n}`;" for _, n in databases()])
        _migrate(cloud, etc, socket)
        progress.note("schemas of the primary region made")
        _clone(cloud, socket)
        progress.note("schemas of dr copied")
    shutil.rmtree(etc)


def _migrate(cloud: Cloud, etc: Path, socket: Path) -> None:
    def at(name: str) -> Section:
        url = f"mysql+pymysql://root@localhost/{name}?unix_socket={socket}&charset=utf8"
        return {**common.POOL, "connection": url}

    def conf(name: str, text: str) -> tuple[str, Path]:
        File(etc / name, text).write()
        return "--config-file", etc / name

    region, suffix = PRIMARY, f"_{PRIMARY.name}"
    k = conf("keystone.conf", keystone.configuration(cloud, at("keystone")))
    c = conf("cinder.conf", cinder.configuration(cloud, region, at("cinder" + suffix)))
    g = conf("glance-api.conf", glance.configuration(cloud, region, at("glance" + suffix)))
    n = conf("neutron.conf", neutron.configuration(cloud, region, at("neutron" + suffix)))
    p = conf("placement.conf", placement.configuration(cloud, region, at("placement" + suffix)))
    both = (at("nova_api" + suffix), at("nova" + suffix))
    v = conf("nova.conf", nova.configuration(cloud, region, *both))
    cell0 = nova.CELL_DATABASE % f"nova_cell0{suffix}"
    cell1 = nova.CELL_DATABASE % f"nova{suffix}"
    map_cell0 = ("cell_v2", "map_cell0", "--database_connection", cell0)
    create = ("cell_v2", "create_cell", "--name", "cell1", "--database_connection", cell1)
    broker = ("--transport-url", nova.CELL_BROKER)

    def manage(lane: str, steps: list[tuple[str | Path, ...]]) -> None:
        for target, *words in steps:
            programs.manage(cloud, f"init-{lane}", str(target), *words)

    lanes: dict[str, list[tuple[str | Path, ...]]] = {
        "a": [
            ("keystone.cmd.manage:main", *k, "db_sync"),
            ("cinder.cmd.manage:main", *c, "db", "sync"),
            ("glance.cmd.manage:main", *g, "db_sync"),
            ("placement.cmd.manage:main", *p, "db", "sync"),
        ],
        "b": [
            ("neutron.db.migration.cli:main", *n, "upgrade", "heads"),
            ("nova.cmd.manage:main", *v, "api_db", "sync"),
            ("nova.cmd.manage:main", *v, "db", "sync", "--local_cell"),
            ("nova.cmd.manage:main", *v, *map_cell0),
            ("nova.cmd.manage:main", *v, *create, *broker),
        ],
    }
    with ThreadPoolExecutor(2) as pool:  # two lanes for two cores
        for done in [pool.submit(manage, lane, steps) for lane, steps in lanes.items()]:
            done.result()


def _clone(cloud: Cloud, socket: Path) -> None:
    old, new = PRIMARY.name, DR.name
    names = [n for group in REGION_DATABASES.values() for n in group if n != "nova_cell0"]
    pairs = [f"nova_{old}=nova_cell0_{r.name}" for r in REGIONS]
    pairs += [f"{name}_{old}={name}_{new}" for name in names]
    programs.run(cloud, "init-clone", PYTHON, "-P", cloud.lib / "clone_schemas.py", socket, *pairs)
    table, column = f"nova_api_{new}.cell_mappings", "database_connection"
    change = f"update {table} set {column}=replace({column}, '_{old}', '_{new}');"  # noqa: S608
    _sql(cloud, socket, [change])


# ---------------------------------------------------------------------- accounts
def _sql_accounts(cloud: Cloud) -> list[str]:
    result = []
    for owner in sorted({owner for owner, _ in databases()}):
        password = cloud.passwords[f"database-{owner}"]
        account = f"'{owner}'@'{LOOPBACK}'"
        result.append(f"create or replace user {account} identified by '{password}';")
        names = [name for whose, name in databases() if whose == owner]
        result += [f"grant all on `{name}`.* to {account};" for name in names]
    return result


def _accounts(cloud: Cloud, socket: Path) -> None:
    _sql(cloud, socket, _sql_accounts(cloud))


def _identities(cloud: Cloud) -> dict[str, object]:
    def endpoint(region: Region, kind: str, name: str, service: str, path: str) -> list[str]:
        return [kind, name, region.name, region.url(service) + path]

    endpoints = [["identity", "keystone", r.name, cloud.keystone_url] for r in REGIONS]
    endpoints += [endpoint(r, *entry) for r in REGIONS for entry in CATALOGUE]
    return {
        "admin": cloud.passwords["identity-admin"],
        "regions": [r.name for r in REGIONS],
        "users": {name: cloud.passwords[f"identity-{name}"] for name in SERVICE_USERS},
        "endpoints": endpoints,
    }


def _identity(cloud: Cloud, socket: Path) -> None:
    url = f"mysql+pymysql://root@localhost/keystone?unix_socket={socket}&charset=utf8"
    config = cloud.etc / "keystone" / "init.conf"
    File(config, keystone.configuration(cloud, {"connection": url})).write()
    wanted = json.dumps(_identities(cloud))
    script = cloud.lib / "identity.py"
    programs.run(cloud, "init-identity", PYTHON, "-P", script, config, stdin=wanted)


# ---------------------------------------------------------------------- the server
def _sql(cloud: Cloud, socket: Path, statements: list[str]) -> None:
    client = ("mariadb", "--no-defaults", "-u", "root", "-S", socket)
    programs.run(cloud, "init-sql", *client, stdin="\n".join(statements))


@contextlib.contextmanager
def _server(cloud: Cloud, config: Path, socket: Path) -> Iterator[Path]:
    """Yield the socket of a server: the lab's own when it runs, else one that ends with us."""
    if _answers(socket):
        yield socket
        return
    log = cloud.paths.log / "init-mariadb.log"
    own = socket.with_name("init")
    line = ("mariadbd", f"--defaults-file={config}", "--skip-networking", f"--socket={own}")
    with log.open("a") as out:
        words = programs.mortal(*line, uid=UID_MARIADB)
        server = subprocess.Popen(
            words, stdout=out, stderr=out, env=programs.environment(), cwd="/"
        )
    try:
        _wait(lambda: _answers(own), server, log)
        if own != socket:
            socket.unlink(missing_ok=True)
            socket.symlink_to(own)
        yield socket
    finally:
        server.terminate()
        server.wait(60)
        for path in (socket, own):
            path.unlink(missing_ok=True)


def _answers(socket: Path) -> bool:
    if not socket.exists():
        return False
    line = ("mariadb", "--no-defaults", "-u", "root", "-S", str(socket), "-e", "select 1")
    return subprocess.run(line, capture_output=True, check=False).returncode == 0


def _wait(good: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not good():
        if server.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            raise LabError(f"MariaDB did not start while preparing\n--- end of {log}\n{tail}")
        time.sleep(0.1)
