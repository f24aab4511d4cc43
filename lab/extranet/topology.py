"""Which namespaces and wires the city needs: one a router, one a host behind each LAN."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface

from gaoling.addressing.lock import read_lock
from gaoling.addressing.plan import Plan, plan_city
from gaoling.city import City, Device, Role, read_city
from lab.inventory import CITY

PREFIX = "gx-"
HOST_PREFIX = "gx-h-"
NOC = "vantage-noc"
HOST_NUMBER = 10  # of a LAN: .10, and ::10 in IPv6


def namespace(device: str) -> str:
    """Return a router's namespace, which is its FRR path space too."""
    return PREFIX + device


@dataclass(frozen=True)
class Host:
    """A computer in a LAN; `vantage` is the device name where probes are sent from it."""

    site: str
    device: str
    interface: str
    ipv4: IPv4Interface
    gateway: IPv4Address
    vantage: str | None

    @property
    def namespace(self) -> str:
        return HOST_PREFIX + self.site


@dataclass(frozen=True)
class Wire:
    """A virtual cable: namespace and interface of both ends."""

    a: str
    a_interface: str
    b: str
    b_interface: str


class Topology:
    """The city as namespaces and wires."""

    def __init__(self, city: City) -> None:
        self.city = city

    @cached_property
    def plan(self) -> Plan:
        return plan_city(self.city, read_lock(self.city.directory / "addresses"))

    @cached_property
    def routers(self) -> list[Device]:
        return [d for d in self.city.devices if d.routes]

    @cached_property
    def hosts(self) -> list[Host]:
        vantages = {d.site: d.name for d in self.city.devices if d.role is Role.VANTAGE}
        found = []
        for site in self.city.sites:
            if not site.device or site.ipv4 is None:
                continue
            net = site.ipv4.network
            address = IPv4Interface((net[HOST_NUMBER], net.prefixlen))
            vantage = vantages.get(site.code)
            found.append(
                Host(site.code, site.device, site.interface, address, site.ipv4.ip, vantage)
            )
        return found

    @cached_property
    def noc(self) -> Host:
        return next(h for h in self.hosts if h.vantage == NOC)

    @property
    def namespaces(self) -> list[str]:
        return [namespace(d.name) for d in self.routers] + [h.namespace for h in self.hosts]

    @property
    def wires(self) -> list[Wire]:
        links = [
            Wire(namespace(x.a_device), x.a_interface, namespace(x.b_device), x.b_interface)
            for x in self.city.links
        ]
        return links + [
            Wire(namespace(h.device), h.interface, h.namespace, "eth0") for h in self.hosts
        ]

    def interfaces(self, device: str) -> list[str]:
        """Return the names of a router's wired interfaces."""
        own = namespace(device)
        ends = [(w.a, w.a_interface) for w in self.wires] + [
            (w.b, w.b_interface) for w in self.wires
        ]
        return [name for where, name in ends if where == own]


def read_topology() -> Topology:
    """Return the lab's topology. Raises RegisterError when its register is wrong."""
    return Topology(read_city(CITY))
