"""A system's network: both families, routed to the extranet without translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack


@dataclass(frozen=True)
class NetworkArgs:
    """Prefixes and gateways come from the plan, pools and `provider_*` from the region.

    `ipv6_mode` is how servers come to their IPv6 addresses; another one replaces the subnet.
    `pool_ipv6` is None where the region has no pool for IPv6.
    """

    system: str
    ipv4: str
    ipv6: str
    gateway_ipv4: str
    gateway_ipv6: str
    provider_network: pulumi.Input[str]
    provider_subnet_ipv4: pulumi.Input[str]
    provider_subnet_ipv6: pulumi.Input[str]
    pool: pulumi.Input[str]
    pool_ipv6: pulumi.Input[str] | None
    ipv6_mode: str
    dns_ipv4: Sequence[str]
    dns_ipv6: Sequence[str]
    tags: Sequence[str]


class Network(pulumi.ComponentResource):
    """A network with an IPv4 and an IPv6 subnet behind a router of its own."""

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:Network", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = list(args.tags)
        self.network = openstack.networking.Network(
            name, name=args.system, admin_state_up=True, tags=tags, opts=child
        )
        self.ipv4 = openstack.networking.Subnet(
            f"{name}-ipv4",
            name=f"{args.system}-ipv4",
            network_id=self.network.id,
            ip_version=4,
            cidr=args.ipv4,
            subnetpool_id=args.pool,
            enable_dhcp=True,
            dns_nameservers=list(args.dns_ipv4),
            tags=tags,
            opts=child,
        )
        self.ipv6 = openstack.networking.Subnet(
            f"{name}-ipv6",
            name=f"{args.system}-ipv6",
            network_id=self.network.id,
            ip_version=6,
            cidr=args.ipv6,
            subnetpool_id=args.pool_ipv6,
            ipv6_ra_mode=args.ipv6_mode,
            ipv6_address_mode=args.ipv6_mode,
            enable_dhcp=True,
            dns_nameservers=list(args.dns_ipv6),
            tags=tags,
            opts=child,
        )
        # In Neutron's own order, by the text of the address: any other is a change at every run
        gateways = sorted(
            [
                (args.gateway_ipv4, args.provider_subnet_ipv4),
                (args.gateway_ipv6, args.provider_subnet_ipv6),
            ],
            key=_address,
        )
        self.router = openstack.networking.Router(
            name,
            name=args.system,
            admin_state_up=True,
            external_network_id=args.provider_network,
            enable_snat=False,
            external_fixed_ips=[
                {"subnet_id": subnet, "ip_address": address} for address, subnet in gateways
            ],
            tags=tags,
            opts=child,
        )
        self.interfaces = [
            openstack.networking.RouterInterface(
                f"{name}-{family}", router_id=self.router.id, subnet_id=subnet.id, opts=child
            )
            for family, subnet in (("ipv4", self.ipv4), ("ipv6", self.ipv6))
        ]
        self.register_outputs({"network": self.network.id, "router": self.router.id})


def _address(gateway: tuple[str, pulumi.Input[str]]) -> str:
    return gateway[0]
