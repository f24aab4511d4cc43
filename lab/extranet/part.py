"""The extranet part of the lab: up, down, status, health."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from lab import sweep
from lab.errors import LabError
from lab.extranet import accounts, routers, ssh, wires
from lab.extranet.topology import Topology, read_topology
from lab.paths import STATE, LabPaths
from lab.progress import Progress
from lab.supervise import ServiceStatus, Supervisor

PACKAGES = (
    "fping",
    "frr",
    "frr-pythontools",
    "iproute2",
    "iputils-ping",
    "openssh-client",
    "openssh-server",
    "procps",
    "util-linux",
)
PORTS = {"bastion": ssh.BASTION_PORT}
CONVERGENCE = 120.0  # seconds; it takes about 15 on an idle machine
PATHS = LabPaths("extranet")


def up(progress: Progress) -> None:
    """Start the extranet, IPv4 only the first time, and wait until every router answers.

    Done again it changes nothing; after a kill in the middle it completes. Raises LabError.
    """
    topology = read_topology()
    PATHS.make()
    if not wires.whole(topology, PATHS):
        if wires.present() or (PATHS.state / "keys").exists():
            progress.note("an earlier start did not end, or the register changed: beginning anew")
            down(progress)
            PATHS.make()
        _prepare(topology)
        wires.lay(topology, PATHS)
        names, cables = len(topology.namespaces), len(topology.wires)
        progress.note(f"{names} namespaces and {cables} wires laid")
    else:
        _prepare(topology)
    ssh.write_access(ssh.ACCESS, "operator", os.getuid())
    Supervisor(PATHS).up(routers.services(topology, PATHS), progress)
    _converge(topology, progress)


def _prepare(topology: Topology) -> None:
    routers.install_tools(PATHS)
    accounts.make_keys(PATHS)
    accounts.write(PATHS)
    ssh.write(topology, PATHS)
    routers.configure(topology, PATHS)


def _silent(topology: Topology) -> list[str]:
    """Return the management addresses that do not answer a ping from the NOC (fping, 1 round)."""
    asked = {str(d.management): d.name for d in topology.city.devices}
    done = subprocess.run(
        ["ip", "netns", "exec", topology.noc.namespace, "fping", "-q", "-u", "-r1", "-t400", "-i1",
         *asked],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise LabError(f"fping failed ({done.returncode}): {done.stderr.strip()[:300]}")
    return [asked[address] for address in done.stdout.split()]


def _converge(topology: Topology, progress: Progress) -> None:
    deadline = time.monotonic() + CONVERGENCE
    while silent := _silent(topology):
        if time.monotonic() > deadline:
            first = silent[0]
            raise LabError(
                f"after {CONVERGENCE:.0f} s these do not answer the NOC: {', '.join(silent[:10])}"
                f"{' …' if len(silent) > 10 else ''}\n{Supervisor(PATHS).tail(f'{first}.zebra')}"
            )
        progress.wait(0.5)
    progress.note(f"all {len(topology.city.devices)} management addresses answer the NOC")


def down(progress: Progress) -> None:
    """Stop the extranet: no process, namespace, interface, mount or file of it is left."""
    Supervisor(PATHS).down(progress)
    # sessions and armed timers carry no mark: they are found by their namespace
    sweep.end(lambda: sweep.in_namespaces(wires.present()))
    wires.remove()
    routers.remove()
    ssh.remove()
    PATHS.give_back()
    if (STATE / "access").is_dir() and not any((STATE / "access").iterdir()):
        (STATE / "access").rmdir()
    # what was changed on routers that are no more: journal, backups
    for folder in (PATHS.state, PATHS.run, STATE / "work" / "network"):
        shutil.rmtree(folder, ignore_errors=True)
    progress.note("namespaces, wires and files removed")


def status() -> list[ServiceStatus]:
    """Return the state of every process; empty when the part is down."""
    return Supervisor(PATHS).status()


def health() -> list[str]:
    """Return what is wrong beyond stopped processes; empty when every router answers the NOC."""
    topology = read_topology()
    if not wires.whole(topology, PATHS):
        return ["namespaces or wires are missing: run `gaoling lab up extranet`"]
    return [f"{name} does not answer the NOC" for name in _silent(topology)]
