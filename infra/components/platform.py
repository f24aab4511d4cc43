"""What a region offers to all systems: kinds of servers, an image, the way to the extranet."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_openstack as openstack

from infra.components.baseline import Baseline, BaselineArgs
from infra.components.host_groups import HostGroup, HostGroups, HostGroupsArgs
from infra.components.shared_services import SharedServices, SharedServicesArgs
from infra.components.volume_types import VolumeTypes, VolumeTypesArgs

FIRST_FLOATING = 210  # below it the plan numbers the routers: 10 and up
FLOATING_IPV6 = 0x1000


@dataclass(frozen=True)
class PlatformArgs:
    """Addresses are the plan's; `image` names one that is there, `image_file` uploads one."""

    region: str
    physical_network: str
    provider_ipv4: str
    provider_ipv6: str
    leaf_ipv4: str
    leaf_ipv6: str
    floating_ipv4: tuple[str, str]
    floating_ipv6: tuple[str, str]
    tenants_ipv4: str
    flavors: tuple[tuple[str, int, int], ...]  # name, vcpus, GiB
    root_disk_gb: int
    image: str
    image_file: str
    # what the city or the stack asks for beyond that
    extranet_ipv4: str
    extranet_ipv6: str
    ipv6_pool: bool = False
    baseline: bool = False
    volume_types: tuple[tuple[str, int | None], ...] = ()  # name, operations a second
    host_groups: tuple[HostGroup, ...] = ()
    services: tuple[str, str] | None = None  # IPv4 and IPv6 network
    services_gateway: tuple[str, str] = ("", "")  # its router, on the provider network
    domain: str = ""  # with a zone in Designate


class Platform(pulumi.ComponentResource):
    """Flavors, image, provider network, and the pool that IPv4 of tenants comes from.

    Tenants' IPv4 subnets and the provider network share an address scope: Neutron routes between
    them without NAT. With `ipv6_pool` those of IPv6 do too: no project can take an address that is
    not the city's. The rest only where the city asks for it.
    """

    def __init__(
        self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gaoling:cloud:Platform", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.flavors: dict[str, pulumi.Output[str]] = {}
        for flavor, vcpus, memory_gb in args.flavors:
            made = openstack.compute.Flavor(
                flavor,
                name=flavor,
                vcpus=vcpus,
                ram=memory_gb * 1024,
                disk=args.root_disk_gb,
                is_public=True,
                opts=child,
            )
            self.flavors[flavor] = made.id
        self.image = self._image(args)
        scope = openstack.networking.AddressScope(
            "extranet-ipv4", name="extranet-ipv4", ip_version=4, shared=True, opts=child
        )
        self.pool = openstack.networking.SubnetPool(
            "extranet-ipv4",
            name="extranet-ipv4",
            ip_version=4,
            address_scope_id=scope.id,
            prefixes=[args.provider_ipv4, args.tenants_ipv4],
            default_prefixlen=24,
            min_prefixlen=8,
            max_prefixlen=32,
            shared=True,
            # Neutron sorts and joins the prefixes, and calls that a change
            opts=pulumi.ResourceOptions.merge(
                child, pulumi.ResourceOptions(ignore_changes=["prefixes"])
            ),
        )
        self.pool_ipv6 = self._pool_ipv6(args, child) if args.ipv6_pool else None
        self.network = openstack.networking.Network(
            "extranet",
            name="extranet",
            description=f"The extranet's data-centre leaf in {args.region}",
            external=True,
            admin_state_up=True,
            segments=[{"network_type": "flat", "physical_network": args.physical_network}],
            opts=child,
        )
        self.ipv4 = openstack.networking.Subnet(
            "extranet-ipv4",
            name="extranet-ipv4",
            network_id=self.network.id,
            ip_version=4,
            cidr=args.provider_ipv4,
            gateway_ip=args.leaf_ipv4,
            subnetpool_id=self.pool.id,
            enable_dhcp=False,
            allocation_pools=[{"start": args.floating_ipv4[0], "end": args.floating_ipv4[1]}],
            opts=child,
        )
        self.ipv6 = openstack.networking.Subnet(
            "extranet-ipv6",
            name="extranet-ipv6",
            network_id=self.network.id,
            ip_version=6,
            cidr=args.provider_ipv6,
            gateway_ip=args.leaf_ipv6,
            subnetpool_id=self.pool_ipv6.id if self.pool_ipv6 else None,
            enable_dhcp=False,
            allocation_pools=[{"start": args.floating_ipv6[0], "end": args.floating_ipv6[1]}],
            opts=child,
        )
        self.baseline = self._beyond(args, scope.id, child)
        self.zone = None
        if args.domain:
            self.zone = openstack.dns.Zone(
                "names", name=args.domain, email=f"hostmaster@{args.domain.rstrip('.')}",
                type="PRIMARY", opts=child,
            )  # fmt: skip
        self.register_outputs(
            {"network": self.network.id, "pool": self.pool.id, "image": self.image}
        )

    def _pool_ipv6(
        self, args: PlatformArgs, child: pulumi.ResourceOptions
    ) -> openstack.networking.SubnetPool:
        """Return a pool of the city's whole prefix, in an address scope of its own."""
        scope = openstack.networking.AddressScope(
            "extranet-ipv6", name="extranet-ipv6", ip_version=6, shared=True, opts=child
        )
        return openstack.networking.SubnetPool(
            "extranet-ipv6",
            name="extranet-ipv6",
            ip_version=6,
            address_scope_id=scope.id,
            prefixes=[args.extranet_ipv6],
            default_prefixlen=64,
            min_prefixlen=48,
            max_prefixlen=127,
            shared=True,
            opts=child,
        )

    def _beyond(
        self, args: PlatformArgs, scope: pulumi.Input[str], child: pulumi.ResourceOptions
    ) -> pulumi.Output[str] | None:
        """Declare what not every city asks for; return the baseline group's id where it does."""
        if args.volume_types:
            VolumeTypes("volume-types", VolumeTypesArgs(types=args.volume_types), child)
        if args.host_groups:
            HostGroups("host-groups", HostGroupsArgs(groups=args.host_groups), child)
        if args.services:
            wanted = SharedServicesArgs(
                ipv4=args.services[0],
                ipv6=args.services[1],
                scope_ipv4=scope,
                pool_ipv6=self.pool_ipv6.id if self.pool_ipv6 else None,
                provider_network=self.network.id,
                gateway_ipv4=(args.services_gateway[0], self.ipv4.id),
                gateway_ipv6=(args.services_gateway[1], self.ipv6.id),
            )
            SharedServices("shared-services", wanted, child)
        if not args.baseline:
            return None
        prefixes = BaselineArgs(args.extranet_ipv4, args.extranet_ipv6)
        found: pulumi.Output[str] = Baseline("baseline", prefixes, child).group.id
        return found

    def _image(self, args: PlatformArgs) -> pulumi.Output[str]:
        """Return the id of the image: an uploaded file, or the one of that name."""
        if not args.image_file:
            there = openstack.images.get_image_output(name=args.image, most_recent=True)
            found: pulumi.Output[str] = there.id
            return found
        image = openstack.images.Image(
            "guest",
            name="gaoling-guest",
            container_format="bare",
            disk_format="raw",
            local_file_path=args.image_file,
            visibility="public",
            # where the file lay is of no matter once it is uploaded: servers would be replaced
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["localFilePath", "imageSourceUrl"]
            ),
        )
        made: pulumi.Output[str] = image.id
        return made
