"""Swift: account, container, object and proxy servers of a region in one process, with the daemons.

Containers of one region can name one of the other to be copied to (container sync).
"""

from __future__ import annotations

from pathlib import Path

from lab.openstack import common
from lab.openstack.probe import answers, every
from lab.openstack.render import File, Folder, Section, Sections, Value, ini
from lab.openstack.topology import LOOPBACK, REGIONS, SHARED_PORTS, UID_API, Cloud, Region
from lab.supervise import Service

REALM = "gaoling"
SYNC_SECONDS = 5
BACKENDS = ("account", "container", "object")
# Object versions need `symlink`. No `cache`: both clusters have accounts of the same name.
FILTERS = (
    *("catch_errors", "gatekeeper", "healthcheck", "proxy-logging", "container_sync", "bulk"),
    *("tempurl", "authtoken", "keystoneauth", "copy", "container-quotas", "account-quotas"),
    *("slo", "dlo", "versioned_writes", "symlink", "proxy-logging"),
)


def _folder(cloud: Cloud, region: Region) -> Path:
    return cloud.region_etc(region) / "swift"


def _server(cloud: Cloud, region: Region, kind: str) -> Sections:
    # `user` is only looked up by servers that start as root
    return {
        "DEFAULT": {
            "bind_ip": LOOPBACK,
            "bind_port": region.port(f"swift-{kind}"),
            "workers": 0,
            "user": "root",
            "swift_dir": _folder(cloud, region),
            "log_name": f"swift-{kind}",
            "log_level": "INFO",
        }
    }


def proxy(cloud: Cloud, region: Region) -> Sections:
    filters: dict[str, dict[str, Value | list[str]]] = {
        f"filter:{name}": {"use": f"egg:swift#{name.replace('-', '_')}"}
        for name in dict.fromkeys(FILTERS)
    }
    filters["filter:container_sync"]["current"] = f"//{REALM}/{region.name}"
    filters["filter:versioned_writes"] |= {
        "allow_versioned_writes": True,
        "allow_object_versioning": True,
    }
    filters["filter:keystoneauth"] |= {
        "operator_roles": "admin, member, manager",
        "reseller_prefix": "AUTH",
    }
    filters["filter:authtoken"] = {
        "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
        "www_authenticate_uri": cloud.keystone_url,
        "delay_auth_decision": True,
        "memcached_servers": f"{LOOPBACK}:{SHARED_PORTS['memcached']}",
        "service_token_roles_required": True,
    }
    filters["filter:authtoken"] |= common.account(cloud, "swift")
    return {
        **_server(cloud, region, "proxy"),
        "pipeline:main": {"pipeline": " ".join((*FILTERS, "proxy-server"))},
        "app:proxy-server": {
            "use": "egg:swift#proxy",
            "account_autocreate": True,
            "allow_account_management": True,
        },
        **filters,
    }


def backend(cloud: Cloud, region: Region, kind: str) -> Sections:
    own = _server(cloud, region, kind)
    cache = {"recon_cache_path": cloud.region_data(region) / "swift-cache"}
    storage: Section = {
        "devices": cloud.region_data(region) / "swift",
        "mount_check": False,
        "disable_fallocate": True,
    }
    return {
        "DEFAULT": {**own["DEFAULT"], **storage},
        "pipeline:main": {"pipeline": f"healthcheck {kind}-server"},
        "filter:healthcheck": {"use": "egg:swift#healthcheck"},
        f"app:{kind}-server": {"use": f"egg:swift#{kind}", "allow_versions": True},
        f"{kind}-replicator": {},
        f"{kind}-auditor": {},
        f"{kind}-updater": {"interval": 15, "slowdown": 0, **cache},
        "container-sync": {
            **cache,
            "interval": SYNC_SECONDS,
            "container_time": 30,
            "internal_client_conf_path": _folder(cloud, region) / "internal-client.conf",
            "allowed_sync_hosts": LOOPBACK,
            "log_level": "INFO",
        },
    }


def configuration(cloud: Cloud, region: Region) -> dict[str, str]:
    """Return the files of a region's cluster by name."""
    clusters = {f"cluster_{r.name}": f"{r.url('swift-proxy')}/v1/" for r in REGIONS}
    secret = cloud.passwords
    return {
        "swift.conf": ini(
            {
                "swift-hash": {
                    "swift_hash_path_prefix": secret["swift-hash-prefix"],
                    "swift_hash_path_suffix": secret[f"swift-hash-{region.name}"],
                },
                "storage-policy:0": {"name": "Policy-0", "default": "yes"},
            }
        ),
        "container-sync-realms.conf": ini({REALM: {"key": secret["swift-realm"], **clusters}}),
        "proxy-server.conf": ini(proxy(cloud, region)),
        **{f"{kind}-server.conf": ini(backend(cloud, region, kind)) for kind in BACKENDS},
        "internal-client.conf": ini(
            {
                "DEFAULT": {"swift_dir": _folder(cloud, region)},
                "pipeline:main": {"pipeline": "catch_errors proxy-logging proxy-server"},
                "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": True},
                "filter:proxy-logging": {"use": "egg:swift#proxy_logging"},
                "filter:catch_errors": {"use": "egg:swift#catch_errors"},
            }
        ),
    }


def rings(region: Region) -> list[str]:
    """Return what lib/rings.py wants: one `NAME=PORT` a ring."""
    return [f"{kind}={region.port(f'swift-{kind}')}" for kind in BACKENDS]


def folders(cloud: Cloud) -> list[Folder]:
    result = []
    for region in REGIONS:
        devices = cloud.region_data(region) / "swift"
        result += [Folder(devices, UID_API), Folder(devices / "d1", UID_API)]
        result.append(Folder(_folder(cloud, region), UID_API))
        result.append(Folder(cloud.region_data(region) / "swift-cache", UID_API))
    return result


def files(cloud: Cloud) -> list[File]:
    return [
        File(_folder(cloud, region) / name, text, UID_API)
        for region in REGIONS
        for name, text in configuration(cloud, region).items()
    ]


def services(cloud: Cloud) -> list[Service]:
    return [
        Service(
            name=f"swift-{region.name}",
            argv=cloud.python("swift", "swift-all", _folder(cloud, region)),
            wave=1,
            env=common.ENV,
            uid=UID_API,
            ready=every(
                answers(f"{region.url('swift-proxy')}/healthcheck"),
                *(answers(f"{region.url(f'swift-{kind}')}/healthcheck") for kind in BACKENDS),
            ),
        )
        for region in REGIONS
    ]
