"""Rules of data: how volumes and containers are kept."""

from __future__ import annotations

from collections.abc import Sequence

from infra.policy.model import UNKNOWN, Broken, Facts, Finding, Resource
from infra.policy.zone import CONTAINER, VOLUME


def encrypted_volumes(resources: Sequence[Resource], facts: Facts) -> Broken:
    """Where the city has volume types that encrypt, class 3 and above uses them."""
    if not facts.encrypted:
        return
    offered = ", ".join(sorted(facts.encrypted))
    for volume in resources:
        if volume.type != VOLUME:
            continue
        mlps, kind = facts.mlps_of(volume), volume.props.get("volumeType")
        if mlps is not None and mlps < 3:
            continue
        if kind is UNKNOWN or kind in facts.encrypted:
            continue
        level = f"class {mlps}" if mlps else "of no known class"
        level_zh = f"等保 {mlps} 级" if mlps else "等保级别未知"
        yield Finding(
            volume,
            f"volume {volume.name}: {level}, found volume type {kind or 'none'}, "
            f"expected one that encrypts: {offered}",
            f"云盘 {volume.name}：{level_zh}，类型为 {kind or '未指定'}，应为加密类型：{offered}",
        )


def no_versioned_sync(resources: Sequence[Resource], facts: Facts) -> Broken:
    """A container that syncs to another region keeps no versions."""
    for container in resources:
        if container.type != CONTAINER or not container.there("containerSyncTo"):
            continue
        for name in ("versioning", "versioningLegacy"):
            if container.there(name):
                yield Finding(
                    container,
                    f"container {container.name}: found {name} with containerSyncTo, "
                    "expected one of them",
                    f"容器 {container.name}：同时设置了 {name} 和 containerSyncTo，只能取其一",
                )
