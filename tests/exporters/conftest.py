"""A city that answers from a script: outputs in the form that the real tools gave in the lab."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from exporters.base import Context
from exporters.build import families_by_device
from exporters.capacity import Capacity
from exporters.cloud import CloudError, Inventory, Server
from gaoling.addressing import plan_city
from gaoling.city import read_city
from gaoling.cloud.capacity import Host, Observed
from gaoling.cloud.capacity import Inventory as Inventory_
from gaoling.cloud.capacity_probe import CapacityError
from gaoling.evidence import Store
from gaoling.evidence.probes import Completed

NOW = 1_795_000_000.0  # 2026-11-18
LAB = Path(__file__).parents[2] / "inventories" / "lab"
CITY = read_city(LAB)
PLAN = plan_city(CITY)


@dataclass
class Script:
    """What answers and what does not. Everything does, over IPv4, unless it is told otherwise."""

    silent: set[str] = field(default_factory=set)  # addresses
    unreachable: set[str] = field(default_factory=set)  # vantages and routers without SSH
    impostors: dict[str, str] = field(default_factory=dict)  # address -> system it names
    families: set[int] = field(default_factory=lambda: {4})
    calls: list[tuple[str, str]] = field(default_factory=list)

    # vantages
    def __call__(self, vantage, argv, timeout, stdin=""):
        self.calls.append((vantage, argv[0]))
        if vantage in self.unreachable:
            return Completed(255, "", f"ssh: connect to host {vantage} port 22: No route to host")
        return self._fping(argv, stdin) if argv[0] == "fping" else self._curl(argv, stdin)

    def _alive(self, address):
        return address not in self.silent and (6 if ":" in address else 4) in self.families

    def _fping(self, argv, stdin):
        words = {True: "alive", False: "unreachable"}
        lines = [f"{a} is {words[self._alive(a)]}" for a in stdin.split()]
        return Completed(0 if all("alive" in x for x in lines) else 1, "\n".join(lines) + "\n", "")

    def _curl(self, argv, stdin):
        nonce = argv[2].split("printf '\\n")[1].split(" ")[0]
        urls = [line.split('"')[1] for line in stdin.splitlines() if line.startswith("url")]
        out = ""
        for number, url in enumerate(urls):
            address = url.removeprefix("http://").rsplit(":", 1)[0].strip("[]")
            system = self.impostors.get(address, SYSTEM_AT.get(address))
            if self._alive(address) and system:
                out += f"\n{nonce} {number}\n" + json.dumps({"system": system, "host": "x"})
        return Completed(0, out + f"\n{nonce} end\n", "")

    # routers
    def ask(self, router, line, timeout):
        if router in self.unreachable:
            return Completed(255, "", f"ssh: connect to host {router} port 22: No route to host")
        text = "Building configuration...\n\nCurrent configuration:\n!\nfrr version 8.4.4\n"
        for site in CITY.sites_on(router):
            text += f"interface {site.interface}\n description LAN\n ip address {site.ipv4}\n"
            if 6 in self.families:
                text += f" ipv6 address {PLAN.gateway(site.code)}\n"
            text += "exit\n!\n"
        text += "end\n"
        asked = line.split("\n")
        if "show ip ospf neighbor json" in asked:
            states = {"10.255.0.1": "Full/-", "10.255.0.2": "Init/-"}
            near = {"neighbors": {r: [{"nbrState": s, "state": s}] for r, s in states.items()}}
            text += json.dumps(near, indent=2) + "\n"
        if "show ipv6 ospf6 neighbor json" in asked:
            text += json.dumps({"neighbors": [{"neighborId": "10.255.0.1", "state": "Full"}]})
        return Completed(0, text, "")


def _servers():
    found = []
    for system in CITY.systems:
        if system.has_landing_zone:
            tenant = PLAN.tenant(system.id, "primary")
            for number in range(system.servers):
                ips = (str(tenant.ipv4[20 + number]), str(tenant.ipv6[0x20 + number]))
                found.append(
                    Server(f"{system.id}-{number}", system.id, f"lab-{system.id}", True, ips)
                )
    return found


SYSTEM_AT = {ip: s.system for s in _servers() for ip in s.addresses}


@dataclass
class FakeCloud:
    """A region: a server of every landing zone; containers were copied `lag` seconds ago."""

    servers: list[Server] = field(default_factory=_servers)
    down: bool = False
    lag: float = 120.0
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def projects(self):
        return self.inventory().projects

    def inventory(self):
        if self.down:
            raise CloudError("primary: ConnectFailure: no answer")
        return Inventory(frozenset(s.project for s in _servers()), tuple(self.servers))

    def containers(self, project):
        if self.down:
            raise CloudError("dr: ConnectFailure: no answer")
        return self

    def put(self, container, name, data):
        self.objects[container, name] = data
        return True

    def get(self, container, name):
        system = container.removesuffix("-objects")
        return json.dumps({"system": system, "time": NOW - self.lag}).encode()


@dataclass
class World:
    script: Script
    primary: FakeCloud
    dr: FakeCloud
    context: Context
    history: Path
    now: float = NOW

    def grow(self):
        """Write a history: until today half a core more was used every day in dr."""
        today = dt.date(2026, 11, 18)  # NOW in Asia/Shanghai
        lines = [
            {"city": "lab", "region": "dr", "day": str(today - dt.timedelta(n)),
             "used": {"vcpus": 14.0 - n / 2}} for n in range(1, 25)
        ]  # fmt: skip
        self.history.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def capacity(self):
        """Return the collector of capacity: a region has two hosts and a pool of storage."""

        def ask(city, region):
            if {"primary": self.primary, "dr": self.dr}[region].down:
                raise CapacityError(f"{region}: identity: ConnectFailure: no answer")
            return observed(region)

        return Capacity(ask, self.history)

    def collect(self, collector):
        """Run one collector; what it saw is in the store."""
        result = collector.collect(self.context)
        self.context.store.record(result.observations)
        return result


def observed(region):
    """A region with two hosts, a smaller one that is disabled, and a pool; 14 of 128 cores used."""

    def host(name, cores, used, **more):
        held = {
            "vcpus": Inventory_(cores, used=used),
            "memory_gb": Inventory_(4 * cores, used=used),
            "disk_gb": Inventory_(100.0, reserved=10, ratio=2.0, used=used),
        }
        return Host(name, held, **more)

    pool = Host("files", {"volume_gb": Inventory_(1000, used=7)})
    hosts = (host("cmp1", 64, 9), host("cmp2", 64, 5), host("cmp3", 32, 0, enabled=False))
    return Observed(region, hosts, (pool,))


@pytest.fixture
def world(tmp_path) -> World:
    script, primary, dr = Script(), FakeCloud(), FakeCloud()
    regions = {"primary": primary, "dr": dr}
    context = Context(
        city=CITY, plan=PLAN, store=Store(), runner=script, cloud=regions.__getitem__,
        families=families_by_device(CITY, None), clock=lambda: NOW,
    )  # fmt: skip
    return World(script, primary, dr, context, tmp_path / "history.jsonl")
