"""A system's data volumes: one a server, protected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack


@dataclass(frozen=True)
class VolumesArgs:
    """`servers` are attached in order; there are none of them when the system is retired."""

    system: str
    count: int
    size_gb: int
    kind: str  # the volume type; empty: the cloud's default
    servers: Sequence[pulumi.Input[str]]
    protect: bool


class Volumes(pulumi.ComponentResource):
    """Data volumes, and their attachment to the servers that there are."""

    def __init__(
        self, name: str, args: VolumesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:Volumes", name, {}, opts)
        self.volumes = [
            openstack.blockstorage.Volume(
                f"{name}-data-{number}",
                name=f"{args.system}-data-{number}",
                size=args.size_gb,
                volume_type=args.kind or None,
                metadata={"gaoling_system": args.system},
                opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
            )
            for number in range(1, args.count + 1)
        ]
        self.attachments = [
            openstack.compute.VolumeAttach(
                f"{name}-data-{number}",
                instance_id=server,
                volume_id=volume.id,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for number, (volume, server) in enumerate(
                zip(self.volumes, args.servers, strict=False), 1
            )
        ]
        self.register_outputs({"volumes": [v.id for v in self.volumes]})
