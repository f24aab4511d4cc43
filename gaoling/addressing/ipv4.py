"""The IPv4 half of the plan: what exists is taken from the register and stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from gaoling.addressing.plan import FIRST_ROUTER, Plan
from gaoling.city import City


@dataclass(frozen=True, order=True)
class Use4:
    """An IPv4 network in use: what for, and whose."""

    network: IPv4Network
    use: str
    owner: str

    def __str__(self) -> str:
        return f"{self.network}  {self.use} {self.owner}"


def uses(city: City) -> list[Use4]:
    """Return every IPv4 network that the register names, in order of address."""
    return sorted(_uses(city))


def _uses(city: City) -> Iterator[Use4]:
    for site in city.sites:
        if site.ipv4 is not None:
            yield Use4(site.ipv4.network, "lan", site.code)
    for link in city.links:
        yield Use4(link.a_ipv4.network, "link", link.id)
    for device in city.devices:
        yield Use4(IPv4Network((device.management, 32)), "management", device.name)
    for region in city.settings.regions:
        yield Use4(region.provider_ipv4, "provider", region.name)
        yield Use4(region.tenants_ipv4, "tenants", region.name)


def explain4(plan: Plan, address: IPv4Address) -> list[Use4]:
    """Return what an IPv4 address is, the widest network first; empty when nobody has it."""
    found = [use for use in uses(plan.city) if address in use.network]
    for region in plan.city.settings.regions:
        inside = address in region.tenants_ipv4 or address in region.provider_ipv4
        for system in plan.city.systems if inside else ():
            tenant = plan.tenant(system.id, region.name)
            if address in tenant.ipv4:
                found.append(Use4(tenant.ipv4, "tenant", f"{region.name}/{system.id}"))
            if address == tenant.gateway_ipv4:
                found.append(Use4(IPv4Network((address, 32)), "gateway",
                                  f"{region.name}/{system.id}"))  # fmt: skip
        if address == region.provider_ipv4[1] and inside:
            found.append(Use4(IPv4Network((address, 32)), "leaf", region.leaf))
    for device in plan.city.devices:
        for link in plan.city.links_of(device.name):
            end = link.end(device.name)
            if end and end[1].ip == address:
                found.append(Use4(IPv4Network((address, 32)), "end", f"{device.name}:{end[0]}"))
    return sorted(found, key=lambda use: use.network.prefixlen)


def free4(city: City) -> list[IPv4Network]:
    """Return what is free in the city's aggregate, as few networks as possible."""
    free = [city.settings.ipv4_aggregate]
    for use in collapse_addresses(use.network for use in uses(city)):
        free = [rest for network in free for rest in _without(network, use)]
    return sorted(free)


def _without(network: IPv4Network, use: IPv4Network) -> list[IPv4Network]:
    if use.supernet_of(network):
        return []
    if use.subnet_of(network):
        return list(network.address_exclude(use))
    return [network]


__all__ = ["FIRST_ROUTER", "Use4", "explain4", "free4", "uses"]
