"""Namespaces, virtual cables and the hosts' addresses: made in batches, all or nothing."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.errors import LabError
from lab.extranet.topology import PREFIX, Host, Topology, namespace
from lab.paths import LabPaths

NETNS = Path("/run/netns")
ROUTER_SYSCTL = (
    "net.ipv4.ip_forward=1",
    # set at boot: FRR neither saves nor shows `ipv6 forwarding` (docs/ipv6-change.md)
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv6.conf.all.keep_addr_on_down=1",  # else a plug that is pulled takes IPv6 with it
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.fib_multipath_hash_policy=1",
    "net.ipv6.fib_multipath_hash_policy=1",
)


def run(argv: Sequence[str], stdin: str = "") -> str:
    """Run a program and return its output. Raises LabError with what it said."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[:600]
        raise LabError(f"{' '.join(argv[:6])} failed ({done.returncode}): {said}")
    return done.stdout


def _batch(lines: Iterable[str], where: str | None = None) -> None:
    inside = ["-n", where] if where else []
    run(["ip", *inside, "-batch", "-"], "\n".join(lines) + "\n")


def present() -> list[Path]:
    """Return the namespaces of this part that exist."""
    return sorted(NETNS.glob(f"{PREFIX}*")) if NETNS.is_dir() else []


def _digest(topology: Topology) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    text = boot + "\n".join([*topology.namespaces, *map(str, topology.wires)])
    return hashlib.sha256(text.encode()).hexdigest()


def whole(topology: Topology, paths: LabPaths) -> bool:
    """Return whether all namespaces and wires stand since an earlier, finished `lay`."""
    stamp = paths.state / "wires.stamp"
    if not stamp.exists() or stamp.read_text() != _digest(topology):
        return False
    return {p.name for p in present()} == set(topology.namespaces)


def lay(topology: Topology, paths: LabPaths) -> None:
    """Make every namespace, wire and host address; the stamp that says so is written last."""
    (paths.state / "wires.stamp").unlink(missing_ok=True)
    _batch(f"netns add {name}" for name in topology.namespaces)
    with ThreadPoolExecutor(4) as pool:
        routers = [(namespace(d.name), topology.interfaces(d.name)) for d in topology.routers]
        list(pool.map(lambda r: _sysctl(r[0]), routers))
        _batch(
            f"link add {w.a_interface} netns {w.a} type veth peer name {w.b_interface} netns {w.b}"
            for w in topology.wires
        )
        list(pool.map(lambda r: _router(*r), routers))
        list(pool.map(_host, topology.hosts))
    (paths.state / "wires.stamp").write_text(_digest(topology))


def _sysctl(name: str) -> None:
    run(["ip", "netns", "exec", name, "sysctl", "-qw", *ROUTER_SYSCTL])


def _router(name: str, interfaces: list[str]) -> None:
    _batch([f"link set {i} up" for i in ["lo", *interfaces]], name)


def _host(host: Host) -> None:
    _batch(
        [
            "link set lo up",
            # SLAAC with a fixed interface identifier (RFC 7217 would be random)
            "token set ::10 dev eth0",
            "link set eth0 up",
            f"addr add {host.ipv4} dev eth0",
            f"route add default via {host.gateway}",
        ],
        host.namespace,
    )


def remove() -> None:
    """Delete every namespace of this part; wires go with them."""
    names = [p.name for p in present()]
    if names:
        _batch(f"netns del {name}" for name in names)
