"""What the border needs: a prefix list of what we announce, an ACL object of what is ours."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Network

from gaoling.addressing import prefix
from gaoling.addressing.allocate import ROOT
from gaoling.addressing.plan import Plan


def announced(plan: Plan) -> list[IPv6Network]:
    """Return what the border may announce: the city's prefix, nothing more specific."""
    return [plan.city.settings.ipv6_prefix]


def owned(plan: Plan) -> list[tuple[IPv6Network, str]]:
    """Return the blocks at the top of the plan that are in use, with what they are."""
    root = prefix.of(plan.city.settings.ipv6_prefix)
    fixed = [b for b in plan.profile.children[ROOT] if b.number is not None]
    found = [(prefix.child(root, b.length, b.number or 0), b.name) for b in fixed]
    found += [(packed, key.replace("/", "-")) for key, packed in plan.book.given("top").items()]
    return [(prefix.network(packed), name) for packed, name in sorted(found)]


def _frr(plan: Plan) -> str:
    lines = [
        f"ipv6 prefix-list GAOLING-OUT seq {5 * n} permit {network}"
        for n, network in enumerate(announced(plan), 1)
    ]
    lines.append("ipv6 prefix-list GAOLING-OUT seq 1000 deny any")
    for n, network in enumerate(announced(plan), 1):  # our own addresses never come from outside
        lines.append(f"ipv6 prefix-list GAOLING-IN seq {5 * n} deny {network} le 128")
    lines.append("ipv6 prefix-list GAOLING-IN seq 1000 permit ::/0 le 48")
    lines += [f"ipv6 access-list GAOLING-OWN seq {5 * n} permit {network}"
              for n, (network, _) in enumerate(owned(plan), 1)]  # fmt: skip
    return "\n".join(lines) + "\n"


def _vrp(plan: Plan) -> str:
    lines = []
    for n, network in enumerate(announced(plan), 1):
        written = f"{network.network_address} {network.prefixlen}"
        lines.append(f"ip ipv6-prefix GAOLING-OUT index {10 * n} permit {written}")
        lines.append(f"ip ipv6-prefix GAOLING-IN index {10 * n} deny {written} less-equal 128")
    lines.append("ip ipv6-prefix GAOLING-IN index 1000 permit :: 0 less-equal 48")
    lines.append("acl ipv6 name GAOLING-OWN advance")
    lines += [f" rule {5 * n} permit ipv6 source {network.network_address}/{network.prefixlen}"
              for n, (network, _) in enumerate(owned(plan), 1)]  # fmt: skip
    return "\n".join(lines) + "\n"


def _comware(plan: Plan) -> str:
    lines = []
    for n, network in enumerate(announced(plan), 1):
        written = f"{network.network_address} {network.prefixlen}"
        lines.append(f"ipv6 prefix-list GAOLING-OUT index {10 * n} permit {written}")
        lines.append(f"ipv6 prefix-list GAOLING-IN index {10 * n} deny {written} less-equal 128")
    lines.append("ipv6 prefix-list GAOLING-IN index 1000 permit :: 0 less-equal 48")
    lines.append("object-group ipv6 address GAOLING-OWN")
    lines += [f" network subnet {network.network_address} {network.prefixlen}"
              for network, _ in owned(plan)]  # fmt: skip
    return "\n".join(lines) + "\n"


PLATFORMS: dict[str, Callable[[Plan], str]] = {
    "frr": _frr,
    "huawei_vrp": _vrp,
    "huawei_vrpv8": _vrp,
    "h3c_comware": _comware,
}


def border(plan: Plan, platform: str) -> str:
    """Return prefix lists and an ACL object as a platform writes them.

    Raises KeyError for a platform that this is not written for.
    """
    return PLATFORMS[platform](plan)
