"""Names in the DNS: AAAA records and ip6.arpa zones as files that a name server loads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address

from gaoling.addressing import prefix
from gaoling.addressing.plan import Plan

Record = tuple[str, IPv6Address]
_HEAD = """$ORIGIN {origin}
$TTL 3600
@ IN SOA ns.{domain} hostmaster.{domain} ( {serial} 7200 900 1209600 3600 )
@ IN NS ns.{domain}
"""


def domain_of(plan: Plan) -> str:
    """Return the domain under which the names are, with its final dot."""
    settings = plan.city.settings
    return (settings.domain or f"{settings.id}.example").rstrip(".") + "."


def records(plan: Plan) -> list[Record]:
    """Return every name with its address, in order of address: one name an address.

    device: loopback; interface.device: a link's end; mgmt.device; gw.site and host.site on a LAN;
    gw.system.region.cloud: a tenant's gateway; leaf.region.cloud.
    """
    return sorted(set(_records(plan)), key=lambda record: (record[1], record[0]))


def _records(plan: Plan) -> Iterator[Record]:
    city = plan.city
    for device in city.devices:
        yield f"mgmt.{device.name}", plan.management(device.name)
        if device.routes:
            yield device.name, plan.loopback(device.name)
    for link in city.links:
        a, b = plan.link(link)
        yield f"{_label(link.a_interface)}.{link.a_device}", a.ip
        yield f"{_label(link.b_interface)}.{link.b_device}", b.ip
    for site in city.sites:
        if site.device:
            yield f"gw.{site.code}.site", plan.gateway(site.code).ip
            yield f"host.{site.code}.site", plan.host(site.code)
    for region in city.settings.regions:
        yield f"leaf.{region.name}.cloud", plan.provider(region.name).leaf_ipv6
        for system in city.systems:
            yield (
                f"gw.{system.id}.{region.name}.cloud",
                plan.tenant(system.id, region.name).gateway_ipv6,
            )


def _label(interface: str) -> str:
    """Return an interface's name as a label of letters, digits and hyphens (RFC 1123)."""
    return re.sub(r"[^a-z0-9]+", "-", interface.lower()).strip("-")[:63]


def forward_zone(plan: Plan, serial: int) -> str:
    """Return the zone file with the AAAA records."""
    domain = domain_of(plan)
    lines = [_HEAD.format(origin=domain, domain=domain, serial=serial)]
    lines.append(f"ns IN AAAA {plan.city.settings.ipv6_prefix[0x53]}\n")
    lines += [f"{name} IN AAAA {address}\n" for name, address in records(plan)]
    return "".join(lines)


def reverse_zones(plan: Plan, serial: int) -> dict[str, str]:
    """Return ip6.arpa zone name -> zone file; one zone where the prefix ends on a nibble, else one
    for each nibble that it covers (RFC 3596)."""
    domain = domain_of(plan)
    root = prefix.of(plan.city.settings.ipv6_prefix)
    size = -(-prefix.length(root) // 4) * 4
    found = {}
    every = records(plan)
    for number in range(1 << (size - prefix.length(root))):
        zone = prefix.child(root, size, number)
        origin = ".".join(
            IPv6Address(prefix.address(zone)).reverse_pointer.split(".")[-size // 4 - 2 :]
        )
        lines = [_HEAD.format(origin=f"{origin}.", domain=domain, serial=serial)]
        for name, address in every:
            if prefix.inside(prefix.pack(int(address), 128), zone):
                label = address.reverse_pointer.removesuffix(f".{origin}")
                lines.append(f"{label} IN PTR {name}.{domain}\n")
        found[origin] = "".join(lines)
    return found
