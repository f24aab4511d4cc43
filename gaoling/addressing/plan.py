"""The address plan of a city: level and administrative code, then site, then use.

/128 loopbacks, /127 links (RFC 6164), /64 LANs, all blocks on nibble boundaries (RFC 5375).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from gaoling.addressing.sparse import Block, child
from gaoling.city import City, Device, Level, Link, Region, Site

TOP, SITE, USE, VILLAGE, TENANT_REGION, TENANT = 36, 44, 48, 56, 40, 56
HOST = 0x10  # a LAN's first host: ::10, .10
FIRST_ROUTER = 10  # the first tenant router on a provider network
SLOTS = 200  # tenant routers that an IPv4 /24 provider network holds


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


class Plan:
    """Every prefix of a city. `given` is what a lock holds: key -> prefix."""

    def __init__(self, city: City, given: dict[str, IPv6Network]) -> None:
        self.city = city
        self.given = given

    def _infrastructure(self, device: Device) -> IPv6Network:
        county = self.city.county_of(self.city.site[device.site])
        return self.given[f"county/{county}/infrastructure" if county else "city/infrastructure"]

    def loopback(self, device: str) -> IPv6Address:
        """Return a device's loopback address (/128)."""
        return self.given[f"loopback/{device}"].network_address

    def link(self, link: Link) -> tuple[IPv6Interface, IPv6Interface]:
        """Return both ends' addresses on a link (/127), a's first."""
        net = self.given[f"link/{link.id}"]
        return IPv6Interface((net[0], 127)), IPv6Interface((net[1], 127))

    def lan(self, site: str) -> IPv6Network:
        """Return the /64 of a site's LAN; its gateway is ::1, its first host ::10."""
        return child(self.given[f"site/{site}"], 64, 0)

    def gateway(self, site: str) -> IPv6Interface:
        lan = self.lan(site)
        return IPv6Interface((lan[1], 64))

    def host(self, site: str) -> IPv6Address:
        return self.lan(site)[HOST]

    def village_block(self, site: str) -> IPv6Network:
        """Return the whole prefix of a village: what its township routes to it."""
        return self.given[f"site/{site}"]

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

    def provider(self, region: str) -> Provider:
        v4 = self.city.region[region].provider_ipv4
        v6 = self.given[f"provider/{region}"]
        return Provider(ipv6=v6, ipv4=v4, leaf_ipv6=v6[1], leaf_ipv4=v4[1])

    def tenant(self, system: str, region: str) -> Tenant:
        """Return a system's prefixes in a region."""
        block = self.given[f"tenant/{region}/{system}"]
        slot = int(self.given[f"slot/{region}/{system}"].network_address) & 0xFFFF
        provider = self.provider(region)
        tenants = self.city.region[region].tenants_ipv4
        v4 = IPv4Network((int(tenants.network_address) + (slot << 8), 24))
        return Tenant(
            ipv6=child(block, 64, 0),
            ipv4=v4,
            gateway_ipv6=provider.ipv6[FIRST_ROUTER + slot],
            gateway_ipv4=provider.ipv4[FIRST_ROUTER + slot],
        )


def plan_city(city: City, lock: dict[str, IPv6Network] | None = None) -> Plan:
    """Return the plan of a city: what `lock` holds stays, what is new is added beside it.

    Same input, same plan. Raises ValueError naming the block that has run out.
    """
    planner = _Planner(lock or {})
    top = planner.block(city.settings.ipv6_prefix, TOP)
    counties = sorted(s.code for s in city.sites if s.level is Level.COUNTY)
    city_block = planner.give(top, "city/all")
    cloud_block = planner.give(top, "cloud/all")
    blocks = {c: planner.give(top, f"county/{c}") for c in counties}
    _city_level(city, planner, city_block)
    _counties(city, planner, blocks)
    _cloud(city, planner, cloud_block)
    return Plan(city, planner.given)


def _city_level(city: City, planner: _Planner, prefix: IPv6Network) -> None:
    block = planner.block(prefix, SITE)
    infrastructure = planner.give(block, "city/infrastructure")
    for site in sorted(s.code for s in city.sites if s.level is Level.CITY):
        planner.give(block, f"site/{site}")
    _devices(city, planner, infrastructure, "")


