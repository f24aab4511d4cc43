"""The address plan of a city: level and administrative code, then site, then use.

/128 loopbacks, /127 links (RFC 6164), /64 LANs, all blocks where the profile puts them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from gaoling.addressing import prefix
from gaoling.addressing.allocate import ROOT, Allocator, PlanError
from gaoling.addressing.book import TOP, Book
from gaoling.addressing.profile import Profile, read_profile
from gaoling.city import City, Device, Level, Link, Region, Site

HOST = 0x10  # a LAN's first host: ::10, .10
FIRST_ROUTER = 10  # the first tenant router on a provider network
CITY = "city"
_NEEDED = {
    (ROOT, "city"), (ROOT, "cloud"), (ROOT, "county"), ("city", "infrastructure"), ("city", "site"),
    ("county", "infrastructure"), ("county", "site"), ("site", "villages"), ("villages", "village"),
    ("site", "lan"), ("village", "lan"), ("infrastructure", "loopbacks"),
    ("infrastructure", "links"), ("infrastructure", "addresses"), ("loopbacks", "loopback"),
    ("links", "link"), ("addresses", "address"), ("cloud", "region"), ("region", "fabric"),
    ("region", "tenant"), ("fabric", "provider"), ("provider", "gateway"),
}  # fmt: skip


@dataclass(frozen=True)
class Tenant:
    """What a system gets in a region: its network and its router's gateway to the extranet."""

    ipv6: IPv6Network  # /64
    ipv4: IPv4Network  # /24
    gateway_ipv6: IPv6Address  # the router's own address on the provider network
    gateway_ipv4: IPv4Address


@dataclass(frozen=True)
class Provider:
    """The network between a data-centre leaf and the routers of the tenants."""

    ipv6: IPv6Network
    ipv4: IPv4Network
    leaf_ipv6: IPv6Address
    leaf_ipv4: IPv4Address


def group_of(code: str) -> str:
    """Return the name of the group (a file of the lock) of a county, or of the city level, ""."""
    return code or CITY


def cloud_group(region: str) -> str:
    return f"cloud-{region}"


def slots(region: Region) -> int:
    """Return how many tenants a region's IPv4 networks hold: an address and a /24 each."""
    routers = region.provider_ipv4.num_addresses - FIRST_ROUTER - 1
    subnets = 1 << max(24 - region.tenants_ipv4.prefixlen, 0)
    return max(min(routers, subnets), 0)


class Plan:
    """Every prefix of a city. `book` says what is given (a mapping, too) and what is retired."""

    def __init__(self, city: City, book: Book, profile: Profile, allocator: Allocator) -> None:
        self.city = city
        self.book = book
        self.profile = profile
        self._allocator = allocator

    @property
    def given(self) -> Book:
        """Key `group/kind/name` -> prefix."""
        return self.book

    def group(self, site: Site) -> str:
        """Return the group in which a site's prefix is."""
        return group_of(self.city.county_of(site))

    def _of_device(self, device: str, kind: str) -> int:
        group = self.group(self.city.site[self.city.device[device].site])
        return self.book.packed(f"{group}/{kind}/{device}")

    def loopback(self, device: str) -> IPv6Address:
        """Return a device's loopback address (/128)."""
        return IPv6Address(prefix.address(self._of_device(device, "loopback")))

    def management(self, device: str) -> IPv6Address:
        """Return a device's own address for management over IPv6 (/128)."""
        return IPv6Address(prefix.address(self._of_device(device, "address")))

    def link(self, link: Link) -> tuple[IPv6Interface, IPv6Interface]:
        """Return both ends' addresses on a link (/127), a's first."""
        group = self.group(self.city.site[self.city.device[link.b_device].site])
        first = prefix.address(self.book.packed(f"{group}/link/{link.id}"))
        return IPv6Interface((first, 127)), IPv6Interface((first + 1, 127))

    def _block(self, code: str) -> tuple[str, int]:
        site = self.city.site[code]
        kind = "village" if site.level is Level.VILLAGE else "site"
        return kind, self.book.packed(f"{self.group(site)}/{kind}/{code}")

    def use(self, site: str, use: str) -> IPv6Network:
        """Return what a site has for a use of the profile: lan, services, management.

        Raises KeyError for a site or a use that is not there.
        """
        kind, block = self._block(site)
        return prefix.network(self._allocator.fixed(kind, block, use))

    def lan(self, site: str) -> IPv6Network:
        """Return the /64 of a site's LAN; its gateway is ::1, its first host ::10."""
        kind, block = self._block(site)
        return prefix.network(prefix.child(self._allocator.fixed(kind, block, "lan"), 64, 0))

    def gateway(self, site: str) -> IPv6Interface:
        lan = self.lan(site)
        return IPv6Interface((lan[1], 64))

    def host(self, site: str) -> IPv6Address:
        return self.lan(site)[HOST]

    def village_block(self, site: str) -> IPv6Network:
        """Return the whole prefix of a village: what its township routes to it."""
        return prefix.network(self._block(site)[1])

    def probe(self, site: Site) -> tuple[IPv4Address | None, IPv6Address | None]:
        """Return the addresses whose answer says that a site is reached, IPv4 and IPv6.

        The LAN's gateway where the site has a router of its own, else the first host behind the
        shared router (its gateway would answer even when nothing hangs there). None, None for a
        site without a LAN.
        """
        if not site.device or site.ipv4 is None:
            return None, None
        if self.city.device[site.device].site == site.code:
            return site.ipv4.ip, self.gateway(site.code).ip
        return site.ipv4.network[HOST - 6], self.host(site.code)

    def _provider(self, region: str) -> int:
        block = self.book.packed(f"cloud/region/{region}")
        return self._allocator.fixed("region", block, "fabric", "provider")

    def provider(self, region: str) -> Provider:
        v4 = self.city.region[region].provider_ipv4
        v6 = prefix.network(self._provider(region))
        return Provider(ipv6=v6, ipv4=v4, leaf_ipv6=v6[1], leaf_ipv4=v4[1])

    def tenant(self, system: str, region: str) -> Tenant:
        """Return a system's prefixes in a region. Raises KeyError when it has none there."""
        group = cloud_group(region)
        block = self.book.packed(f"{group}/tenant/{system}")
        router = prefix.address(self.book.packed(f"{group}/gateway/{system}"))
        slot = router - prefix.address(self._provider(region)) - FIRST_ROUTER
        there = self.city.region[region]
        v4 = int(there.tenants_ipv4.network_address) + (slot << 8)
        return Tenant(
            ipv6=prefix.network(prefix.child(block, 64, 0)),
            ipv4=IPv4Network((v4, 24)),
            gateway_ipv6=IPv6Address(router),
            gateway_ipv4=there.provider_ipv4[FIRST_ROUTER + slot],
        )


