"""What a project has in a region, read through openstacksdk: plain items for importing.match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keystoneauth1.exceptions import Unauthorized

from gaoling.cloud.importing import ImportingError, Item

# kinds that Pulumi's program has no place for: listed, so that nobody believes them imported
OUTSIDE = "outside:"
# ports that Neutron makes by itself, or that are an interface's or a server's
_OWN_PORTS = ("network:dhcp", "network:router_gateway", "network:floatingip", "network:ha_router")
_INTERFACES = ("network:router_interface", "network:router_interface_distributed",
               "network:ha_router_replicated_interface")  # fmt: skip


def project_of(cloud: Any, name: str) -> Any:
    """Return the project of that name, or of that id. Raises ImportingError."""
    found = [p for p in cloud.identity.projects() if name in (p.id, p.name)]
    if len(found) != 1:
        raise ImportingError(f"project {name}: found {len(found)} of it in the cloud, expected one")
    return found[0]


def contents(cloud: Any, project: Any) -> list[Item]:
    """Return everything that a project has in a region, as an administrator sees it.

    Raises ImportingError.
    """
    try:
        return list(_all(cloud, project))
    except Exception as error:  # the SDK, keystoneauth and requests each have their own
        text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ImportingError(f"project {project.name}: {text}") from None


def _all(cloud: Any, project: Any) -> Iterator[Item]:
    mine = project.id
    yield Item("openstack:identity/project:Project", mine, project.name)
    for one in cloud.identity.role_assignments(scope_project_id=mine):
        user, group = (one.user or {}).get("id", ""), (one.group or {}).get("id", "")
        role = one.role["id"]
        yield Item("openstack:identity/roleAssignment:RoleAssignment",
                   f"/{mine}/{group}/{user}/{role}", "",
                   {"user": user, "group": group, "role": role})  # fmt: skip
    yield from _networking(cloud, mine)
    yield from _compute(cloud, mine)
    try:
        scoped = cloud.connect_as_project({"id": mine, "name": project.name})
        if scoped.has_service("object-store"):
            for one in scoped.object_store.containers():
                yield Item("openstack:objectstorage/container:Container", one.name, one.name)
    except Unauthorized:
        # they are not lost: Swift answers the creation of one that is there by leaving it as it is
        yield Item(f"{OUTSIDE}containers, not read: our account has no role in it", mine, "")


def _networking(cloud: Any, mine: str) -> Iterator[Item]:
    network = cloud.network
    for one in network.networks(project_id=mine):
        yield Item("openstack:networking/network:Network", one.id, one.name)
    for one in network.subnets(project_id=mine):
        about = {"network": one.network_id, "ip_version": one.ip_version, "cidr": one.cidr}
        yield Item("openstack:networking/subnet:Subnet", one.id, one.name, about)
    for one in network.routers(project_id=mine):
        yield Item("openstack:networking/router:Router", one.id, one.name)
    for one in network.ports(project_id=mine):
        subnets = [f["subnet_id"] for f in one.fixed_ips or ()]
        if one.device_owner in _INTERFACES:
            yield Item("openstack:networking/routerInterface:RouterInterface", one.id, one.name,
                       {"router": one.device_id, "subnets": subnets})  # fmt: skip
        elif one.device_owner not in _OWN_PORTS:
            yield Item("openstack:networking/port:Port", one.id, one.name,
                       {"device": one.device_id, "subnets": subnets})  # fmt: skip
    for one in network.security_groups(project_id=mine):
        if one.name == "default":
            continue  # Neutron makes one in every project
        yield Item("openstack:networking/secGroup:SecGroup", one.id, one.name)
        for rule in network.security_group_rules(security_group_id=one.id):
            yield Item("openstack:networking/secGroupRule:SecGroupRule", rule.id, one.name, {
                "group": one.id, "direction": rule.direction, "ethertype": rule.ether_type,
                "protocol": rule.protocol, "first_port": rule.port_range_min,
                "last_port": rule.port_range_max, "prefix": rule.remote_ip_prefix,
                "remote": rule.remote_group_id,
            })  # fmt: skip
    for one in network.ips(project_id=mine):
        yield Item(f"{OUTSIDE}floating address", one.id, one.floating_ip_address)


def _compute(cloud: Any, mine: str) -> Iterator[Item]:
    for one in cloud.compute.servers(details=True, all_projects=True, project_id=mine):
        yield Item("openstack:compute/instance:Instance", one.id, one.name)
    for one in cloud.compute.server_groups(all_projects=True):
        if one.project_id == mine:
            yield Item("openstack:compute/serverGroup:ServerGroup", one.id, one.name)
    for one in cloud.block_storage.volumes(details=True, all_projects=True, project_id=mine):
        yield Item("openstack:blockstorage/volume:Volume", one.id, one.name or "", {
            "size": one.size, "servers": [a["server_id"] for a in one.attachments or ()],
        })  # fmt: skip
    for one in cloud.block_storage.snapshots(details=True, all_projects=True, project_id=mine):
        yield Item(f"{OUTSIDE}snapshot", one.id, one.name or "")
