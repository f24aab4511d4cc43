"""Who may talk to a system's servers, and whom they may talk to: by zone, tier and MLPS class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pulumi
import pulumi_openstack as openstack

ANY = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
ICMP = {"IPv4": "icmp", "IPv6": "ipv6-icmp"}
NARROW = 3  # from this MLPS class on, servers call the extranet and their name servers, no more
METADATA = "169.254.169.254/32"  # where a server asks who it is


@dataclass(frozen=True)
class SecurityGroupsArgs:
    """`extranet_*` are the prefixes of the city's extranet.

    `web` and `data` say how many servers each tier has: servers of one tier may call each other.
    `data_port` is what the web tier may call of the data tier.
    """

    system: str
    zone: str
    mlps: int
    port: int
    extranet_ipv4: str
    extranet_ipv6: str
    dns: Sequence[str]
    web: int
    data: int
    data_port: int
    baseline: bool  # the city's own group holds the ICMP of every server
    tags: Sequence[str]


class SecurityGroups(pulumi.ComponentResource):
    """A group a tier. Web: the service's port, by zone. Data, where there is one: from web alone.

    Only the internet zone (互联网区) is open to everybody, and only on the service's port. Both
    tiers answer ICMP from the extranet. Up to class 2 they may call anything; from class 3 on the
    extranet, the name servers and the metadata service.
    """

    def __init__(
        self, name: str, args: SecurityGroupsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:SecurityGroups", name, {}, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        self._extranet = {"IPv4": args.extranet_ipv4, "IPv6": args.extranet_ipv6}
        self.rules: list[openstack.networking.SecGroupRule] = []
        self.web = self._group(name, args.system, "web", args.web)
        callers = ANY if args.zone == "internet" else self._extranet
        for family in self._extranet:
            self._rule(
                self.web, f"{name}-service", family, protocol="tcp", port=args.port,
                prefix=callers[family],
            )  # fmt: skip
        self.data = self.web
        if args.data:
            self.data = self._group(f"{name}-data", f"{args.system}-data", "data", args.data)
            for family in self._extranet:
                self._rule(
                    self.data, f"{name}-data-service", family, protocol="tcp",
                    port=args.data_port, source=self.web,
                )  # fmt: skip
        self.register_outputs({"web": self.web.id, "data": self.data.id})

    def _group(
        self, name: str, title: str, tier: str, servers: int
    ) -> openstack.networking.SecGroup:
        """Return a tier's group with the rules that all tiers have."""
        args = self._args
        group = openstack.networking.SecGroup(
            name,
            name=title,
            description=f"{args.system}: zone {args.zone}, tier {tier}, class {args.mlps}",
            # Neutron's own egress rules would answer ours with 409
            delete_default_rules=True,
            tags=sorted([*args.tags, f"tier={tier}", f"zone={args.zone}"]),
            opts=self._child,
        )
        narrow = args.mlps >= NARROW
        for family, extranet in self._extranet.items():
            if not args.baseline:
                self._rule(group, f"{name}-icmp", family, protocol=ICMP[family], prefix=extranet)
            out = extranet if narrow else None
            self._rule(group, f"{name}-out", family, direction="egress", prefix=out)
            if servers > 1:
                self._rule(group, f"{name}-peers", family, source=group)
        if narrow:
            self._narrow(group, name)
        return group

    def _narrow(self, group: openstack.networking.SecGroup, name: str) -> None:
        """Let a server of class 3 call what it needs outside the extranet: metadata, names."""
        self._rule(
            group, f"{name}-metadata", "IPv4", protocol="tcp", port=80, prefix=METADATA,
            direction="egress",
        )  # fmt: skip
        for number, server in enumerate(self._args.dns, 1):
            address = ip_address(server)
            family = f"IPv{address.version}"
            if address in ip_network(self._extranet[family]):
                continue
            prefix = f"{address}/{address.max_prefixlen}"
            for protocol in ("udp", "tcp"):
                what = f"{name}-dns-{number}-{protocol}"
                self._rule(
                    group, what, family, protocol=protocol, port=53, prefix=prefix,
                    direction="egress",
                )  # fmt: skip

    def _rule(
        self,
        group: openstack.networking.SecGroup,
        what: str,
        family: str,
        *,
        protocol: str | None = None,
        port: int | None = None,
        prefix: str | None = None,
        source: openstack.networking.SecGroup | None = None,
        direction: str = "ingress",
    ) -> None:
        self.rules.append(
            openstack.networking.SecGroupRule(
                f"{what}-{family.lower()}",
                security_group_id=group.id,
                direction=direction,
                ethertype=family,
                protocol=protocol,
                port_range_min=port,
                port_range_max=port,
                remote_ip_prefix=prefix,
                remote_group_id=source.id if source else None,
                opts=self._child,
            )
        )
