"""Keystone: one Identity service for both regions."""

from __future__ import annotations

import base64
import secrets

from lab.openstack import common
from lab.openstack.render import File, Folder, Section, ini
from lab.openstack.topology import LOOPBACK, SHARED_PORTS, UID_API, Cloud
from lab.supervise import Service

KEYS = ("fernet-keys", "credential-keys")


def configuration(cloud: Cloud, database: Section) -> str:
    return ini(
        {
            "DEFAULT": {"public_endpoint": cloud.keystone_url.removesuffix("/v3")},
            "database": database,
            "token": {"provider": "fernet", "expiration": 43200},
            "fernet_tokens": {"key_repository": cloud.data / "keystone" / KEYS[0]},
            "fernet_receipts": {"key_repository": cloud.data / "keystone" / KEYS[0]},
            # passwords here are 256 random bits: a slow hash protects nothing, and every landing
            # zone's provider logs in by itself
            "identity": {"password_hash_rounds": 4},
            "credential": {"key_repository": cloud.data / "keystone" / KEYS[1]},
            "cache": {
                "enabled": True,
                "backend": "dogpile.cache.memcached",
                "memcache_servers": f"{LOOPBACK}:{SHARED_PORTS['memcached']}",
            },
            **common.QUIET,
        }
    )


def folders(cloud: Cloud) -> list[Folder]:
    home = cloud.data / "keystone"
    return [Folder(home, UID_API), *(Folder(home / name, UID_API) for name in KEYS)]


def files(cloud: Cloud) -> list[File]:
    text = configuration(cloud, common.database(cloud, "keystone", "keystone"))
    return [File(cloud.etc / "keystone" / "keystone.conf", text, UID_API)]


def make_keys(cloud: Cloud) -> None:
    """Make the key repositories as `keystone-manage *_setup` does: staged key 0, primary key 1."""
    for name in KEYS:
        for number in ("0", "1"):
            path = cloud.data / "keystone" / name / number
            if not path.exists():
                key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
                File(path, key, UID_API).write()


def services(cloud: Cloud) -> list[Service]:
    return [
        common.uwsgi(
            "keystone",
            SHARED_PORTS["keystone"],
            wave=1,
            env={"OS_KEYSTONE_CONFIG_FILES": str(cloud.etc / "keystone" / "keystone.conf")},
            app=("--wsgi-file", "/usr/bin/keystone-wsgi-public"),
            probe="/v3",
        )
    ]
