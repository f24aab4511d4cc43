"""What a run that was cut off may have made: looked up in the cloud by what it was to be.

Each kind is known by the arguments that no two of them share: its name within its project, or
the things that it ties together. What the services make only once whatever is asked, is not looked
up: to make it again is to find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Inputs = Mapping[str, Any]
Found = tuple[str, str]  # id, and the status where the kind has one
Finder = Callable[[Any, Inputs], Iterator[Found]]

# asked for twice, they are there once
IDEMPOTENT = (
    "openstack:compute/quotaSetV2:QuotaSetV2",
    "openstack:networking/quotaV2:QuotaV2",
    "openstack:blockstorage/quoteSetV3:QuoteSetV3",
    "openstack:identity/roleAssignment:RoleAssignment",
    "openstack:objectstorage/container:Container",
    "openstack:objectstorage/containerObject:ContainerObject",
)
BROKEN = ("ERROR", "error", "killed")  # such a one is made anew
UNREADY = ("BUILD", "creating", "queued", "saving", "attaching")


def _project(cloud: Any) -> str:
    return str(cloud.current_project_id)


def _network(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.network.networks(name=given["name"], project_id=_project(cloud)):
        yield one.id, ""


def _subnet(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.network.subnets(name=given["name"], network_id=given["networkId"]):
        yield one.id, ""


def _router(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.network.routers(name=given["name"], project_id=_project(cloud)):
        yield one.id, ""


def _interface(cloud: Any, given: Inputs) -> Iterator[Found]:
    for port in cloud.network.ports(device_id=given["routerId"]):
        if any(fixed["subnet_id"] == given.get("subnetId") for fixed in port.fixed_ips):
            yield port.id, ""


def _port(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.network.ports(name=given["name"], network_id=given["networkId"]):
        yield one.id, ""


def _group(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.network.security_groups(name=given["name"], project_id=_project(cloud)):
        yield one.id, ""


def _rule(cloud: Any, given: Inputs) -> Iterator[Found]:
    wanted = {
        "direction": given["direction"],
        "ether_type": given["ethertype"],
        "protocol": given.get("protocol") or None,
        "port_range_min": given.get("portRangeMin") or None,
        "port_range_max": given.get("portRangeMax") or None,
        "remote_ip_prefix": given.get("remoteIpPrefix") or None,
        "remote_group_id": given.get("remoteGroupId") or None,
    }
    for one in cloud.network.security_group_rules(security_group_id=given["securityGroupId"]):
        if all(getattr(one, name) == value for name, value in wanted.items()):
            yield one.id, ""


def _server(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.compute.servers(details=True):
        if one.name == given["name"]:
            yield one.id, one.status


def _server_group(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.compute.server_groups():
        if one.name == given["name"]:
            yield one.id, ""


def _volume(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.block_storage.volumes(details=True):
        if one.name == given["name"]:
            yield one.id, one.status


def _attachment(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.compute.volume_attachments(given["instanceId"]):
        if one.volume_id == given["volumeId"]:
            yield f"{given['instanceId']}/{one.volume_id}", ""


def _flavor(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.compute.flavors(is_public=None):
        if one.name == given["name"]:
            yield one.id, ""


def _image(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.image.images(name=given["name"], owner=_project(cloud)):
        yield one.id, one.status


def _scope(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.network.address_scopes(name=given["name"], project_id=_project(cloud)):
        yield one.id, ""


def _pool(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.network.subnet_pools(name=given["name"], project_id=_project(cloud)):
        yield one.id, ""


def _a_project(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.identity.projects(name=given["name"]):
        yield one.id, ""


FINDERS: dict[str, Finder] = {
    "openstack:networking/network:Network": _network,
    "openstack:networking/subnet:Subnet": _subnet,
    "openstack:networking/router:Router": _router,
    "openstack:networking/routerInterface:RouterInterface": _interface,
    "openstack:networking/port:Port": _port,
    "openstack:networking/secGroup:SecGroup": _group,
    "openstack:networking/secGroupRule:SecGroupRule": _rule,
    "openstack:networking/addressScope:AddressScope": _scope,
    "openstack:networking/subnetPool:SubnetPool": _pool,
    "openstack:compute/instance:Instance": _server,
    "openstack:compute/serverGroup:ServerGroup": _server_group,
    "openstack:compute/volumeAttach:VolumeAttach": _attachment,
    "openstack:compute/flavor:Flavor": _flavor,
    "openstack:blockstorage/volume:Volume": _volume,
    "openstack:images/image:Image": _image,
    "openstack:identity/project:Project": _a_project,
}
