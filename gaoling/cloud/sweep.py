"""What a destroyed landing zone leaves behind, and its removal.

Neutron makes a default security group for every project, and quotas outlive the projects that they
are of: Pulumi knows of neither.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gaoling.cloud.connect import connect


def sweep(clouds: Path, names: Collection[str], projects: Collection[str]) -> list[str]:
    """Remove groups and quotas of `projects` (ids) that are gone, in the named clouds.

    Returns what was removed. A project that still exists is left alone.
    """
    removed: list[str] = []
    for name in names:
        cloud = connect(clouds, name)
        there = {p.id for p in cloud.identity.projects()}
        for project in sorted(set(projects) - there):
            for group in cloud.network.security_groups(project_id=project):
                cloud.network.delete_security_group(group, ignore_missing=True)
                removed.append(f"{name}: security group {group.name} of {project}")
            # they may never have been set: a service then answers 404
            for service, path in (
                (cloud.network, f"/quotas/{project}"),
                (cloud.compute, f"/os-quota-sets/{project}"),
                (cloud.block_storage, f"/os-quota-sets/{project}"),
            ):
                answer = service.delete(path)
                if answer.status_code < 300:
                    removed.append(f"{name}: quota {service.service_type} of {project}")
    return removed
