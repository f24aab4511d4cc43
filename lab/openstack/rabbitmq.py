"""RabbitMQ: one broker, a virtual host for each region's Nova, Neutron and Cinder."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from lab.errors import LabError
from lab.openstack.probe import listening
from lab.openstack.render import File, Folder
from lab.openstack.topology import LOOPBACK, REGIONS, SHARED_PORTS, UID_RABBITMQ, Cloud
from lab.supervise import Service

USERS = ("nova", "neutron", "cinder")


def vhosts() -> list[str]:
    return [f"{user}-{region.name}" for region in REGIONS for user in USERS]


def password_hash(password: str) -> str:
    """Return RabbitMQ's salted SHA-256; the salt follows from the password: same file twice."""
    salt = hashlib.sha256(b"salt" + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(cloud: Cloud) -> str:
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    user = {
        "name": "openstack",
        "password_hash": password_hash(cloud.passwords["broker"]),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }
    content = {
        "users": [user],
        "vhosts": [{"name": name} for name in ["/", *vhosts()]],
        "permissions": [{"user": "openstack", "vhost": v, **everything} for v in vhosts()],
    }
    return json.dumps(content, indent=1)


def folders(cloud: Cloud) -> list[Folder]:
    return [Folder(cloud.data / "rabbitmq", UID_RABBITMQ)]


def files(cloud: Cloud) -> list[File]:
    text = f"""\
listeners.tcp.1 = {LOOPBACK}:{SHARED_PORTS["rabbitmq"]}
load_definitions = {cloud.etc}/rabbitmq.json
log.console = true
log.console.level = warning
log.file = false
loopback_users = none
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
"""
    return [
        File(cloud.etc / "rabbitmq.conf", text, UID_RABBITMQ),
        File(cloud.etc / "rabbitmq.json", definitions(cloud), UID_RABBITMQ),
        File(cloud.etc / "rabbitmq.plugins", "[].\n", UID_RABBITMQ),
    ]


def program() -> Path:
    """Return the server's own script: Debian's wrapper wants `su` and a passwd entry."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if not found:
        raise LabError("no /usr/lib/rabbitmq/lib/rabbitmq_server-*: is rabbitmq-server installed?")
    return found[-1]


def services(cloud: Cloud) -> list[Service]:
    home = cloud.data / "rabbitmq"
    return [
        Service(
            name="rabbitmq",
            argv=(str(program()),),
            uid=UID_RABBITMQ,
            stop_seconds=15,
            env={
                "HOME": str(home),
                "ERL_EPMD_PORT": str(SHARED_PORTS["epmd"]),
                "ERL_EPMD_ADDRESS": LOOPBACK,
                "RABBITMQ_NODENAME": "gaoling@localhost",
                "RABBITMQ_DIST_PORT": str(SHARED_PORTS["rabbitmq-dist"]),
                "RABBITMQ_CONFIG_FILE": str(cloud.etc / "rabbitmq"),
                "RABBITMQ_MNESIA_BASE": str(home),
                "RABBITMQ_LOG_BASE": str(home),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(cloud.etc / "rabbitmq.plugins"),
                "RABBITMQ_CONF_ENV_FILE": "/nonexistent",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
                ),
            },
            ready=listening(SHARED_PORTS["rabbitmq"]),
        )
    ]
