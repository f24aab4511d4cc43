"""The routers of the lab through their own SSH: addresses, routes, adjacencies, accounts."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
import testinfra

from gaoling.city import Role
from gaoling.network.session import from_vantage
from lab.extranet import ssh
from lab.extranet.topology import read_topology
from lab.paths import LabPaths
from lab.supervise import Supervisor

pytestmark = pytest.mark.extranet
TOPOLOGY = read_topology()
PLAN = TOPOLOGY.plan
ONE_OF_EACH = ("core-1", "agg-2", "border-1", "dc1-leaf", "county-360203-r2", "town-360222100")


def shell(device: str, key: str = "operator") -> testinfra.host.Host:
    config = ssh.ACCESS / "ssh_config"
    return testinfra.get_host(f"ssh://{device}", ssh_config=str(config))


def show(device: str, command: str) -> str:
    done = shell(device).run(command)
    assert done.rc == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.mark.parametrize("device", [*ONE_OF_EACH, "village-360222100201"])
def test_ipv4_addresses_are_those_of_the_register(device):
    found = json.loads(show(device, "show interface json"))
    assert any(a["address"].startswith(f"{TOPOLOGY.city.device[device].management}/")
               for a in found["lo"]["ipAddresses"])  # fmt: skip
    for link in TOPOLOGY.city.links_of(device):
        interface, address = link.end(device)
        assert str(address) in [a["address"] for a in found[interface]["ipAddresses"]]


@pytest.mark.parametrize("device", ONE_OF_EACH)
def test_every_ospf_neighbour_is_full(device):
    from gaoling.network.verify import full

    expected = {
        (link.end(device)[0], str(TOPOLOGY.city.device[link.other(device)].management))
        for link in TOPOLOGY.city.links_of(device)
        if link.protocol == "ospf"
    }
    assert full(json.loads(show(device, "show ip ospf neighbor json")), 4) == expected


@pytest.mark.parametrize("device", ["core-2", "town-360281114"])
def test_routes_to_every_lan_and_loopback(device):
    routes = json.loads(show(device, "show ip route json"))
    for site in TOPOLOGY.city.sites:
        if site.ipv4 is not None:
            assert str(site.ipv4.network) in routes, site.code
    for router in TOPOLOGY.routers:
        if router.role is not Role.PEER:
            assert f"{router.management}/32" in routes, router.name
    assert "0.0.0.0/0" in routes


def test_the_border_has_its_peer():
    summary = json.loads(show("border-1", "show bgp ipv4 unicast summary json"))
    (peer,) = summary["peers"].values()
    assert peer["state"] == "Established"
    assert peer["pfxRcd"] >= 1


def test_every_host_answers_the_noc():
    hosts = [str(h.ipv4.ip) for h in TOPOLOGY.hosts]
    said = from_vantage(ssh.ACCESS, "vantage-noc", f"fping -q -u -r2 -t500 {' '.join(hosts)}")
    assert (said.code, said.text) == (0, "")


def test_a_vantage_has_its_tools():
    host = shell("vantage-360222100")
    assert host.user().name == "probe"
    assert host.user().uid != 0
    for tool in ("fping", "ping", "curl"):
        assert host.exists(tool)
    assert host.addr("10.3.0.10").is_reachable


@pytest.fixture
def short():
    """A folder for a socket, whose path has 108 bytes at most: pytest's own is too long."""
    with tempfile.TemporaryDirectory(prefix="gx-", dir="/run") as folder:
        yield Path(folder)


def test_accounts_are_not_root_and_do_what_they_may(short):
    ssh.write_access(short / "exporter", "exporter", 0)

    def exporter(*words: str) -> subprocess.CompletedProcess[str]:
        config = str(short / "exporter" / "ssh_config")
        return subprocess.run(
            ["ssh", "-F", config, *words], capture_output=True, text=True, check=False, timeout=30
        )

    try:
        assert "FRRouting" in exporter("core-1", "show version").stdout
        for bad in ("configure terminal", "show version\nconfigure terminal", "", "write memory"):
            done = exporter("core-1", *([bad] if bad else []))
            assert done.returncode != 0
            assert "show" in done.stderr
        assert exporter("netadmin@core-1", "show version").returncode == 255
        assert exporter("root@core-1", "show version").returncode == 255
        assert exporter("vantage-noc", "id -un").stdout == "probe\n"
        assert exporter("bastion", "id").returncode != 0
    finally:
        exporter("-O", "exit", "bastion")


def test_host_keys_are_each_their_own():
    lines = (ssh.ACCESS / "known_hosts").read_text().splitlines()
    keys = [line.split()[2] for line in lines]
    assert len(keys) == len(set(keys)) == len(TOPOLOGY.city.devices) + 1


def test_the_machines_own_network_is_untouched():
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    wired = {w.a_interface for w in TOPOLOGY.wires} | {w.b_interface for w in TOPOLOGY.wires}
    names = {line.split(": ")[1].split("@")[0] for line in links.stdout.splitlines()}
    assert not names & (wired - {"eth0"})
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert "10.255." not in routes


def test_a_second_up_changes_nothing():
    from lab.extranet import part
    from lab.progress import Progress

    supervisor = Supervisor(LabPaths("extranet"))
    before = {s.name: s.pid for s in supervisor.status()}
    part.up(Progress("test"))
    assert {s.name: s.pid for s in supervisor.status()} == before
    assert part.health() == []
