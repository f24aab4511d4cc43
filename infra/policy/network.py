"""Rules of networks: families, who may come in, pairs that Neutron refuses."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from infra.policy.model import UNKNOWN, Broken, Facts, Finding, Resource

NETWORK = "openstack:networking/network:Network"
SUBNET = "openstack:networking/subnet:Subnet"
GROUP = "openstack:networking/secGroup:SecGroup"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
# a prefix that is wider holds more than any extranet: it means everybody
WIDEST = {4: 8, 6: 16}
REMOTE = ("remoteGroupId", "remoteAddressGroupId")


def dual_stack(resources: Sequence[Resource], facts: Facts) -> Broken:
    """Every network has a subnet of both families."""
    families: dict[str, set[int]] = {}
    for subnet in resources:
        if subnet.type != SUBNET:
            continue
        for network in subnet.uses.get("networkId", ()):
            families.setdefault(network.urn, set()).add(_family(subnet))
    for network in resources:
        if network.type == NETWORK and families.get(network.urn, set()) != {4, 6}:
            found = sorted(families.get(network.urn, ()))
            yield Finding(
                network,
                f"network {network.name}: found IP versions {found or 'none'}, expected 4 and 6",
                f"网络 {network.name}：IP 版本为 {found or '无'}，应为 4 和 6",
            )


def everybody(prefix: str) -> bool:
    """Return whether a prefix means everybody: it is wider than any extranet, or is none."""
    try:
        network = ip_network(prefix, strict=False)
    except ValueError:
        return True
    return network.prefixlen < WIDEST[network.version]


def no_open_ingress(resources: Sequence[Resource], facts: Facts) -> Broken:
    """Below the DMZ (the front tier of 互联网区) no ingress from everywhere."""
    for rule in resources:
        if rule.type != RULE or rule.props.get("direction") != "ingress":
            continue
        prefix = rule.props.get("remoteIpPrefix")
        if prefix is UNKNOWN or (prefix and not everybody(str(prefix))):
            continue
        if not prefix and any(rule.there(name) for name in REMOTE):
            continue
        groups = [g for g in rule.uses.get("securityGroupId", ()) if g.type == GROUP]
        if groups and all(map(_dmz, groups)):
            continue
        yield Finding(
            rule,
            f"rule {rule.name}: found {prefix or 'no remote prefix and no remote group'}, "
            "expected a prefix of the extranet",
            f"安全组规则 {rule.name}：来源为 {prefix or '任意'}，应为政务外网前缀",
        )


def _dmz(group: Resource) -> bool:
    """Return whether a group is of the DMZ: 互联网区, and where groups have tiers, the front."""
    tags = group.tags
    return tags.get("zone") == "internet" and tags.get("tier", "web") in ("web", "front", "dmz")


def canonical_cidr(resources: Sequence[Resource], facts: Facts) -> Broken:
    """A subnet's CIDR is written in its one canonical form."""
    for subnet in resources:
        cidr = subnet.props.get("cidr")
        if subnet.type != SUBNET or not isinstance(cidr, str) or not cidr:
            continue
        try:
            expected = str(ip_network(cidr, strict=False))
        except ValueError:
            yield Finding(
                subnet,
                f"subnet {subnet.name}: found cidr {cidr!r}, expected an IP prefix",
                f"子网 {subnet.name}：cidr 为 {cidr!r}，应为 IP 前缀",
            )
            continue
        if cidr != expected:
            yield Finding(
                subnet,
                f"subnet {subnet.name}: found cidr {cidr}, expected its canonical form {expected}",
                f"子网 {subnet.name}：cidr 写作 {cidr}，应为规范形式 {expected}",
            )


def name_servers_of_family(resources: Sequence[Resource], facts: Facts) -> Broken:
    """A subnet's name servers are of its own IP version."""
    for subnet in resources:
        servers = subnet.props.get("dnsNameservers")
        if subnet.type != SUBNET or not isinstance(servers, Sequence):
            continue
        version = _family(subnet)
        for server in servers:
            if isinstance(server, str) and server and _version(server) != version:
                yield Finding(
                    subnet,
                    f"subnet {subnet.name}: found name server {server}, "
                    f"expected addresses of IP version {version}",
                    f"子网 {subnet.name}：域名服务器为 {server}，应为 IPv{version} 地址",
                )


def _family(subnet: Resource) -> int:
    """Return a subnet's IP version: 4 where it says none, as in the provider; 0 when unknown."""
    version = subnet.props.get("ipVersion") or 4
    return int(version) if isinstance(version, int | float | str) else 0


def _version(address: str) -> int:
    try:
        return ip_address(address).version
    except ValueError:
        return 0
