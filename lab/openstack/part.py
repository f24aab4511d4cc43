"""The cloud half of the lab as `gaoling lab` sees it: up, down, status, health."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from lab import sweep
from lab.errors import LabError
from lab.openstack import (
    cinder,
    database,
    glance,
    keystone,
    mariadb,
    memcached,
    neutron,
    nova,
    placement,
    programs,
    rabbitmq,
    relay,
    swift,
    topology,
    watch,
    wires,
)
from lab.openstack.clouds import write_clouds
from lab.openstack.render import File, Folder
from lab.openstack.topology import PYTHON, REGIONS, Cloud
from lab.openstack.wires import attach
from lab.paths import LabPaths
from lab.progress import Progress
from lab.supervise import Service, ServiceStatus, Supervisor

__all__ = ["PACKAGES", "PORTS", "attach", "clouds_yaml", "down", "health", "status", "up"]

PACKAGES: tuple[str, ...] = (
    *("mariadb-server-core", "mariadb-client-core", "rabbitmq-server", "memcached"),
    *("uwsgi-core", "uwsgi-plugin-python3", "python3-pymysql", "python3-memcache"),
    "python3-sqlalchemy-ext",  # the C half of SQLAlchemy: most of Neutron's time is rows
    *("python3-pymemcache", "python3-keystone", "python3-placement", "python3-neutron"),
    *("python3-nova", "python3-glance", "python3-cinder", "python3-swift"),
    *("swift-proxy", "swift-account", "swift-container", "swift-object"),
    *("iproute2", "iptables", "ipset", "ebtables", "bridge-utils", "conntrack"),
    *("iputils-arping", "iputils-ping", "dnsmasq-base", "dnsmasq-utils", "radvd", "haproxy"),
    *("busybox", "curl", "procps", "util-linux", "qemu-utils"),
)
PORTS: dict[str, int] = topology.ports()
FREE_BYTES = 3 * 10**9
_MODULES = (
    mariadb,
    rabbitmq,
    keystone,
    placement,
    neutron,
    nova,
    glance,
    cinder,
    swift,
)


def cloud() -> Cloud:
    """Return the cloud half on this machine."""
    return Cloud(LabPaths("cloud"))


def services(here: Cloud) -> list[Service]:
    """Return every process of the cloud half, with its wave and its probe of health."""
    found = [*memcached.services(here), *relay.services(here), *watch.services(here)]
    scripts = _digest(sorted(p for p in here.lib.rglob("*") if p.suffix != ".pyc"))
    for module in _MODULES:
        texts = [file.text for file in module.files(here)]
        digest = hashlib.sha256("\n".join([scripts, *texts]).encode()).hexdigest()[:16]
        # supervisord restarts what is defined anew: a service whose configuration changed
        found += [
            replace(s, env={**s.env, "GAOLING_CONFIGURATION": digest})
            for s in module.services(here)
        ]
    return sorted(found, key=lambda s: (s.wave, s.name))


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def up(progress: Progress) -> None:
    """Bring the cloud half up, from whatever state it is in; return when all of it is healthy."""
    here = cloud()
    here.paths.make()
    _room(here.paths.state)
    prepare(here, progress)
    wires.up()
    progress.note("network namespaces of both regions are there")
    Supervisor(here.paths).up(services(here), progress, timeout=240)
    progress.note("both regions are healthy")


def prepare(here: Cloud, progress: Progress) -> None:
    """Write configuration, rings and databases; done again it changes nothing."""
    _scripts(here)
    for module in _MODULES:
        for folder in module.folders(here):
            folder.make()
    Folder(here.born, 0, 0o1733).make()
    changed = sum(f.write() for module in _MODULES for f in module.files(here))
    keystone.make_keys(here)
    write_clouds(here)
    progress.note(f"configuration written ({changed} files new)")
    with ThreadPoolExecutor(2) as pool:
        rings = [pool.submit(_rings, here, region) for region in REGIONS]
        database.prepare(here, progress)
        for done in rings:
            done.result()


def _room(state: Path) -> None:
    free = shutil.disk_usage(state).free
    if free < FREE_BYTES:
        raise LabError(
            f"{state}: found {free / 1e9:.1f} GB free, expected at least {FREE_BYTES / 1e9:.0f} GB"
        )


def _scripts(here: Cloud) -> None:
    """Copy what Debian's Python executes; guests and agents use the copy, not the tree."""
    source = Path(__file__).parent / "run"
    wanted = {p.relative_to(source) for p in source.rglob("*") if p.is_file()}
    wanted = {p for p in wanted if "__pycache__" not in p.parts}
    for name in sorted(wanted):
        target, text = here.lib / name, (source / name).read_bytes()
        mode = (source / name).stat().st_mode & 0o111 | 0o644
        if not target.exists() or target.read_bytes() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(target.name + ".new")
            fresh.write_bytes(text)
            fresh.chmod(mode)
            fresh.replace(target)
    for folder in (here.lib, *(p for p in here.lib.rglob("*") if p.is_dir())):
        folder.chmod(0o755)
    for path in here.lib.rglob("*"):
        if path.is_file() and path.relative_to(here.lib) not in wanted:
            path.unlink()


