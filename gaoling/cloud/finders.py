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
    "openstack:blockstorage/qosAssociationV3:QosAssociationV3",
    "openstack:loadbalancer/quota:Quota",
    "openstack:loadbalancer/members:Members",
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
    from openstack.exceptions import NotFoundException

    try:
        for one in cloud.compute.volume_attachments(given["instanceId"]):
            if one.volume_id == given["volumeId"]:
                yield f"{given['instanceId']}/{one.volume_id}", ""
    except NotFoundException:
        return  # the server is gone, and what hung on it


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


def _sharing(cloud: Any, given: Inputs) -> Iterator[Found]:
    wanted = {"object_id": given["objectId"], "action": given["action"],
              "target_project_id": given["targetTenant"]}  # fmt: skip
    for one in cloud.network.rbac_policies(object_id=given["objectId"]):
        if all(getattr(one, name) == value for name, value in wanted.items()):
            yield one.id, ""


def _volume_type(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.block_storage.types(is_public=None):
        if one.name == given["name"]:
            yield one.id, ""


def _qos(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.block_storage.get("/qos-specs").json()["qos_specs"]:
        if one["name"] == given["name"]:
            yield one["id"], ""


def _aggregate(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.compute.aggregates():
        if one.name == given["name"]:
            yield str(one.id), ""


def _credential(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.identity.application_credentials(user=cloud.current_user_id):
        if one.name == given["name"] and one.project_id in (None, _project(cloud)):
            yield one.id, ""


def _balanced(kind: str) -> Finder:
    """Return the finder of a kind of Octavia's by its name in the project."""

    def find(cloud: Any, given: Inputs) -> Iterator[Found]:
        for one in getattr(cloud.load_balancer, kind)(project_id=_project(cloud)):
            if one.name == given["name"]:
                yield one.id, "ERROR" if one.provisioning_status == "ERROR" else ""

    return find


def _zone(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.dns.zones(name=given["name"]):
        yield one.id, ""


def _record(cloud: Any, given: Inputs) -> Iterator[Found]:
    for one in cloud.dns.recordsets(given["zoneId"]):
        if (one.name, one.type) == (given["name"], given["type"]):
            yield f"{given['zoneId']}/{one.id}", ""


def _forget_credential(cloud: Any, identity: str) -> None:
    cloud.identity.delete_application_credential(cloud.current_user_id, identity)


# Of no use to anybody once the answer is lost, since it held the secret; the name is taken though
VAIN: dict[str, Callable[[Any, str], None]] = {
    "openstack:identity/applicationCredential:ApplicationCredential": _forget_credential,
}
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
    "openstack:identity/applicationCredential:ApplicationCredential": _credential,
    "openstack:networking/rbacPolicyV2:RbacPolicyV2": _sharing,
    "openstack:blockstorage/volumeTypeV3:VolumeTypeV3": _volume_type,
    "openstack:blockstorage/qosV3:QosV3": _qos,
    "openstack:compute/aggregateV2:AggregateV2": _aggregate,
    "openstack:loadbalancer/loadBalancer:LoadBalancer": _balanced("load_balancers"),
    "openstack:loadbalancer/listener:Listener": _balanced("listeners"),
    "openstack:loadbalancer/pool:Pool": _balanced("pools"),
    "openstack:loadbalancer/monitor:Monitor": _balanced("health_monitors"),
    "openstack:dns/zone:Zone": _zone,
    "openstack:dns/recordSet:RecordSet": _record,
}
