"""The cloud half while it runs: APIs, packets, security groups, volumes, copies, faults."""

from __future__ import annotations

import os
import signal
import time
import uuid

import pytest

from lab.openstack import part
from lab.supervise import Supervisor

pytestmark = [pytest.mark.cloud, pytest.mark.root]


def until(good, seconds, what):
    start = time.monotonic()
    while not good():
        if time.monotonic() - start > seconds:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.2)
    return time.monotonic() - start


@pytest.mark.parametrize("region", ["primary", "dr"])
def test_every_api_of_a_region_answers(connect, region):
    c = connect(region)
    assert {h.name for h in c.compute.hypervisors()} == {f"{region}-cmp1"}
    binaries = {a.binary for a in c.network.agents() if a.is_alive}
    assert binaries == {
        "neutron-linuxbridge-agent",
        "neutron-l3-agent",
        "neutron-dhcp-agent",
    }
    services = c.block_storage.get("/os-services").json()["services"]
    assert {s["binary"] for s in services if s["state"] == "up"} == {
        "cinder-scheduler",
        "cinder-volume",
        "cinder-backup",
    }
    assert list(c.image.images()) is not None
    assert c.object_store.get_account_metadata() is not None
    assert list(c.identity.regions())


def test_health_finds_nothing_wrong():
    assert part.health() == []


def test_a_server_answers_over_both_families(site):
    spent6 = until(lambda: site.answers(site.address6), 30, f"HTTP at {site.address6}")
    spent4 = until(lambda: site.answers(site.address4), 30, f"HTTP at {site.address4}")
    assert site.border.http(site.address6) == ("200", site.server.name)
    print(f"after ACTIVE: IPv6 {spent6:.1f} s, IPv4 {spent4:.1f} s")
    assert site.border.connection.network.get_port(site.port.id).status == "ACTIVE"


def test_security_groups_bite(site):
    addresses = (site.address4, site.address6)
    assert not any(site.answers(a, 81) for a in addresses)
    rules = site.allow(81)
    for address in addresses:
        until(lambda a=address: site.answers(a, 81), 15, f"port 81 opens at {address}")
    for rule in rules:
        site.border.connection.network.delete_security_group_rule(rule)
    for address in addresses:
        until(lambda a=address: not site.answers(a, 81), 15, f"port 81 closes at {address}")


def test_the_console_comes_from_the_guest(site):
    c = site.border.connection
    said = c.compute.get_server_console_output(site.server)["output"]
    assert f"web: {site.server.name} serves" in said


def test_a_volume_is_attached_and_backed_up(site):
    c = site.border.connection
    volume = c.block_storage.create_volume(name="gl-test", size=1)
    try:
        c.block_storage.wait_for_status(volume, "available", interval=0.5, wait=60)
        c.compute.create_volume_attachment(site.server, volume=volume)
        c.block_storage.wait_for_status(volume, "in-use", interval=0.5, wait=60)
        guest = part.cloud().data / site.border.region / "guests" / site.server.id
        seen = list((guest / "volumes").iterdir())
        assert [p.stat().st_size for p in seen] == [1024**3]
        c.compute.delete_volume_attachment(site.server, volume.id)
        c.block_storage.wait_for_status(volume, "available", interval=0.5, wait=60)
        assert not list((guest / "volumes").iterdir())
        backup = c.block_storage.create_backup(volume_id=volume.id, name="gl-test")
        c.block_storage.wait_for_status(backup, "available", interval=0.5, wait=90)
        c.block_storage.delete_backup(backup)
        c.block_storage.wait_for_delete(backup, interval=0.5, wait=60)
    finally:
        c.block_storage.delete_volume(volume)
        c.block_storage.wait_for_delete(volume, interval=0.5, wait=60)


def test_container_sync_copies_to_dr(connect):
    stores = {name: connect(name).object_store for name in ("primary", "dr")}
    name, content = f"gl-test-{uuid.uuid4().hex[:8]}", os.urandom(100_000)
    account = "AUTH_" + stores["dr"].session.get_project_id()
    headers = {"X-Container-Sync-Key": "pair"}
    stores["dr"].put(f"/{name}", headers=headers)
    target = f"//gaoling/dr/{account}/{name}"
    stores["primary"].put(f"/{name}", headers={**headers, "X-Container-Sync-To": target})
    try:
        stores["primary"].put(f"/{name}/a", data=content)
        until(lambda: stores["dr"].get(f"/{name}/a").status_code == 200, 60, "the copy in dr")
        assert stores["dr"].get(f"/{name}/a").content == content
    finally:
        for store in stores.values():
            store.delete(f"/{name}/a")
            store.delete(f"/{name}")


def _kill(name: str) -> int:
    """End a service without warning; return the pid that it had."""
    pid = Supervisor(part.cloud().paths).pid(name)
    os.kill(pid, signal.SIGKILL)
    return pid


def _healthy(name: str) -> bool:
    here = part.cloud()
    probe = next(s.ready for s in part.services(here) if s.name == name)
    return probe is None or probe() is None


def _comes_back(name: str, old: int) -> None:
    supervisor = Supervisor(part.cloud().paths)
    until(lambda: supervisor.pid(name) not in (0, old), 30, f"{name} is started anew")
    until(lambda: _healthy(name), 120, f"{name} is healthy after it was killed")


@pytest.mark.parametrize("service", ["keystone", "nova-api-dr", "cinder-dr", "swift-dr", "relay"])
def test_a_killed_service_comes_back(connect, service):
    _comes_back(service, _kill(service))
    until(lambda: part.health() == [], 60, "all is healthy")


@pytest.mark.parametrize("kind", ["linuxbridge", "l3", "dhcp", "nova"])
def test_packets_flow_while_an_agent_is_dead(site, kind):
    service = f"{kind}-{site.border.region}"
    for address in (site.address6, site.address4):
        until(lambda a=address: site.answers(a), 30, f"HTTP at {address} before")
    old = _kill(service)
    start = time.monotonic()
    while time.monotonic() - start < 8:
        for address in (site.address6, site.address4):
            assert site.border.http(address, seconds=5)[0] == "200", address
    _comes_back(service, old)
    # a new server shows that DHCP, advertisements and plugging work again, not just that they run
    server = site.boot(f"{site.name}-{kind}")
    port = next(site.border.connection.network.ports(device_id=server.id))
    address = next(f["ip_address"] for f in port.fixed_ips if ":" in f["ip_address"])
    until(lambda: site.answers(address), 40, f"HTTP of a new server at {address}")
    site.border.connection.compute.delete_server(server)
    site.border.connection.compute.wait_for_delete(server, interval=0.3)
    assert site.answers(site.address4)
