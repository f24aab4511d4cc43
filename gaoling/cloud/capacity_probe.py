"""What a region's own APIs say of its capacity: placement, Nova and Cinder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gaoling.city import City
from gaoling.cloud.capacity import Amounts, Host, Inventory, Observed, plus
from gaoling.cloud.connect import connect
from gaoling.cloud.demand import project_name
from gaoling.cloud.home import cloud_of

SECONDS = 20.0  # for one request
_CLASSES = {"VCPU": ("vcpus", 1.0), "MEMORY_MB": ("memory_gb", 1024.0), "DISK_GB": ("disk_gb", 1.0)}
_PLACEMENT = "1.14"  # nested providers name their root; usages are asked by project

_Part = tuple[tuple[Host, ...], tuple[Host, ...], Mapping[str, Amounts]]


class CapacityError(Exception):
    """A region could not be asked at all; the message says which, and why."""


def observe(city: City, region: str, clouds: Path) -> Observed:
    """Return what a region has and holds. Raises CapacityError when nothing can be asked.

    A part that does not answer is in `wrong`, and its resources are in no host and no pool.
    """
    if not clouds.exists():
        raise CapacityError(f"{region}: {clouds} is not there: expected an administrator's access")
    try:
        api = connect(clouds, cloud_of(city, region), SECONDS)
    except Exception as error:  # no such entry; a file that is no YAML
        raise CapacityError(f"{region}: {_said(error)}") from None
    wrong: list[str] = []
    try:
        names = _projects(api, city)
    except Exception as error:  # the SDK, keystoneauth and requests each have their own
        raise CapacityError(f"{region}: identity: {_said(error)}") from None

    def part(what: str, question: Callable[[], _Part]) -> _Part:
        try:
            return question()
        except Exception as error:
            wrong.append(f"{region}: {what}: {_said(error)}")
            return (), (), {}

    hosts, shared, servers = part("placement and nova", lambda: _compute(api, names))
    _, pools, volumes = part("cinder", lambda: _storage(api, names))
    if len(wrong) == 2:
        raise CapacityError("; ".join(wrong))
    held = {n: plus([servers.get(n, {}), volumes.get(n, {})]) for n in {*servers, *volumes}}
    return Observed(region, hosts, (*shared, *pools), held, tuple(wrong))


def _projects(api: Any, city: City) -> dict[str, str]:
    """Return id -> name of the projects of the city's systems."""
    wanted = {project_name(city, s) for s in city.systems}
    return {p.id: p.name for p in api.identity.projects() if p.name in wanted}


def _compute(api: Any, names: Mapping[str, str]) -> _Part:
    """Return hosts, shared storage of root disks, and what servers hold."""
    states = _states(api)
    hosts, shared = [], []
    for each in _providers(api.placement):
        if "vcpus" in each.inventories:
            # a host that Nova does not list has no service: nothing can be scheduled there
            enabled, up = states.get(each.name, (False, False))
            hosts.append(replace(each, enabled=enabled, up=up))
        elif each.inventories:
            shared.append(each)
    return tuple(hosts), tuple(shared), _servers(api.placement, names)


def _storage(api: Any, names: Mapping[str, str]) -> _Part:
    return (), tuple(_pools(api)), _volumes(api, names)


def _said(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".strip()
    return (text.splitlines() or [""])[0][:200]


def _get(service: Any, path: str) -> dict[str, Any]:
    answer = service.get(path, microversion=_PLACEMENT)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _providers(placement: Any) -> Iterator[Host]:
    """Yield the root providers with the inventories of all that is nested in them."""
    rows = _get(placement, "/resource_providers")["resource_providers"]
    roots: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        roots.setdefault(row.get("root_provider_uuid") or row["uuid"], []).append(row)
    names = {row["uuid"]: row["name"] for row in rows}
    for root, parts in sorted(roots.items(), key=lambda item: names[item[0]]):
        sums: dict[str, Inventory] = {}
        for row in parts:
            path = f"/resource_providers/{row['uuid']}"
            inventories = _get(placement, f"{path}/inventories")["inventories"]
            usages = _get(placement, f"{path}/usages")["usages"]
            for name, inventory in inventories.items():
                if name in _CLASSES:
                    resource, unit = _CLASSES[name]
                    one = _inventory(inventory, usages.get(name, 0), unit)
                    sums[resource] = _joined(sums.get(resource), one)
        yield Host(names[root], sums)


def _inventory(told: dict[str, Any], used: float, unit: float) -> Inventory:
    return Inventory(
        total=told["total"] / unit,
        reserved=told.get("reserved", 0) / unit,
        ratio=float(told.get("allocation_ratio", 1.0)),
        used=used / unit,
    )


def _joined(one: Inventory | None, other: Inventory) -> Inventory:
    """Return both as one; where their ratios differ, the one that gives the same sum."""
    if one is None:
        return other
    total, reserved = one.total + other.total, one.reserved + other.reserved
    effective = one.effective + other.effective
    ratio = effective / (total - reserved) if total > reserved else 1.0
    return Inventory(total, reserved, ratio, one.used + other.used)


def _states(api: Any) -> dict[str, tuple[bool, bool]]:
    """Return host -> whether it is enabled, whether it is up."""
    return {
        h.name: (h.status == "enabled", h.state == "up")
        for h in api.compute.hypervisors(details=True)
    }


def _pools(api: Any) -> Iterator[Host]:
    for pool in api.block_storage.backend_pools():
        told = pool.capabilities or {}
        total = _number(told.get("total_capacity_gb"))
        if total is None:  # "unknown", "infinite"
            raise ValueError(
                f"pool {pool.name}: total_capacity_gb: found {told.get('total_capacity_gb')!r}, "
                "expected a number"
            )
        thin = bool(told.get("thin_provisioning_support"))
        ratio = _number(told.get("max_over_subscription_ratio")) if thin else None
        used = max(
            _number(told.get("provisioned_capacity_gb")) or 0.0,
            _number(told.get("allocated_capacity_gb")) or 0.0,
        )
        reserved = total * (_number(told.get("reserved_percentage")) or 0.0) / 100
        yield Host(pool.name, {"volume_gb": Inventory(total, reserved, ratio or 1.0, used)})


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if 0 <= found < float("inf") else None


def _servers(placement: Any, names: Mapping[str, str]) -> dict[str, Amounts]:
    """Return project name -> what its servers hold. Asked of placement: Nova's list of servers asks
    Neutron about each of them."""
    found: dict[str, Amounts] = {}
    for project, name in names.items():
        usages = _get(placement, f"/usages?project_id={project}")["usages"]
        held = {
            resource: usages[told] / unit
            for told, (resource, unit) in _CLASSES.items()
            if told in usages
        }
        if held:
            found[name] = held
    return found


def _volumes(api: Any, names: Mapping[str, str]) -> dict[str, Amounts]:
    """Return project name -> what its volumes hold."""
    found: dict[str, Amounts] = {}
    for volume in api.block_storage.volumes(details=True, all_projects=True):
        if volume.project_id in names:
            name = names[volume.project_id]
            found[name] = plus([found.get(name, {}), {"volume_gb": float(volume.size)}])
    return found
