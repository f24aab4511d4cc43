"""The program of every stack: reads the register, declares what the stack holds of it."""

from __future__ import annotations

import asyncio
import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import pulumi
import pulumi_openstack as openstack

from gaoling.addressing import LockError, Plan
from gaoling.addressing.names import domain_of
from gaoling.city import City, RegisterError
from gaoling.city.landing import Auditor as Named
from gaoling.cloud.access import ENV, AccessError, ensure_access, entry, projects
from gaoling.cloud.capacity import aggregates
from gaoling.cloud.capacity_settings import read_planning
from gaoling.cloud.demand import (
    Demand,
    container_name,
    demands,
    flavor_name,
    flavors,
    home,
    project_name,
)
from gaoling.cloud.encryption import unencrypted
from gaoling.cloud.shards import ShardError
from gaoling.cloud.stacks import QUIET, ROOT, in_shard
from infra.components.access import READER, Auditor
from infra.components.host_groups import HostGroup
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


def quiet() -> None:
    """Keep the SDK's debug messages back where the run says that nobody will see them.

    A few calls to the engine for each resource, and only `pulumi --debug` shows them: a seventh of
    the program's time, and as much of the engine's.
    """
    if os.environ.get(QUIET):
        pulumi.log.debug = lambda *_, **__: None


async def settled() -> None:
    """Return when all that was declared is made, or has failed: the SDK says which, as ever.

    It would wait itself, but looks at all that is open whenever one of them ends: in the square of
    a stack's resources, a fifth of the program's time at 250 of them. Nothing here registers a
    transform or a hook: the server that the SDK starts for them never ends by itself.
    """
    while left := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(left)


def declare(settings: Settings) -> None:
    """Declare what a stack with these settings holds. Raises as reading the register does."""
    city, plan = city_of(settings)
    if settings.is_platform:
        _platform(settings, city, plan)
    else:
        _shard(settings, city, plan)


def _platform(settings: Settings, city: City, plan: Plan) -> None:
    provider = plan.provider(settings.region)
    landing = city.settings.landing
    services = [s for s in landing.shared_services if s.region == settings.region]
    named = landing.names == "designate" and settings.region == home(city).name
    if bool(settings.image) == bool(settings.image_file):
        raise pulumi.RunError("gaoling:image, gaoling:imageFile: expected one of them")
    last_ipv4, last_ipv6 = provider.ipv4.num_addresses - 2, 2 * FLOATING_IPV6 - 1
    args = PlatformArgs(
        region=settings.region,
        physical_network=settings.physical_network,
        provider_ipv4=str(provider.ipv4),
        provider_ipv6=str(provider.ipv6),
        leaf_ipv4=str(provider.leaf_ipv4),
        leaf_ipv6=str(provider.leaf_ipv6),
        # the last of both ranges is the router's of the shared services, where there is one
        floating_ipv4=_range(provider.ipv4, FIRST_FLOATING, last_ipv4 - len(services)),
        floating_ipv6=_range(provider.ipv6, FLOATING_IPV6, last_ipv6 - len(services)),
        tenants_ipv4=str(city.region[settings.region].tenants_ipv4),
        flavors=tuple((flavor_name(c, m), c, m) for c, m in flavors(city, settings.region)),
        root_disk_gb=settings.root_disk_gb,
        image=settings.image,
        image_file=str(ROOT / settings.image_file) if settings.image_file else "",
        extranet_ipv4=str(city.settings.ipv4_aggregate),
        extranet_ipv6=str(city.settings.ipv6_prefix),
        ipv6_pool=settings.ipv6_pool,
        baseline=landing.baseline_group,
        volume_types=tuple((t.name, t.iops) for t in landing.volume_types if t.made_by == "stack"),
        host_groups=_host_groups(city, settings.region),
        services=(str(services[0].ipv4), str(services[0].ipv6)) if services else None,
        services_gateway=(str(provider.ipv4[last_ipv4]), str(provider.ipv6[last_ipv6])),
        domain=domain_of(plan) if named else "",
    )
    platform = Platform("platform", args)
    pulumi.export("provider_network", platform.network.id)
    pulumi.export("provider_subnet_ipv4", platform.ipv4.id)
    pulumi.export("provider_subnet_ipv6", platform.ipv6.id)
    pulumi.export("pool", platform.pool.id)
    if platform.pool_ipv6:
        pulumi.export("pool_ipv6", platform.pool_ipv6.id)
    if platform.baseline is not None:
        pulumi.export("baseline", platform.baseline)
    if platform.zone:
        pulumi.export("names_zone", platform.zone.id)
    pulumi.export("image", platform.image)
    pulumi.export("flavors", platform.flavors)


def _host_groups(city: City, region: str) -> tuple[HostGroup, ...]:
    """Return the host groups of city.yaml, and those of the kinds of hosts in capacity.yaml."""
    named = [g for g in city.settings.landing.host_groups if g.region == region]
    groups = [HostGroup(g.name, g.zone or "", g.hosts) for g in named]
    groups += [HostGroup(a.name, a.zone, a.hosts) for a in aggregates(read_planning(city), region)]
    names = [g.name for g in groups]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(
            f"capacity.yaml: kinds.aggregate: found {', '.join(twice)}, expected another name than "
            "landing.host_groups of city.yaml has"
        )
    return tuple(groups)


