"""The watch over guests, on real namespaces: who is told apart from whom, and what is done."""

from __future__ import annotations

import importlib.util
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.root
SOURCE = Path(__file__).parents[3] / "lab" / "openstack" / "run" / "watch_guests.py"


@pytest.fixture(scope="module")
def watch() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch_guests", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Ip = Callable[..., None]


@pytest.fixture
def guest() -> Iterator[tuple[str, Ip, Ip]]:
    """A guest behind its router: its id, `ip` inside it, and `ip` inside the router."""
    name = str(uuid.uuid4())
    inside, router = f"vm-{name}", f"gl-test-{name[:6]}"
    for space in (inside, router):
        subprocess.run(["ip", "netns", "add", space], check=True)

    def ip(space: str) -> Ip:
        return lambda *words: subprocess.run(["ip", "-n", space, *words], check=True)  # type: ignore[return-value]

    ip(router)("link", "add", "qr0", "type", "veth", "peer", "name", "eth0", "netns", inside)
    for space, device, host in ((inside, "eth0", 2), (router, "qr0", 1)):
        ip(space)("link", "set", device, "up")
        ip(space)("addr", "add", f"10.99.0.{host}/24", "dev", device)
        ip(space)("addr", "add", f"2001:db8:fe00::{host}/64", "dev", device, "nodad")
    ip(inside)("route", "add", "default", "via", "10.99.0.1")
    ip(inside)("-6", "route", "add", "default", "via", "2001:db8:fe00::1")
    yield name, ip(inside), ip(router)
    for space in (inside, router):
        subprocess.run(["ip", "netns", "del", space], check=True)


def test_a_whole_guest_ails_nothing(watch, guest):
    assert watch.ailment(f"vm-{guest[0]}") is None


def test_a_guest_with_an_address_of_the_router_alone_has_no_dhcp(watch, guest):
    name, inside, _ = guest
    inside("-4", "addr", "flush", "dev", "eth0")
    assert watch.ailment(f"vm-{name}") == "no IPv4 address"


def test_a_guest_that_reaches_its_gateway_over_ipv6_alone_has_no_arp(watch, guest):
    name, _, router = guest
    router("-4", "addr", "flush", "dev", "qr0")
    assert watch.ailment(f"vm-{name}") == "no way to its IPv4 gateway"


def test_a_guest_without_a_router_is_nobodys_fault(watch, guest):
    name, _, router = guest
    router("link", "set", "qr0", "down")
    assert watch.ailment(f"vm-{name}") is None


def test_an_agent_is_ended_once_for_each_guest_and_not_before_its_time(
    watch, guest, tmp_path, monkeypatch, capsys
):
    name, inside, _ = guest
    (tmp_path / name).mkdir()
    inside("-4", "addr", "flush", "dev", "eth0")
    ended: list[str] = []
    monkeypatch.setattr(watch, "end", lambda service: ended.append(service) or True)
    now = [1000.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    since: dict[str, float] = {}
    seen: set[tuple[str, str]] = set()
    for second in range(0, 200, 10):
        now[0] = 1000.0 + second
        watch.look("dr", str(tmp_path), since, seen)
        assert ended == (["dhcp-dr"] if second > watch.PATIENCE else [])
    said = capsys.readouterr().out
    assert said.endswith(f"guest {name} of dr: no IPv4 address; dhcp-dr is started anew\n")
