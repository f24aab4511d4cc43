"""What dies comes back, with its configuration."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from gaoling.network.session import Session, SessionError, from_vantage
from gaoling.network.settings import access_folder
from lab.extranet.topology import namespace, read_topology
from lab.paths import LabPaths
from lab.supervise import Supervisor

pytestmark = pytest.mark.extranet
DEVICE = "town-360281113"


def _running() -> str:
    with Session(DEVICE, access_folder()) as session:
        return session.run("show running-config no-header").text


def _until(what, seconds: float = 45) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come back"
        time.sleep(0.5)


def _answers() -> bool:
    try:
        return f"hostname {DEVICE}" in _running()
    except SessionError:
        return False


@pytest.mark.parametrize("daemon", ["ospfd", "zebra"])
def test_a_killed_daemon_comes_back_with_its_configuration(daemon):
    supervisor = Supervisor(LabPaths("extranet"))
    before = _running()
    old = supervisor.pid(f"{DEVICE}.{daemon}")
    os.kill(old, signal.SIGKILL)
    _until(lambda: supervisor.pid(f"{DEVICE}.{daemon}") not in (0, old))

    def whole() -> bool:
        try:
            return _running() == before
        except Exception:
            return False

    _until(whole, 60)
    # and it forwards again: its loopback answers the NOC over the adjacencies it has found anew
    address = read_topology().city.device[DEVICE].management
    ping = f"fping -q -r0 -t400 {address}"
    _until(lambda: from_vantage(access_folder(), "vantage-noc", ping).code == 0)


def test_the_bastion_comes_back():
    supervisor = Supervisor(LabPaths("extranet"))
    old = supervisor.pid("bastion")
    os.kill(old, signal.SIGKILL)
    _until(lambda: supervisor.pid("bastion") not in (0, old))
    _until(_answers)


def test_an_interface_that_comes_later_gets_its_address_and_routes():
    """The cloud plugs in after the router has started: FRR takes the interface as it comes.

    Where the cloud is plugged in already, its plug is pulled and put back.
    """
    leaf = ["ip", "-n", namespace("dc2-leaf")]

    def link(*words: str) -> None:
        subprocess.run([*leaf, "link", *words], check=True)

    def routes(family: str) -> set[tuple[str, str]]:
        # by name: FRR's own number for static routes is not the one that `proto static` filters
        said = ["ip", "-j", family, *leaf[1:], "route", "show", "dev", "x-dr"]
        shown = subprocess.run(said, capture_output=True, text=True, check=True).stdout
        rows = json.loads(shown or "[]")
        return {(r["dst"], r.get("gateway", "")) for r in rows if r["protocol"] == "static"}

    there = subprocess.run([*leaf, "link", "show", "x-dr"], capture_output=True, check=False)
    if there.returncode == 0:
        before = {family: routes(family) for family in ("-4", "-6")}
        assert any(prefix.startswith("10.65.") for prefix, _ in before["-4"])
        link("set", "x-dr", "down")
        try:
            _until(lambda: not routes("-4") | routes("-6"), 15)
        finally:
            link("set", "x-dr", "up")
        _until(lambda: {f: routes(f) for f in before} == before, 15)
        return
    link("add", "x-dr", "type", "veth", "peer", "test-x")
    try:
        for end in ("x-dr", "test-x"):
            link("set", end, "up")
        _until(lambda: any(prefix.startswith("10.65.") for prefix, _ in routes("-4")), 15)
    finally:
        link("del", "x-dr")
