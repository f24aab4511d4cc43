"""A plan that never moves: golden files must not change when the planner does."""

from __future__ import annotations

import zlib
from ipaddress import IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path

import pytest

from gaoling.addressing.plan import Provider, Tenant
from gaoling.city import City, Link, read_city

INVENTORY = Path(__file__).resolve().parents[2] / "inventories" / "lab"


def number(name: str) -> int:
    return zlib.crc32(name.encode()) & 0xFFFFFF


class FixedPlan:
    """Addresses by name alone: a row more in the register moves nobody else."""

    def __init__(self, city: City) -> None:
        self.city = city

    def loopback(self, device: str) -> IPv6Address:
        return IPv6Address(int(IPv6Address("2001:db8:ffff::")) + number(device))

    def link(self, link: Link) -> tuple[IPv6Interface, IPv6Interface]:
        net = IPv6Network((int(IPv6Address("2001:db8:fffe::")) + 2 * number(link.id), 127))
        return IPv6Interface((net[0], 127)), IPv6Interface((net[1], 127))

    def lan(self, site: str) -> IPv6Network:
        return IPv6Network((int(IPv6Address("2001:db8::")) + (number(site) << 64), 64))

    def gateway(self, site: str) -> IPv6Interface:
        return IPv6Interface((self.lan(site)[1], 64))

    def village_block(self, site: str) -> IPv6Network:
        return self.lan(site).supernet(new_prefix=56)

    def provider(self, region: str) -> Provider:
        v4 = self.city.region[region].provider_ipv4
        v6 = IPv6Network(f"2001:db8:fffd:{list(self.city.region).index(region)}::/64")
        return Provider(ipv6=v6, ipv4=v4, leaf_ipv6=v6[1], leaf_ipv4=v4[1])

    def tenant(self, system: str, region: str) -> Tenant:
        slot = number(system) % 200
        where = list(self.city.region).index(region)
        net = self.provider(region)
        v4 = int(self.city.region[region].tenants_ipv4.network_address) + (slot << 8)
        return Tenant(
            ipv6=IPv6Network(f"2001:db8:fffc:{where:x}{slot:02x}::/64"),
            ipv4=IPv4Network((v4, 24)),
            gateway_ipv6=net.ipv6[10 + slot],
            gateway_ipv4=net.ipv4[10 + slot],
        )


@pytest.fixture(scope="session")
def city() -> City:
    return read_city(INVENTORY)


@pytest.fixture(scope="session")
def plan(city: City) -> FixedPlan:
    return FixedPlan(city)
