"""Who may talk to a system's servers: by its zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

ANY = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
ICMP = {"IPv4": "icmp", "IPv6": "ipv6-icmp"}


@dataclass(frozen=True)
class SecurityGroupsArgs:
    """`extranet_*` are the prefixes of the city's extranet; `peers` opens servers to each other."""

    system: str
    zone: str
    port: int
    extranet_ipv4: str
    extranet_ipv6: str
    peers: bool
    tags: Sequence[str]


class SecurityGroups(pulumi.ComponentResource):
    """One group: the service's port and ICMP from the extranet, everything out.

    Only the internet zone (互联网区) is open to everybody, and only on the service's port.
    """

    def __init__(
        self, name: str, args: SecurityGroupsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:SecurityGroups", name, {}, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._name = name
        self.group = openstack.networking.SecGroup(
            name,
            name=args.system,
            description=f"{args.system}: zone {args.zone}",
            # Neutron's own egress rules would answer ours with 409
            delete_default_rules=True,
            tags=[*args.tags, f"zone={args.zone}"],
            opts=self._child,
        )
        extranet = {"IPv4": args.extranet_ipv4, "IPv6": args.extranet_ipv6}
        callers = ANY if args.zone == "internet" else extranet
        self.rules = []
        for family in ("IPv4", "IPv6"):
            self.rules += [
                self._rule("service", family, "tcp", callers[family], args.port),
                self._rule("icmp", family, ICMP[family], extranet[family]),
                self._rule("out", family, direction="egress"),
            ]
            if args.peers:
                self.rules.append(self._rule("peers", family, peers=True))
        self.register_outputs({"group": self.group.id})

    def _rule(
        self,
        what: str,
        family: str,
        protocol: str | None = None,
        prefix: str | None = None,
        port: int | None = None,
        direction: str = "ingress",
        peers: bool = False,
    ) -> openstack.networking.SecGroupRule:
        return openstack.networking.SecGroupRule(
            f"{self._name}-{what}-{family.lower()}",
            security_group_id=self.group.id,
            direction=direction,
            ethertype=family,
            protocol=protocol,
            port_range_min=port,
            port_range_max=port,
            remote_ip_prefix=prefix,
            remote_group_id=self.group.id if peers else None,
            opts=self._child,
        )
