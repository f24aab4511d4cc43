"""A system's objects: a container, and where its policy asks for it, a copy in another region."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from gaoling.cloud import syncpair


@dataclass(frozen=True)
class ContainerArgs:
    """`role` is plain, source (it syncs to `peer`) or copy (it is synced to).

    `sync_secret` is the same in both regions: both containers get the same key of their own from
    it. The provider does not mark that key as a secret, we do.
    """

    system: str
    container: str
    role: str
    project: str
    project_id: pulumi.Input[str]
    peer: str
    realm: str
    sync_secret: pulumi.Output[str] | None
    quota_gb: int
    protect: bool


class Container(pulumi.ComponentResource):
    """A container of the system's project, synced to the other region where it is a source."""

    def __init__(
        self, name: str, args: ContainerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:Container", name, {}, opts)
        key: pulumi.Output[str] | None = None
        target: pulumi.Output[str] | None = None
        if args.role in ("source", "copy"):
            key = self._key(args)
        if args.role == "source":
            target = pulumi.Output.from_input(args.project_id).apply(
                lambda project: syncpair.target(args.realm, args.peer, project, args.container)
            )
        self.container = openstack.objectstorage.Container(
            name,
            name=args.container,
            container_sync_to=target,
            container_sync_key=key,
            # Swift's container_quotas reads it: a container has no other bound
            metadata={
                "gaoling-system": args.system,
                "quota-bytes": str(args.quota_gb * 1024**3),
            },
            force_destroy=not args.protect,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                additional_secret_outputs=["container_sync_key"],
            ),
        )
        self.register_outputs({"container": self.container.name})

    @staticmethod
    def _key(args: ContainerArgs) -> pulumi.Output[str]:
        """Return the pair's key: a keyed hash of the container's name, secret."""
        if args.sync_secret is None or not args.realm:
            raise pulumi.RunError(
                "gaoling:syncRealm and gaoling:syncSecret: not set, expected both, the same in "
                "both regions: containers are synced. "
                "pulumi config set --secret gaoling:syncSecret  (gaoling cloud does it by itself)"
            )
        keyed = args.sync_secret.apply(
            lambda secret: syncpair.key(secret, args.project, args.container)
        )
        return pulumi.Output.secret(keyed)
