"""Kinds of volumes that a region offers, and how many operations a second each may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack


@dataclass(frozen=True)
class VolumeTypesArgs:
    """`types` is name and operations a second (None: unbounded)."""

    types: Sequence[tuple[str, int | None]]


class VolumeTypes(pulumi.ComponentResource):
    """Volume types with their quality of service, which the hypervisor enforces."""

    def __init__(
        self, name: str, args: VolumeTypesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:VolumeTypes", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        for kind, iops in args.types:
            made = openstack.blockstorage.VolumeTypeV3(kind, name=kind, is_public=True, opts=child)
            if iops is None:
                continue
            quality = openstack.blockstorage.QosV3(
                kind,
                name=kind,
                consumer="front-end",
                specs={"total_iops_sec": str(iops)},
                opts=child,
            )
            openstack.blockstorage.QosAssociationV3(
                kind, qos_id=quality.id, volume_type_id=made.id, opts=child
            )
        self.register_outputs({})
