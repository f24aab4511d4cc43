"""The program of every stack: reads the register, declares what the stack holds of it."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import pulumi
import pulumi_openstack as openstack

from gaoling.addressing import LockError, Plan
from gaoling.city import City, RegisterError
from gaoling.cloud.access import ENV, AccessError, ensure_access, entry, projects
from gaoling.cloud.demand import (
    Demand,
    container_name,
    demands,
    flavor_name,
    flavors,
    project_name,
)
from gaoling.cloud.shards import ShardError
from gaoling.cloud.stacks import ROOT, in_shard
from infra.components.landing_zone import LandingZone, LandingZoneArgs
from infra.components.platform import FIRST_FLOATING, FLOATING_IPV6, Platform, PlatformArgs
from infra.settings import Settings, city_of, platform_stack, read_settings

ADMIN = "admin"


def main() -> None:
    """Declare the running stack. Raises pulumi.RunError for what a person can mend."""
    try:
        declare(read_settings())
    except (RegisterError, LockError, ShardError, AccessError, ValueError) as error:
        raise pulumi.RunError(str(error)) from error


def declare(settings: Settings) -> None:
    """Declare what a stack with these settings holds. Raises as reading the register does."""
    city, plan = city_of(settings)
    if settings.is_platform:
        _platform(settings, city, plan)
    else:
        _shard(settings, city, plan)


def _platform(settings: Settings, city: City, plan: Plan) -> None:
    provider = plan.provider(settings.region)
    if bool(settings.image) == bool(settings.image_file):
        raise pulumi.RunError("gaoling:image, gaoling:imageFile: expected one of them")
    args = PlatformArgs(
        region=settings.region,
        physical_network=settings.physical_network,
        provider_ipv4=str(provider.ipv4),
        provider_ipv6=str(provider.ipv6),
        leaf_ipv4=str(provider.leaf_ipv4),
        leaf_ipv6=str(provider.leaf_ipv6),
        floating_ipv4=_range(provider.ipv4, FIRST_FLOATING, provider.ipv4.num_addresses - 2),
        floating_ipv6=_range(provider.ipv6, FLOATING_IPV6, 2 * FLOATING_IPV6 - 1),
        tenants_ipv4=str(city.region[settings.region].tenants_ipv4),
        flavors=tuple((flavor_name(c, m), c, m) for c, m in flavors(city, settings.region)),
        root_disk_gb=settings.root_disk_gb,
        image=settings.image,
        image_file=str(ROOT / settings.image_file) if settings.image_file else "",
    )
    platform = Platform("platform", args)
    pulumi.export("provider_network", platform.network.id)
    pulumi.export("provider_subnet_ipv4", platform.ipv4.id)
    pulumi.export("provider_subnet_ipv6", platform.ipv6.id)
    pulumi.export("pool", platform.pool.id)
    pulumi.export("image", platform.image)
    pulumi.export("flavors", platform.flavors)


def _range(network: IPv4Network | IPv6Network, first: int, last: int) -> tuple[str, str]:
    return str(network[first]), str(network[last])


def _shard(settings: Settings, city: City, plan: Plan) -> None:
    wanted = _wanted(settings, city)
    ensure_access(settings.cloud, {project_name(city, d.system) for d in wanted})
    platform = _PlatformOutputs(platform_stack(settings, city))
    scope = openstack.identity.get_auth_scope_output(name="gaoling")
    role = openstack.identity.get_role_output(name=ADMIN)
    known = _projects(settings, wanted)
    made: dict[str, pulumi.Output[str]] = {}
    addresses: dict[str, pulumi.Output[Any]] = {}
    for each in wanted:
        system = each.system
        tenant = plan.tenant(system.id, settings.region)
        policy = city.recovery_policy[system.recovery]
        project = project_name(city, system)
        args = LandingZoneArgs(
            system=system.id,
            title=system.name,
            department=system.department,
            zone=system.zone,
            mlps=system.mlps,
            recovery=system.recovery,
            recovery_region=policy.region or "",
            region=settings.region,
            project=project,
            project_id=None if each.home else _project_of(project, known, settings.region),
            cloud_entry=entry(settings.cloud, project),
            admin_user=scope.user_id,
            admin_role=role.id,
            servers=each.servers,
            vcpus=system.vcpus,
            memory_gb=system.memory_gb,
            port=system.port,
            volumes=each.volumes,
            volume_gb=system.volume_gb,
            container=container_name(system),
            container_role=each.container,
            peer=each.peer,
            sync_realm=settings.sync_realm,
            sync_secret=settings.sync_secret,
            ipv4=str(tenant.ipv4),
            ipv6=str(tenant.ipv6),
            gateway_ipv4=str(tenant.gateway_ipv4),
            gateway_ipv6=str(tenant.gateway_ipv6),
            extranet_ipv4=str(city.settings.ipv4_aggregate),
            extranet_ipv6=str(city.settings.ipv6_prefix),
            provider_network=platform.get("provider_network"),
            provider_subnet_ipv4=platform.get("provider_subnet_ipv4"),
            provider_subnet_ipv6=platform.get("provider_subnet_ipv6"),
            pool=platform.get("pool"),
            flavor=platform.flavor(flavor_name(system.vcpus, system.memory_gb)),
            image=platform.get("image"),
            dns_ipv4=tuple(settings.dns_of(4)),
            dns_ipv6=tuple(settings.dns_of(6)),
            anti_affinity=settings.anti_affinity,
            answer=settings.answer,
            protect=settings.protect,
            expires=settings.expires,
        )
        zone = LandingZone(system.id, args)
        made[system.id] = zone.project_id
        addresses[system.id] = zone.addresses
    pulumi.export("projects", made)
    pulumi.export("addresses", addresses)


def _wanted(settings: Settings, city: City) -> list[Demand]:
    """Return what the stack holds: its shard, or the systems that its configuration names."""
    if settings.systems:
        here = {d.system.id: d for d in demands(city, settings.region)}
        lost = [s for s in settings.systems if s not in city.system]
        if lost:
            raise pulumi.RunError(f"gaoling:systems: {', '.join(lost)}: not in the register")
        return [here[s] for s in settings.systems if s in here]
    if not settings.stack.isdigit():
        raise pulumi.RunError(
            f"gaoling:stack: found {settings.stack!r}, expected platform or the number of a shard"
        )
    return in_shard(city, settings.region, int(settings.stack))


class _PlatformOutputs:
    """What the region's platform stack offers. In a preview it may not have run yet."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._reference = pulumi.StackReference(stack)

    def get(self, name: str) -> pulumi.Output[str]:
        return self._reference.get_output(name).apply(lambda v: self._there(v, name))

    def flavor(self, name: str) -> pulumi.Output[str]:
        found = self._reference.get_output("flavors")
        return found.apply(lambda v: self._there((v or {}).get(name), f"flavor {name}"))

    def _there(self, value: str | None, what: str) -> str:
        if value is not None:
            return value
        if pulumi.runtime.is_dry_run():
            return f"{what} (from {self._stack})"
        raise pulumi.RunError(f"{self._stack} has no {what}: run that stack first")


def _projects(settings: Settings, wanted: list[Demand]) -> dict[str, str]:
    """Return the ids of the projects that the first region's stacks made, by name.

    They are looked up by name, not in those stacks' outputs: the other region must be able to go on
    when the first one, and the state kept there, is lost. Not with the provider's getProject: a
    project that is not there yet would fail a preview, and each costs a call.
    """
    if all(each.home for each in wanted):
        return {}
    return projects(settings.cloud, Path(os.environ[ENV]))


def _project_of(name: str, known: dict[str, str], region: str) -> str:
    if name in known:
        return known[name]
    if pulumi.runtime.is_dry_run():
        return f"project {name}"
    raise pulumi.RunError(
        f"project {name}: not in the cloud, expected there by {region}: "
        "run the stacks of the first region before this one"
    )
