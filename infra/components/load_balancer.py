"""One address of each family for all of a system's servers, where the cloud has Octavia."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack


@dataclass(frozen=True)
class LoadBalancerArgs:
    """`addresses` are those of each server, both families; `subnets` is IP version -> subnet."""

    system: str
    port: int
    subnets: dict[int, pulumi.Input[str]]
    addresses: Sequence[pulumi.Output[Sequence[str]]]
    gateways: Sequence[pulumi.Resource]
    tags: Sequence[str]


class LoadBalancer(pulumi.ComponentResource):
    """A load balancer a family: a virtual address has one, and both have to be in service.

    It passes TCP on and asks each server every five seconds whether its port is open.
    """

    def __init__(
        self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:LoadBalancer", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.addresses: list[pulumi.Output[str]] = []
        for version, subnet in args.subnets.items():
            title = f"{args.system}-ipv{version}"
            here = f"{name}-ipv{version}"
            balancer = openstack.loadbalancer.LoadBalancer(
                here,
                name=title,
                vip_subnet_id=subnet,
                tags=list(args.tags),
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.gateways)),
            )
            listener = openstack.loadbalancer.Listener(
                here,
                name=title,
                loadbalancer_id=balancer.id,
                protocol="TCP",
                protocol_port=args.port,
                opts=child,
            )
            pool = openstack.loadbalancer.Pool(
                here,
                name=title,
                listener_id=listener.id,
                protocol="TCP",
                lb_method="LEAST_CONNECTIONS",
                opts=child,
            )
            openstack.loadbalancer.Monitor(
                here,
                name=title,
                pool_id=pool.id,
                type="TCP",
                delay=5,
                timeout=3,
                max_retries=2,
                opts=child,
            )
            openstack.loadbalancer.Members(
                here,
                pool_id=pool.id,
                members=[
                    {
                        "name": f"{args.system}-{number}",
                        "address": of_family(found, version),
                        "protocol_port": args.port,
                        "subnet_id": subnet,
                    }
                    for number, found in enumerate(args.addresses, 1)
                ],
                opts=child,
            )
            self.addresses.append(balancer.vip_address)
        self.register_outputs({"addresses": self.addresses})


def of_family(addresses: pulumi.Output[Sequence[str]], version: int) -> pulumi.Output[str]:
    """Return the first address of an IP version."""

    def first(known: Sequence[str]) -> str:
        return next(a for a in known if (":" in a) == (version == 6))

    return addresses.apply(first)
