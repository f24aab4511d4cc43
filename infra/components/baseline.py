"""The security group that every project may use: what all servers of the city must answer."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from infra.components.security_groups import ICMP


@dataclass(frozen=True)
class BaselineArgs:
    """The prefixes of the city's extranet."""

    extranet_ipv4: str
    extranet_ipv6: str


class Baseline(pulumi.ComponentResource):
    """One group for all: ICMP from the extranet. What is changed here changes for every server."""

    def __init__(
        self, name: str, args: BaselineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:Baseline", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.group = openstack.networking.SecGroup(
            name,
            name="baseline",
            description="Every server: ICMP from the extranet",
            delete_default_rules=True,
            tags=["gaoling"],
            opts=child,
        )
        rules = [
            openstack.networking.SecGroupRule(
                f"{name}-icmp-{family.lower()}",
                security_group_id=self.group.id,
                direction="ingress",
                ethertype=family,
                protocol=ICMP[family],
                remote_ip_prefix=prefix,
                opts=child,
            )
            for family, prefix in (("IPv4", args.extranet_ipv4), ("IPv6", args.extranet_ipv6))
        ]
        openstack.networking.RbacPolicyV2(
            name,
            action="access_as_shared",
            object_type="security_group",
            object_id=self.group.id,
            target_tenant="*",
            # whoever may use it gets it whole
            opts=pulumi.ResourceOptions(parent=self, depends_on=rules),
        )
        self.register_outputs({"group": self.group.id})
