"""A system's servers, apart from each other, each with a port that outlives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

# What a server runs where the stack says gaoling:answer: HTTP over both families, and the answer
# names its system. On a real cloud the owner's own software takes its place.
ANSWER = """#!/bin/sh
set -eu
mkdir -p www
printf '{{"system": "%s", "server": "%s", "region": "%s"}}\\n' \\
  '{system}' "$(hostname)" '{region}' >www/index.html
while :; do
  busybox httpd -f -p '[::]:{port}' -h www || true
  sleep 1
done
"""


@dataclass(frozen=True)
class ServersArgs:
    """`gateways` are what must be there before a server asks for its addresses.

    `groups` holds the security groups of each server, `zones` the availability zones that they are
    spread over, if any.
    """

    system: str
    region: str
    flavor: pulumi.Input[str]
    image: pulumi.Input[str]
    network: pulumi.Input[str]
    subnet_ipv4: pulumi.Input[str]
    subnet_ipv6: pulumi.Input[str]
    groups: Sequence[Sequence[pulumi.Input[str]]]
    zones: Sequence[str]
    gateways: Sequence[pulumi.Resource]
    anti_affinity: str
    port: int
    answer: bool
    tags: Sequence[str]


class Servers(pulumi.ComponentResource):
    """Servers `<system>-1`, `<system>-2` ... with an address of each family."""

    def __init__(
        self, name: str, args: ServersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:Servers", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        hints = None
        count = len(args.groups)
        if count > 1:
            apart = openstack.compute.ServerGroup(
                name, name=args.system, policies=args.anti_affinity, opts=child
            )
            hints = [{"group": apart.id}]
        self.servers: list[openstack.compute.Instance] = []
        self.ports: list[openstack.networking.Port] = []
        for number, groups in enumerate(args.groups, 1):
            port = openstack.networking.Port(
                f"{name}-{number}",
                name=f"{args.system}-{number}",
                network_id=args.network,
                fixed_ips=[{"subnet_id": args.subnet_ipv4}, {"subnet_id": args.subnet_ipv6}],
                security_group_ids=list(groups),
                admin_state_up=True,
                tags=list(args.tags),
                opts=child,
            )
            server = openstack.compute.Instance(
                f"{name}-{number}",
                name=f"{args.system}-{number}",
                flavor_id=args.flavor,
                image_id=args.image,
                networks=[{"port": port.id}],
                scheduler_hints=hints,
                availability_zone=_zone(args.zones, number),
                metadata={"gaoling_system": args.system, "gaoling_region": args.region},
                user_data=self._user_data(args),
                # A newer image is for servers that are made anew: no running one is replaced by it
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=list(args.gateways), ignore_changes=["imageId"]
                ),
            )
            self.ports.append(port)
            self.servers.append(server)
        self.addresses = pulumi.Output.all(*(p.all_fixed_ips for p in self.ports))
        self.register_outputs({"servers": [s.id for s in self.servers]})

    @staticmethod
    def _user_data(args: ServersArgs) -> str | None:
        if not args.answer:
            return None
        return ANSWER.format(system=args.system, region=args.region, port=args.port)


def _zone(zones: Sequence[str], number: int) -> str | None:
    """Return the zone of a server: one after the other, the first again after the last."""
    return zones[(number - 1) % len(zones)] if zones else None