def _rings(here: Cloud, region: topology.Region) -> None:
    folder = here.region_etc(region) / "swift"
    words = ("d1", *swift.rings(region))
    stamp = folder / "rings.stamp"
    key = hashlib.sha256(" ".join(words).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == key:
        return
    script = here.lib / "rings.py"
    log = f"init-rings-{region.name}"
    programs.run(here, log, PYTHON, "-P", script, folder, *words, uid=topology.UID_API)
    File(stamp, key).write()


def down(progress: Progress) -> None:
    """Stop everything; no process, namespace, interface, mount or file stays."""
    here = cloud()
    # All state goes away with it, so nobody is given time to save anything: the keeper first,
    # else it would start anew what we end.
    keeper = _keeper(here)
    if keeper:
        os.kill(keeper, signal.SIGKILL)
    ended = sweep.end(lambda: sweep.marked("cloud"), patience=0.5)
    ended += wires.down()
    progress.note(f"ended {ended} processes")
    for folder in (here.paths.state, here.paths.run):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (here.paths.state.parent, here.paths.state.parent.parent, here.paths.run.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when no other part is there
    progress.note("nothing of the cloud half is left")


def _keeper(here: Cloud) -> int | None:
    """Return the pid of this part's supervisord; None when it does not run."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((here.paths.run / "supervisord.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if str(Supervisor(here.paths).conf).encode() in words:
            return pid
    return None


def status() -> list[ServiceStatus]:
    """Return the state of every process; empty when the cloud half is down."""
    return Supervisor(cloud().paths).status()


def health() -> list[str]:
    """Return what is wrong with the cloud half now: one line a service that is not healthy."""
    here = cloud()
    probed = [s for s in services(here) if s.ready]
    with ThreadPoolExecutor(8) as pool:
        reasons = pool.map(lambda s: s.ready and s.ready(), probed)
    return [f"{s.name}: {r}" for s, r in zip(probed, reasons, strict=True) if r]


def clouds_yaml() -> Path:
    """Return the file that OS_CLIENT_CONFIG_FILE wants. Raises LabError when there is none."""
    path = cloud().clouds_yaml
    if not path.exists():
        raise LabError(f"no {path}: the cloud half is not up; run `gaoling lab up cloud`")
    return path


def memory() -> dict[str, float]:
    """Return the proportional set size in MiB of each service with its children, and `guests`."""
    found: dict[str, float] = {}
    for pid in sweep.marked("cloud"):
        with contextlib.suppress(OSError, KeyError, ValueError):
            base = Path(f"/proc/{pid}")
            env = base.joinpath("environ").read_bytes().split(b"\0")
            pairs = dict(v.split(b"=", 1) for v in env if b"=" in v)
            name = "guests" if b"GUEST" in pairs else pairs.get(b"GAOLING_SERVICE", b"?").decode()
            rollup = base.joinpath("smaps_rollup").read_text().splitlines()[1:]
            pss = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            found[name] = found.get(name, 0.0) + pss / 1024
    return found


def run_in(namespace: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a named network namespace; for tests and for looking."""
    line = ["ip", "netns", "exec", namespace, *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)