def profile_of(city: City) -> Profile:
    """Return the profile that a city names, its own file or one of the project's.

    Raises ProfileError when it cannot be used, or lacks a block that a city needs.
    """
    profile = read_profile(city.settings.address_profile, city.directory)
    if lacking := sorted(_NEEDED - profile.edge.keys()):
        listed = ", ".join(f"{name} in {parent}" for parent, name in lacking)
        raise PlanError(f"profile {profile.name!r} is none for a city: it has no {listed}")
    return profile


def plan_city(
    city: City, lock: Mapping[str, IPv6Network] | None = None, today: dt.date | None = None
) -> Plan:
    """Return the plan of a city: what `lock` holds stays, what is new is added beside it.

    Same input, same plan; the day matters only for what is retired. Raises PlanError naming the
    level that has run out, ProfileError.
    """
    profile = profile_of(city)
    root = prefix.of(city.settings.ipv6_prefix)
    allocator = Allocator(profile, root, Book.of(lock or {}), today or dt.date.today())
    counties = sorted(s.code for s in city.sites if s.level is Level.COUNTY)
    blocks = dict(zip(counties, allocator.fill(ROOT, root, "county", TOP, counties), strict=True))
    blocks[""] = allocator.fixed(ROOT, root, "city")
    _sites(city, allocator, blocks)
    _devices(city, allocator, blocks)
    _cloud(city, allocator, allocator.fixed(ROOT, root, "cloud"))
    return Plan(city, allocator.finish(), profile, allocator)


def _sites(city: City, allocator: Allocator, blocks: dict[str, int]) -> None:
    sites: dict[str, list[str]] = {county: [] for county in blocks}
    villages: dict[str, list[str]] = {}
    for site in city.sites:
        if site.level is Level.VILLAGE:
            villages.setdefault(site.parent, []).append(site.code)
        else:
            sites[city.county_of(site)].append(site.code)
    for county, block in blocks.items():
        group = group_of(county)
        codes = sorted(sites[county])
        found = allocator.fill("county" if county else "city", block, "site", group, codes)
        for code, site_block in zip(codes, found, strict=True):
            if code in villages:
                upper = allocator.fixed("site", site_block, "villages")
                allocator.fill("villages", upper, "village", group, sorted(villages[code]))


def _devices(city: City, allocator: Allocator, blocks: dict[str, int]) -> None:
    """Give loopbacks, links and management addresses out of each county's infrastructure."""
    at = {d.name: city.county_of(city.site[d.site]) for d in city.devices}
    devices: dict[str, list[Device]] = {}
    links: dict[str, list[str]] = {}
    for device in city.devices:
        devices.setdefault(at[device.name], []).append(device)
    for link in city.links:
        links.setdefault(at[link.b_device], []).append(link.id)
    for county in sorted(devices.keys() | links.keys()):
        group, parent = group_of(county), "county" if county else "city"
        block = allocator.fixed(parent, blocks[county], "infrastructure")

        def give(of: str, kind: str, names: list[str], block: int = block, to: str = group) -> None:
            inner = allocator.fixed("infrastructure", block, of)
            allocator.fill(of, inner, kind, to, sorted(names))

        here = devices.get(county, [])
        give("loopbacks", "loopback", [d.name for d in here if d.routes])
        give("links", "link", links.get(county, []))
        give("addresses", "address", [d.name for d in here])


def _cloud(city: City, allocator: Allocator, block: int) -> None:
    names = [r.name for r in city.settings.regions]
    systems = sorted(s.id for s in city.systems)
    for region, prefix_ in zip(
        city.settings.regions, allocator.fill("cloud", block, "region", "cloud", names), strict=True
    ):
        group = cloud_group(region.name)
        allocator.fill("region", prefix_, "tenant", group, systems)
        provider = allocator.fixed("region", prefix_, "fabric", "provider")
        for system, gateway in zip(
            systems,
            allocator.fill("provider", provider, "gateway", group, systems),
            strict=True,
        ):
            slot = prefix.address(gateway) - prefix.address(provider) - FIRST_ROUTER
            if slot >= slots(region):
                raise PlanError(
                    f"level gateway（租户网关） runs out now, at system {system!r}: region "
                    f"{region.name} has no router slot left (of {slots(region)}: "
                    f"provider_ipv4 {region.provider_ipv4}, tenants_ipv4 {region.tenants_ipv4})"
                )
