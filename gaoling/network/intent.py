"""What a router shall be: its interfaces, routes and protocols, from the register and the plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from gaoling.addressing.plan import Plan
from gaoling.city import City, Device, Link, Role

BOTH = frozenset({4, 6})
# OSPF timers in seconds (RFC 2328, appendix C.3: dead is a multiple of hello). 2 and 8 instead of
# the defaults 10 and 40: a silent neighbour is noticed in 8 s. All routers must have the same.
HELLO, DEAD = 2, 8
# OSPFv3 alone. ospf6d sends a new LSA as soon as anything changes, but drops one that comes within
# MinLSArrival (RFC 2328, appendix B: 1 s) of the last, which is sent again only after RxmtInterval
# (appendix C.3: 5 s): each change of the topology cost these 5 s, and with 100 ms still 2. So: take
# all (Huawei NetEngine 8000, `lsa-arrival-interval`: 0 on a stable network that shall converge
# fast), and 2 s, which is still far above the round trip of any link here.
MIN_LS_ARRIVAL_MS, RETRANSMIT = 0, 2
# RFC 4861, section 6.2.1: MaxRtrAdvInterval is at least 4 s
RA_INTERVAL = 10


@dataclass(frozen=True)
class Interface:
    """An interface: `kind` is lo, link or lan; `area` None means that no OSPF runs here."""

    name: str
    kind: str
    description: str
    ipv4: IPv4Interface
    ipv6: IPv6Interface
    area: str | None

    @property
    def lan(self) -> IPv6Network:
        return self.ipv6.network


@dataclass(frozen=True)
class Static:
    """A static route; `via` None is a discard route (Null0)."""

    prefix: IPv4Network | IPv6Network
    via: IPv4Address | IPv6Address | None

    def __str__(self) -> str:
        word = "ip" if self.prefix.version == 4 else "ipv6"
        return f"{word} route {self.prefix} {self.via or 'Null0'}"


@dataclass(frozen=True)
class Bgp:
    """An eBGP speaker with one peer."""

    asn: int
    peer_asn: int
    peer_ipv4: IPv4Address
    peer_ipv6: IPv6Address
    networks_ipv4: tuple[IPv4Network, ...]
    networks_ipv6: tuple[IPv6Network, ...]
    originate_default: bool


@dataclass(frozen=True)
class Intent:
    """All that a router shall be, both families; what is put in service is chosen on rendering."""

    device: Device
    interfaces: tuple[Interface, ...]
    statics: tuple[Static, ...]
    ospf: bool
    redistribute_static: bool
    bgp: Bgp | None

    @property
    def router_id(self) -> IPv4Address:
        return self.device.management

    @property
    def daemons(self) -> tuple[str, ...]:
        """Return the FRR daemons that it needs, those of IPv6 too: `ipv6` then only configures."""
        names = ["zebra"]
        if self.statics:
            names.append("staticd")
        if self.ospf:
            names += ["ospfd", "ospf6d"]
        if self.bgp:
            names.append("bgpd")
        return tuple(names)


@lru_cache(1024)  # to verify one router asks for those of all that it shall have routes to
def intent_of(plan: Plan, device: str) -> Intent:
    """Return what a router shall be. Raises KeyError for a name that is not in the register."""
    city = plan.city
    found = city.device[device]
    links = city.links_of(device)
    ospf = [link for link in links if link.protocol == "ospf"]
    area = str(IPv4Address(min((x.area for x in ospf), default=0))) if ospf else None
    statics = tuple(_statics(plan, found))
    return Intent(
        device=found,
        interfaces=tuple(_interfaces(plan, found, links, area)),
        statics=statics,
        ospf=bool(ospf),
        redistribute_static=bool(ospf) and found.role in (Role.TOWNSHIP, Role.LEAF),
        bgp=_bgp(plan, found, links),
    )


def _interfaces(
    plan: Plan, device: Device, links: list[Link], area: str | None
) -> Iterable[Interface]:
    city = plan.city
    yield Interface(
        "lo",
        "lo",
        "",
        IPv4Interface((device.management, 32)),
        IPv6Interface((plan.loopback(device.name), 128)),
        area,
    )
    for link in links:
        here, there = (0, 1) if link.a_device == device.name else (1, 0)
        names = (link.a_interface, link.b_interface)
        yield Interface(
            names[here],
            "link",
            f"to {link.other(device.name)} {names[there]}",
            (link.a_ipv4, link.b_ipv4)[here],
            plan.link(link)[here],
            str(IPv4Address(link.area)) if link.protocol == "ospf" else None,
        )
    for site in city.sites_on(device.name):
        if site.ipv4 is not None:
            gateway = plan.gateway(site.code)
            yield Interface(site.interface, "lan", f"LAN {site.code}", site.ipv4, gateway, area)
    for region in city.settings.regions:
        if region.leaf == device.name:
            net = plan.provider(region.name)
            yield Interface(
                region.leaf_interface,
                "cloud",
                f"cloud {region.name}",
                IPv4Interface((net.leaf_ipv4, net.ipv4.prefixlen)),
                IPv6Interface((net.leaf_ipv6, net.ipv6.prefixlen)),
                area,
            )


def _statics(plan: Plan, device: Device) -> Iterable[Static]:
    city = plan.city
    for link in city.links_of(device.name):
        if link.protocol != "static":
            continue
        a4, b4 = link.a_ipv4.ip, link.b_ipv4.ip
        a6, b6 = (end.ip for end in plan.link(link))
        if device.role is Role.VILLAGE:
            up4, up6 = (a4, a6) if link.b_device == device.name else (b4, b6)
            yield Static(IPv4Network("0.0.0.0/0"), up4)
            yield Static(IPv6Network("::/0"), up6)
            continue
        down4, down6 = (b4, b6) if link.a_device == device.name else (a4, a6)
        other = city.device[link.other(device.name)]
        yield Static(IPv4Network((other.management, 32)), down4)
        yield Static(IPv6Network((plan.loopback(other.name), 128)), down6)
        for site in city.sites_on(other.name):
            if site.ipv4 is not None:
                yield Static(site.ipv4.network, down4)
                yield Static(plan.village_block(site.code), down6)
    for region in city.settings.regions:
        if region.leaf != device.name:
            continue
        for system in city.systems:
            if system.has_landing_zone:
                tenant = plan.tenant(system.id, region.name)
                yield Static(tenant.ipv4, tenant.gateway_ipv4)
                yield Static(tenant.ipv6, tenant.gateway_ipv6)
    if device.role is Role.BORDER:
        yield Static(city.settings.ipv4_aggregate, None)
        yield Static(city.settings.ipv6_prefix, None)


def _bgp(plan: Plan, device: Device, links: list[Link]) -> Bgp | None:
    settings = plan.city.settings
    for link in links:
        if link.protocol != "ebgp":
            continue
        there = 1 if link.a_device == device.name else 0
        peer4 = (link.a_ipv4, link.b_ipv4)[there].ip
        peer6 = plan.link(link)[there].ip
        if device.role is Role.PEER:
            own = (IPv4Network((device.management, 32)),)
            own6 = (IPv6Network((plan.loopback(device.name), 128)),)
            return Bgp(settings.province_asn, settings.asn, peer4, peer6, own, own6, True)
        own = (settings.ipv4_aggregate,)
        own6 = (settings.ipv6_prefix,)
        return Bgp(settings.asn, settings.province_asn, peer4, peer6, own, own6, False)
    return None


def changeable(city: City) -> list[Device]:
    """Return the routers that are ours to change: not the province's, not the vantages."""
    return [d for d in city.devices if d.routes and d.role is not Role.PEER]
