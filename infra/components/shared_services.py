"""A network that all projects of a region may use: name servers, time, mirrors stand there."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

NAME = "shared-services"


@dataclass(frozen=True)
class SharedServicesArgs:
    """`scope_ipv4` is the extranet's address scope: between scopes Neutron routes nothing.

    `gateway_*` are its router's addresses on the provider network; the data-centre leaf needs a
    route to both networks through them.
    """

    ipv4: str
    ipv6: str
    scope_ipv4: pulumi.Input[str]
    pool_ipv6: pulumi.Input[str] | None
    provider_network: pulumi.Input[str]
    gateway_ipv4: tuple[str, pulumi.Input[str]]  # address, subnet
    gateway_ipv6: tuple[str, pulumi.Input[str]]


class SharedServices(pulumi.ComponentResource):
    """A shared dual-stack network behind a router of its own (共享服务网)."""

    def __init__(
        self, name: str, args: SharedServicesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:SharedServices", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        pool = openstack.networking.SubnetPool(
            f"{name}-ipv4",
            name=f"{NAME}-ipv4",
            ip_version=4,
            address_scope_id=args.scope_ipv4,
            prefixes=[args.ipv4],
            opts=child,
        )
        self.network = openstack.networking.Network(
            name, name=NAME, shared=True, admin_state_up=True, tags=["gaoling"], opts=child
        )
        ipv4 = openstack.networking.Subnet(
            f"{name}-ipv4",
            name=f"{NAME}-ipv4",
            network_id=self.network.id,
            ip_version=4,
            cidr=args.ipv4,
            subnetpool_id=pool.id,
            enable_dhcp=True,
            opts=child,
        )
        ipv6 = openstack.networking.Subnet(
            f"{name}-ipv6",
            name=f"{NAME}-ipv6",
            network_id=self.network.id,
            ip_version=6,
            cidr=args.ipv6,
            subnetpool_id=args.pool_ipv6,
            ipv6_ra_mode="slaac",
            ipv6_address_mode="slaac",
            enable_dhcp=True,
            opts=child,
        )
        # in Neutron's own order, as in a system's network
        gateways = sorted([args.gateway_ipv4, args.gateway_ipv6], key=lambda g: g[0])
        router = openstack.networking.Router(
            name,
            name=NAME,
            admin_state_up=True,
            external_network_id=args.provider_network,
            enable_snat=False,
            external_fixed_ips=[{"ip_address": a, "subnet_id": s} for a, s in gateways],
            opts=child,
        )
        for family, subnet in (("ipv4", ipv4), ("ipv6", ipv6)):
            openstack.networking.RouterInterface(
                f"{name}-{family}", router_id=router.id, subnet_id=subnet.id, opts=child
            )
        self.register_outputs({"network": self.network.id})
