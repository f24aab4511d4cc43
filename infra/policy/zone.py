"""Rules of landing zones: whose they are, how well they are kept, how much they may take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from infra.policy.model import LANDING_ZONE, Broken, Facts, Finding, Resource
from infra.policy.network import GROUP, NETWORK, SUBNET

PROJECT = "openstack:identity/project:Project"
ROUTER = "openstack:networking/router:Router"
PORT = "openstack:networking/port:Port"
INSTANCE = "openstack:compute/instance:Instance"
VOLUME = "openstack:blockstorage/volume:Volume"
CONTAINER = "openstack:objectstorage/container:Container"
QUOTAS = (
    "openstack:compute/quotaSetV2:QuotaSetV2",
    "openstack:networking/quotaV2:QuotaV2",
    "openstack:blockstorage/quoteSetV3:QuoteSetV3",
    "openstack:loadbalancer/quota:Quota",
    "openstack:dns/quotaV2:QuotaV2",
)
TAGGED = (PROJECT, NETWORK, SUBNET, ROUTER, PORT, GROUP)
LABELLED = (INSTANCE, VOLUME, CONTAINER)  # no tags there: metadata name the system
NEVER = "none"


def recovery_for_class_3(resources: Sequence[Resource], facts: Facts) -> Broken:
    """A system of MLPS class 3 or above has a recovery policy in another region."""
    for project in resources:
        if project.type != PROJECT:
            continue
        name, mlps = project.name, project.tags.get("mlps", "")
        region = project.tags.get("recovery-region", NEVER)
        if not mlps.isdigit():
            yield Finding(
                project,
                f"project {name}: found no tag mlps, expected its class",
                f"项目 {name}：没有 mlps 标签，应注明等保级别",
            )
        elif int(mlps) >= 3 and region in (NEVER, ""):
            yield Finding(
                project,
                f"project {name}: class {mlps}, found no recovery region, expected a "
                "recovery policy in another region",
                f"项目 {name}：等保 {mlps} 级，没有灾备区域，应有异地灾备策略",
            )
        elif int(mlps) >= 3 and region == facts.region:
            yield Finding(
                project,
                f"project {name}: class {mlps}, found recovery region {region}, which is its own, "
                "expected a recovery policy in another region",
                f"项目 {name}：等保 {mlps} 级，灾备区域 {region} 就是本区域，应有异地灾备策略",
            )


def class_of_region(resources: Sequence[Resource], facts: Facts) -> Broken:
    """A region holds no system of a higher MLPS class than its own."""
    for resource in resources:
        if resource.type not in (PROJECT, NETWORK) or resource.outermost != LANDING_ZONE:
            continue
        what, what_zh = ("project", "项目") if resource.type == PROJECT else ("network", "网络")
        name, mlps = resource.name, facts.mlps_of(resource)
        if mlps is None:
            yield Finding(
                resource,
                f"{what} {name}: found neither a tag mlps nor its system in the register, "
                "expected the class of its system",
                f"{what_zh} {name}：没有 mlps 标签，登记表中也没有其系统，应可查到等保级别",
            )
        elif facts.region_mlps is None:
            yield Finding(
                resource,
                f"{what} {name}: class {mlps}, found no class of its region, expected the region "
                "of a known city (GAOLING_CITY names one)",
                f"{what_zh} {name}：等保 {mlps} 级，区域的等保级别未知，应属于已知城市的区域",
            )
        elif mlps > facts.region_mlps:
            yield Finding(
                resource,
                f"{what} {name}: found class {mlps} in region {facts.region} of class "
                f"{facts.region_mlps}, expected at most class {facts.region_mlps}",
                f"{what_zh} {name}：等保 {mlps} 级的系统在 {facts.region} 区域"
                f"（{facts.region_mlps} 级），不应高于区域级别",
            )


def bounded_quotas(resources: Sequence[Resource], facts: Facts) -> Broken:
    """No quota is unlimited (-1)."""
    for quota in resources:
        if quota.type not in QUOTAS:
            continue
        for name, value in _numbers(quota.props):
            if value < 0:
                yield Finding(
                    quota,
                    f"quota {quota.name}: {name} is {value:g}, expected 0 or more",
                    f"配额 {quota.name}：{name} 为 {value:g}，应为 0 或以上",
                )


def _numbers(props: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    """Yield every number of the properties, also of quotas by volume type."""
    for name, value in props.items():
        if isinstance(value, Mapping):
            for inner, number in value.items():
                try:
                    yield f"{name}.{inner}", float(number)
                except (TypeError, ValueError):
                    continue
        elif isinstance(value, int | float):
            yield name, value


def tags(resources: Sequence[Resource], facts: Facts) -> Broken:
    """What a system has says so: system and owner; its project says class and end as well."""
    for resource in resources:
        if not _of_a_system(resource):
            continue
        if resource.type in LABELLED:
            if not resource.tagged_system:
                yield _untagged(resource, "metadata gaoling_system", "", "the system's id")
            continue
        found = resource.tags
        yield from _owner(resource, found, facts)
        if resource.type != PROJECT:
            continue
        if found.get("mlps") not in ("1", "2", "3", "4", "5"):
            yield _untagged(resource, "mlps", found.get("mlps", ""), "a class 1 to 5")
        yield from _end(resource, found.get("expires", ""), facts)


def _of_a_system(resource: Resource) -> bool:
    """Return whether a resource has to name a system: it is in a landing zone, or in nothing."""
    if resource.type not in TAGGED + LABELLED:
        return False
    return resource.outermost in (LANDING_ZONE, resource.type)


def _owner(resource: Resource, found: Mapping[str, str], facts: Facts) -> Broken:
    for name, known in (("system", facts.systems), ("department", facts.departments)):
        value = found.get(name, "")
        if not value:
            yield _untagged(resource, name, "", f"the {name}'s id")
        elif known is not None and value not in known:
            yield _untagged(resource, name, value, f"a {name} of the register")


def _end(resource: Resource, value: str, facts: Facts) -> Broken:
    if value == NEVER:
        return
    try:
        end = dt.date.fromisoformat(value)
    except ValueError:
        yield _untagged(resource, "expires", value, f"a day as 2026-12-31, or {NEVER}")
        return
    if end < facts.today:
        yield _untagged(resource, "expires", value, "a day that is not past: it should be gone")


_EXPECTED_ZH = {
    "the system's id": "系统标识", "the department's id": "部门标识",
    "a system of the register": "登记表中的系统", "a department of the register": "登记表中的部门",
    "a class 1 to 5": "等保级别 1 至 5", f"a day as 2026-12-31, or {NEVER}": f"日期或 {NEVER}",
    "a day that is not past: it should be gone": "未过期的日期（已到期，应清理）",
}  # fmt: skip


def _untagged(resource: Resource, name: str, found: str, expected: str) -> Finding:
    kind = resource.type.rpartition(":")[2].lower()
    return Finding(
        resource,
        f"{kind} {resource.name}: tag {name}: found {found or 'nothing'}, expected {expected}",
        f"{kind} {resource.name}：标签 {name} 为 {found or '空'}，应为{_EXPECTED_ZH[expected]}",
    )