def _counties(city: City, planner: _Planner, blocks: dict[str, IPv6Network]) -> None:
    of_county: dict[str, list[Site]] = {code: [] for code in blocks}
    for site in city.sites:
        if site.level is not Level.CITY:
            of_county[city.county_of(site)].append(site)
    for code, prefix in blocks.items():
        block = planner.block(prefix, SITE)
        infrastructure = planner.give(block, f"county/{code}/infrastructure")
        sites = sorted(of_county[code], key=lambda s: s.code)
        planner.give(block, f"site/{code}")
        for site in (s for s in sites if s.level is Level.TOWNSHIP):
            planner.give(block, f"site/{site.code}")
        for site in (s for s in sites if s.level is Level.VILLAGE):
            # villages have the upper half of their township's block, /48 number 8 and up
            upper = child(planner.given[f"site/{site.parent}"], USE, 8)
            villages = planner.block(upper, VILLAGE)
            planner.give(villages, f"site/{site.code}")
        _devices(city, planner, infrastructure, code)


def _devices(city: City, planner: _Planner, prefix: IPv6Network, county: str) -> None:
    """Give loopbacks and links of a county (or of the city, "") out of its infrastructure."""

    def here(name: str) -> bool:
        return city.county_of(city.site[city.device[name].site]) == county

    loopbacks = planner.block(child(prefix, 64, 0), 128)
    loopbacks.hold(IPv6Network((int(prefix.network_address), 128)))  # the subnet-router anycast
    for device in sorted(d.name for d in city.devices if d.routes and here(d.name)):
        planner.give(loopbacks, f"loopback/{device}")
    links = planner.block(child(prefix, 64, 1), 127)
    for link in sorted(x.id for x in city.links if here(x.b_device)):
        planner.give(links, f"link/{link}")


def _cloud(city: City, planner: _Planner, prefix: IPv6Network) -> None:
    regions = planner.block(prefix, TENANT_REGION)
    for region in city.settings.regions:
        planner.give(regions, f"region/{region.name}")
    for region in city.settings.regions:
        _region(city, planner, region)


def _region(city: City, planner: _Planner, region: Region) -> None:
    tenants = planner.block(planner.given[f"region/{region.name}"], TENANT)
    infrastructure = planner.give(tenants, f"region/{region.name}/infrastructure")
    provider = planner.block(infrastructure, 64)
    planner.give(provider, f"provider/{region.name}")
    # slots number the routers and IPv4 subnets: dense, because IPv4 has no room to be sparse
    slots = _Slots(planner, region.name)
    for system in sorted(s.id for s in city.systems):
        planner.give(tenants, f"tenant/{region.name}/{system}")
        slots.give(system)


class _Planner:
    """Gives prefixes by key; a key that the lock holds gets what it had."""

    def __init__(self, lock: dict[str, IPv6Network]) -> None:
        self.given: dict[str, IPv6Network] = {}
        self._lock = lock
        self._by_prefix: dict[tuple[IPv6Network, int], Block] = {}

    def block(self, prefix: IPv6Network, length: int) -> Block:
        if (prefix, length) not in self._by_prefix:
            block = Block(prefix, length)
            for key, network in self._lock.items():
                if key.startswith("slot/"):
                    continue
                if network.prefixlen == length and network.subnet_of(prefix):
                    block.hold(network)
            self._by_prefix[prefix, length] = block
        return self._by_prefix[prefix, length]

    def give(self, block: Block, key: str) -> IPv6Network:
        if key not in self.given:
            self.given[key] = self._lock.get(key) or block.give()
        return self.given[key]

    def locked(self, prefix: str) -> dict[str, IPv6Network]:
        return {k: v for k, v in self._lock.items() if k.startswith(prefix)}


class _Slots:
    """Numbers of tenant routers in a region, kept in the lock as ::N/128."""

    def __init__(self, planner: _Planner, region: str) -> None:
        self._planner, self._region = planner, region
        locked = planner.locked(f"slot/{region}/")
        self._taken = {int(v.network_address) for v in locked.values()}
        self._locked = locked

    def give(self, system: str) -> None:
        key = f"slot/{self._region}/{system}"
        held = self._locked.get(key)
        if held is None:
            number = next((n for n in range(SLOTS) if n not in self._taken), None)
            if number is None:
                raise ValueError(f"region {self._region} has no router slot left (of {SLOTS})")
            self._taken.add(number)
            held = IPv6Network((number, 128))
        self._planner.given[key] = held
