"""Placement: what Nova counts against; one a region."""

from __future__ import annotations

from lab.openstack import common
from lab.openstack.render import File, Folder, Section, ini
from lab.openstack.topology import REGIONS, UID_API, Cloud, Region
from lab.supervise import Service


def configuration(cloud: Cloud, region: Region, database: Section) -> str:
    return ini(
        {
            "placement_database": database,
            "api": {"auth_strategy": "keystone"},
            **common.token_check(cloud, "placement", region),
        }
    )


def folders(cloud: Cloud) -> list[Folder]:
    return []


def files(cloud: Cloud) -> list[File]:
    result = []
    for region in REGIONS:
        database = common.database(cloud, "placement", f"placement_{region.name}")
        path = cloud.region_etc(region) / "placement" / "placement.conf"
        result.append(File(path, configuration(cloud, region, database), UID_API))
    return result


def services(cloud: Cloud) -> list[Service]:
    return [
        common.uwsgi(
            f"placement-{region.name}",
            region.port("placement"),
            wave=2,
            env={"OS_PLACEMENT_CONFIG_DIR": str(cloud.region_etc(region) / "placement")},
            app=("--wsgi-file", "/usr/bin/placement-api"),
            probe="/",
        )
        for region in REGIONS
    ]