def _range(network: IPv4Network | IPv6Network, first: int, last: int) -> tuple[str, str]:
    return str(network[first]), str(network[last])


def _shard(settings: Settings, city: City, plan: Plan) -> None:
    wanted = _wanted(settings, city)
    _offered(settings, city, wanted)
    ensure_access(settings.cloud, {project_name(city, d.system) for d in wanted})
    platform = _PlatformOutputs(platform_stack(settings, city))
    scope = openstack.identity.get_auth_scope_output(name="gaoling")
    role = openstack.identity.get_role_output(name=ADMIN)
    landing = city.settings.landing
    auditor = _auditor(landing.auditor) if any(each.home for each in wanted) else None
    known = _projects(settings, wanted)
    credentials: dict[str, dict[str, pulumi.Output[str]]] = {}
    made: dict[str, pulumi.Output[str]] = {}
    addresses: dict[str, pulumi.Output[Any]] = {}
    for each in wanted:
        system = each.system
        tenant = plan.tenant(system.id, settings.region)
        policy = city.recovery_policy[system.recovery]
        project = project_name(city, system)
        wish = landing.wish(system.id)
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
            credential_until=str(landing.credential_until or ""),
            auditor=auditor,
            servers=each.servers,
            data_servers=each.data_servers,
            data_port=wish.data_tier.port if wish.data_tier else 0,
            vcpus=system.vcpus,
            memory_gb=system.memory_gb,
            port=system.port,
            volumes=each.volumes,
            volume_gb=system.volume_gb,
            volume_type=wish.volume_type or landing.volume_type or "",
            container=container_name(system),
            container_role=each.container,
            object_gb=wish.object_gb or landing.object_gb,
            peer=each.peer,
            sync_realm=settings.sync_realm,
            sync_secret=settings.sync_secret,
            ipv4=str(tenant.ipv4),
            ipv6=str(tenant.ipv6),
            ipv6_mode=wish.ipv6_mode or landing.ipv6_mode,
            gateway_ipv4=str(tenant.gateway_ipv4),
            gateway_ipv6=str(tenant.gateway_ipv6),
            extranet_ipv4=str(city.settings.ipv4_aggregate),
            extranet_ipv6=str(city.settings.ipv6_prefix),
            provider_network=platform.get("provider_network"),
            provider_subnet_ipv4=platform.get("provider_subnet_ipv4"),
            provider_subnet_ipv6=platform.get("provider_subnet_ipv6"),
            pool=platform.get("pool"),
            pool_ipv6=platform.get("pool_ipv6") if settings.ipv6_pool else None,
            flavor=platform.flavor(flavor_name(system.vcpus, system.memory_gb)),
            image=platform.get("image"),
            baseline=platform.get("baseline") if landing.baseline_group else None,
            names=(domain_of(plan), platform.get("names_zone")) if each.named else None,
            dns_ipv4=tuple(settings.dns_of(4)),
            dns_ipv6=tuple(settings.dns_of(6)),
            anti_affinity=settings.anti_affinity,
            availability_zones=settings.availability_zones,
            load_balancer=each.balanced,
            answer=settings.answer,
            protect=settings.protect,
            expires=settings.expires,
        )
        zone = LandingZone(system.id, args)
        made[system.id] = zone.project_id
        addresses[system.id] = zone.addresses
        if zone.credential:
            credentials[system.id] = {
                "id": zone.credential.id,
                "secret": pulumi.Output.secret(zone.credential.secret),
            }
    if credentials:
        pulumi.export("credentials", credentials)
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


def _offered(settings: Settings, city: City, wanted: list[Demand]) -> None:
    """Refuse what a system asks for and the region has not: nothing is left out silently."""
    landing = city.settings.landing
    for each in wanted:
        if each.balanced and not settings.load_balancer:
            raise pulumi.RunError(
                f"system {each.system.id}: city.yaml asks for a load balancer "
                f"(landing.systems), region {settings.region} offers none: set "
                "gaoling:loadBalancer where the cloud has Octavia, or take load_balancer away"
            )
    encrypted = {t.name for t in landing.volume_types if t.encrypted}
    asked = {
        kind
        for d in wanted
        if d.volumes and (kind := landing.wish(d.system.id).volume_type or landing.volume_type)
    }
    if not encrypted & asked:
        return
    for name in unencrypted(Path(os.environ[ENV]), settings.cloud, encrypted & asked):
        raise pulumi.RunError(
            f"volume type {name}: not there or not encrypted in region {settings.region}, expected "
            "an encrypted one (landing.volume_types); its administrator makes it: openstack "
            f"volume type create {name} --encryption-provider luks "
            "--encryption-cipher aes-xts-plain64 --encryption-key-size 256 "
            "--encryption-control-location front-end"
        )


def _auditor(named: Named | None) -> Auditor | None:
    """Return who audits, looked up in the cloud; None where the city names nobody."""
    if named is None:
        return None
    role = openstack.identity.get_role_output(name=READER)
    if named.kind == "group":
        return Auditor("group", openstack.identity.get_group_output(name=named.name).id, role.id)
    return Auditor("user", openstack.identity.get_user_output(name=named.name).id, role.id)


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
