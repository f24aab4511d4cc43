"""Cinder: volumes are sparse files (run/gaoling_services/filevolume.py), backups beside them."""

from __future__ import annotations

from lab.openstack import common, paste
from lab.openstack.heartbeats import volumes_alive
from lab.openstack.render import File, Folder, Section, ini
from lab.openstack.topology import LOOPBACK, REGIONS, UID_API, Cloud, Region
from lab.supervise import Service

QUOTA = {
    "quota_volumes": 500,
    "quota_snapshots": 500,
    "quota_gigabytes": 20000,
    "quota_backups": 500,
    "quota_backup_gigabytes": 20000,
    "per_volume_size_limit": -1,
}


def configuration(cloud: Cloud, region: Region, database: Section) -> str:
    home = cloud.region_data(region) / "cinder"
    user = common.client(cloud, "cinder", region)
    helper = {"helper_command": "privsep-helper"}
    return ini(
        {
            "DEFAULT": {
                "host": f"{region.name}-vol",
                "my_ip": LOOPBACK,
                "state_path": home,
                "image_conversion_dir": home / "conversion",
                "api_paste_config": cloud.region_etc(region) / "cinder-paste.ini",
                "osapi_volume_listen": LOOPBACK,
                "osapi_volume_listen_port": region.port("cinder"),
                "osapi_volume_workers": 1,
                "auth_strategy": "keystone",
                "transport_url": cloud.broker(f"cinder-{region.name}"),
                "enabled_backends": "files",
                "default_volume_type": "__DEFAULT__",
                "glance_api_servers": region.url("glance"),
                "backup_driver": "cinder.backup.drivers.posix.PosixBackupDriver",
                "backup_posix_path": home / "backup",
                "backup_file_size": 10 * 1024 * 1024,
                "backup_sha_block_size_bytes": 1024 * 1024,
                "rootwrap_config": "/nonexistent",
                "report_interval": 5,
                "service_down_time": 30,
                # the scheduler may not listen yet when the first of these is sent: 60 s to the next
                "backend_stats_polling_interval": 10,
                **QUOTA,
            },
            "files": {
                "volume_driver": "gaoling_services.filevolume.FileVolumeDriver",
                "volume_backend_name": "files",
                "filevolume_dir": home / "volumes",
            },
            "database": database,
            "coordination": {"backend_url": f"file://{home}/locks"},
            "privsep": helper,
            "privsep_osbrick": helper,
            "cinder_sys_admin": helper,
            "nova": {**user, "interface": "internal"},
            "service_user": {**user, "send_service_user_token": True},
            **common.locks(home / "locks"),
            **common.QUIET,
            **common.token_check(cloud, "cinder", region),
        }
    )


def folders(cloud: Cloud) -> list[Folder]:
    result = []
    for region in REGIONS:
        home = cloud.region_data(region) / "cinder"
        result.append(Folder(home, 0, 0o711))
        result += [Folder(home / f) for f in ("conversion", "backup", "volumes", "locks")]
        own = cloud.region_data(region) / "cinder-api"
        result += [Folder(own, UID_API), Folder(own / "locks", UID_API)]
    return result


def files(cloud: Cloud) -> list[File]:
    result = []
    for region in REGIONS:
        etc, own = cloud.region_etc(region), cloud.region_data(region) / "cinder-api"
        database = common.database(cloud, "cinder", f"cinder_{region.name}")
        api = ini(
            {
                "DEFAULT": {"state_path": own},
                "coordination": {"backend_url": f"file://{own}/locks"},
                **common.locks(own / "locks"),
            }
        )
        result.append(File(etc / "cinder.conf", configuration(cloud, region, database), UID_API))
        result.append(File(etc / "cinder-api.conf", api, UID_API))
        result.append(File(etc / "cinder-paste.ini", paste.CINDER, UID_API))
    return result


def services(cloud: Cloud) -> list[Service]:
    result = []
    for region in REGIONS:
        etc = cloud.region_etc(region)
        options = f"--config-file {etc}/cinder.conf --config-file {etc}/cinder-api.conf"
        module = "cinder.wsgi.wsgi:initialize_application()"
        result.append(
            common.uwsgi(
                f"cinder-api-{region.name}",
                region.port("cinder"),
                wave=2,
                env={},
                app=("--module", module, "--pyargv", options),
                probe="/",
            )
        )
        result.append(
            Service(
                name=f"cinder-{region.name}",
                argv=cloud.python("cinder", "cinder-all", "--config-file", etc / "cinder.conf"),
                wave=3,
                # os-brick asks dmidecode for a system uuid and dies where there is none: lib/bin
                env={
                    **common.ENV,
                    "GAOLING_BORN": str(cloud.born),
                    "PATH": f"{cloud.lib}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                },
                ready=volumes_alive(cloud, region),
            )
        )
    return result
