"""Glance: images as files, one process a region."""

from __future__ import annotations

from lab.openstack import common, paste
from lab.openstack.probe import answers
from lab.openstack.render import File, Folder, Section, ini
from lab.openstack.topology import LOOPBACK, REGIONS, UID_API, Cloud, Region
from lab.supervise import Service

FOLDERS = ("images", "staging", "tasks", "locks")


def configuration(cloud: Cloud, region: Region, database: Section) -> str:
    home = cloud.region_data(region) / "glance"
    return ini(
        {
            "DEFAULT": {
                "bind_host": LOOPBACK,
                "bind_port": region.port("glance"),
                "workers": 0,
                "enabled_backends": "file:file",
                "worker_self_reference_url": region.url("glance"),
                "node_staging_uri": f"file://{home}/staging",
                "enabled_import_methods": "[glance-direct,copy-image]",
            },
            "database": database,
            "glance_store": {"default_backend": "file"},
            "file": {"filesystem_store_datadir": home / "images"},
            "os_glance_tasks_store": {"filesystem_store_datadir": home / "tasks"},
            "os_glance_staging_store": {"filesystem_store_datadir": home / "staging"},
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": cloud.region_etc(region) / "glance-paste.ini",
            },
            **common.locks(home / "locks"),
            **common.QUIET,
            **common.token_check(cloud, "glance", region),
        }
    )


def folders(cloud: Cloud) -> list[Folder]:
    homes = [cloud.region_data(region) / "glance" for region in REGIONS]
    return [
        folder
        for home in homes
        for folder in [Folder(home, UID_API), *(Folder(home / f, UID_API) for f in FOLDERS)]
    ]


def files(cloud: Cloud) -> list[File]:
    result = []
    for region in REGIONS:
        etc = cloud.region_etc(region)
        database = common.database(cloud, "glance", f"glance_{region.name}")
        text = configuration(cloud, region, database)
        result.append(File(etc / "glance-api.conf", text, UID_API))
        result.append(File(etc / "glance-paste.ini", paste.GLANCE, UID_API))
    return result


def services(cloud: Cloud) -> list[Service]:
    return [
        Service(
            name=f"glance-{region.name}",
            argv=cloud.python(
                *("glance", "glance.cmd.api:main"),
                *("--config-file", cloud.region_etc(region) / "glance-api.conf"),
            ),
            wave=2,
            env=common.ENV,
            uid=UID_API,
            ready=answers(region.url("glance") + "/"),
        )
        for region in REGIONS
    ]
