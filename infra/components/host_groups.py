"""Hosts of a region put together: aggregates, and the availability zones that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack


@dataclass(frozen=True)
class HostGroup:
    """`zone` is the availability zone (可用区) that its hosts are; empty: none of their own."""

    name: str
    zone: str
    hosts: Sequence[str]


@dataclass(frozen=True)
class HostGroupsArgs:
    groups: Sequence[HostGroup]


class HostGroups(pulumi.ComponentResource):
    """Host aggregates (主机聚合) as the city declares them."""

    def __init__(
        self, name: str, args: HostGroupsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:HostGroups", name, {}, opts)
        for group in args.groups:
            openstack.compute.AggregateV2(
                group.name,
                name=group.name,
                zone=group.zone or None,
                hosts=sorted(group.hosts),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
