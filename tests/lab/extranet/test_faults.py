"""What dies comes back, with its configuration."""

from __future__ import annotations

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
    """The cloud plugs in after the router has started: FRR takes the interface as it comes."""
    space = namespace("dc2-leaf")
    shown = subprocess.run(
        ["ip", "-n", space, "link", "show", "x-dr"], capture_output=True, check=False
    )
    if shown.returncode == 0:
        pytest.skip("the cloud is plugged in here: nothing to plug in")
    subprocess.run(
        ["ip", "-n", space, "link", "add", "x-dr", "type", "veth", "peer", "test-x"], check=True
    )
    try:
        for end in ("x-dr", "test-x"):
            subprocess.run(["ip", "-n", space, "link", "set", end, "up"], check=True)
        said = ["ip", "-n", space, "route", "show", "proto", "static"]

        def there() -> bool:
            return "10.65." in subprocess.run(said, capture_output=True, text=True).stdout

        _until(there, 15)
    finally:
        subprocess.run(["ip", "-n", space, "link", "del", "x-dr"], check=True)
