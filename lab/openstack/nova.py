"""Nova: an API and one process with conductor, scheduler and compute a region.

The hypervisor is the project's own driver: a server is a network namespace (run/netnsdriver).
"""

from __future__ import annotations

from lab.openstack import common, paste
from lab.openstack.heartbeats import compute_alive
from lab.openstack.probe import answers
from lab.openstack.render import File, Folder, Section, ini
from lab.openstack.topology import LOOPBACK, REGIONS, UID_API, Cloud, Region
from lab.supervise import Service

# The same in every lab, so the cells can be written down once without a password: Nova fills the
# braces in from [database]connection (and its transport URL likewise).
CELL_DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/%s?{query}"
CELL_BROKER = "{scheme}://{username}:{password}@{hostname}:{port}/{path}"

QUOTA = {  # of a project that nobody gave one: enough for a lab, and still a number
    "instances": 200,
    "cores": 400,
    "ram": 1024 * 1024,
    "server_groups": 100,
    "server_group_members": 100,
}
FILTERS = (
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
)


def configuration(cloud: Cloud, region: Region, api: Section, cell: Section) -> str:
    home = cloud.region_data(region) / "nova"
    user = common.client(cloud, "nova", region)
    return ini(
        {
            "DEFAULT": {
                "host": region.host,
                "my_ip": LOOPBACK,
                "state_path": home,
                "transport_url": cloud.broker(f"nova-{region.name}"),
                "compute_driver": "netnsdriver.NetnsDriver",
                "enabled_apis": "osapi_compute",
                "osapi_compute_listen": LOOPBACK,
                "osapi_compute_listen_port": region.port("nova"),
                "osapi_compute_workers": 1,
                "vif_plugging_is_fatal": True,
                # Nova's own: a busy agent takes a port when a whole batch of others is done
                "vif_plugging_timeout": 300,
                "resume_guests_state_on_host_boot": True,
                "sync_power_state_interval": 30,
                "update_resources_interval": 30,
                "instance_usage_audit": False,
                "report_interval": 5,
                "service_down_time": 30,
                "periodic_fuzzy_delay": 0,  # else the first look for hosts comes within a minute
                "cpu_allocation_ratio": 16.0,
                "ram_allocation_ratio": 4.0,
                "disk_allocation_ratio": 100.0,
            },
            "wsgi": {"api_paste_config": cloud.region_etc(region) / "nova-paste.ini"},
            "api_database": api,
            "database": cell,
            "quota": QUOTA,
            "conductor": {"workers": 1},
            "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 5},
            "filter_scheduler": {"enabled_filters": ",".join(FILTERS)},
            "netns": {
                "network_namespace": region.namespace,
                "state_dir": cloud.region_data(region) / "guests",
            },
            "glance": {"api_servers": region.url("glance"), "region_name": region.name},
            "neutron": user,
            "placement": user,
            "cinder": {**user, "os_region_name": region.name},
            "service_user": {**user, "send_service_user_token": True},
            "vnc": {"enabled": False},
            "upgrade_levels": {"compute": "auto"},
            "privsep": {"helper_command": "privsep-helper"},
            **common.locks(home / "locks"),
            **common.QUIET,
            **common.token_check(cloud, "nova", region),
        }
    )


def folders(cloud: Cloud) -> list[Folder]:
    result = []
    for region in REGIONS:
        data = cloud.region_data(region)
        result += [Folder(data / "nova"), Folder(data / "nova" / "locks"), Folder(data / "guests")]
        result += [Folder(data / "nova-api", UID_API), Folder(data / "nova-api" / "locks", UID_API)]
    return result


def files(cloud: Cloud) -> list[File]:
    result = []
    for region in REGIONS:
        etc, own = cloud.region_etc(region), cloud.region_data(region) / "nova-api"
        text = configuration(
            cloud,
            region,
            common.database(cloud, "nova", f"nova_api_{region.name}"),
            common.database(cloud, "nova", f"nova_{region.name}"),
        )
        # The API runs without rights: its own state and locks, read after nova.conf
        api = ini({"DEFAULT": {"state_path": own}, **common.locks(own / "locks")})
        result.append(File(etc / "nova.conf", text, UID_API))
        result.append(File(etc / "nova-api.conf", api, UID_API))
        result.append(File(etc / "nova-paste.ini", paste.NOVA, UID_API))
    return result


def services(cloud: Cloud) -> list[Service]:
    result = []
    for region in REGIONS:
        conf = ("--config-file", cloud.region_etc(region) / "nova.conf")
        own = ("--config-file", cloud.region_etc(region) / "nova-api.conf")
        result.append(
            Service(
                name=f"nova-api-{region.name}",
                argv=cloud.python("nova-api", "nova.cmd.api_os_compute:main", *conf, *own),
                wave=2,
                env=common.ENV,
                uid=UID_API,
                ready=answers(region.url("nova") + "/"),
            )
        )
        result.append(
            Service(
                name=f"nova-{region.name}",
                argv=cloud.python("nova", "nova-all", *conf),
                wave=3,
                env={**common.ENV, "GAOLING_BORN": str(cloud.born)},
                stop_seconds=5,
                kill_group=False,  # guests have sessions of their own, and survive
                ready=compute_alive(cloud, region),
            )
        )
    return result
