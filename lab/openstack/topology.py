"""What the cloud half consists of: regions, ports, users, folders. All else derives from it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.errors import LabError
from lab.openstack.passwords import Passwords
from lab.paths import LabPaths, cache_home

LOOPBACK = "127.0.0.1"
PYTHON = "/usr/bin/python3"  # Debian's own: the lab's virtualenv has no OpenStack

# Numbers without an entry in passwd, from systemd's dynamic range: nothing else on the machine
# has them. Root stays for what makes namespaces or opens volumes: agents, nova-all, cinder-all.
UID_MARIADB, UID_RABBITMQ, UID_MEMCACHED, UID_API = 61201, 61202, 61203, 61204

# Ports of what both regions share, then those of a region: its base plus the offset.
SHARED_PORTS = {
    "mariadb": 23306,
    "rabbitmq": 23672,
    "rabbitmq-dist": 23673,
    "epmd": 23369,
    "memcached": 23211,
    "keystone": 25000,
}
REGION_PORTS = {
    "nova": 774,
    "neutron": 696,
    "placement": 778,
    "glance": 292,
    "cinder": 776,
    "swift-proxy": 80,
    "swift-account": 202,
    "swift-container": 201,
    "swift-object": 200,
}


@dataclass(frozen=True)
class Region:
    """One OpenStack region; `namespace` holds its agents and bridges."""

    name: str
    base: int

    def port(self, service: str) -> int:
        return self.base + REGION_PORTS[service]

    def url(self, service: str) -> str:
        return f"http://{LOOPBACK}:{self.port(service)}"

    @property
    def host(self) -> str:
        """The one name of nova-compute and all agents: ports are bound by it."""
        return f"{self.name}-cmp1"

    @property
    def namespace(self) -> str:
        return f"gl-{self.name}"

    @property
    def names(self) -> Path:
        """Its own folder of namespace names: an L3 agent deletes those that it does not know."""
        return Path(f"/run/netns-{self.name}")


PRIMARY = Region("primary", 26000)
DR = Region("dr", 27000)
REGIONS = (PRIMARY, DR)


def region(name: str) -> Region:
    """Return the region of that name."""
    for candidate in REGIONS:
        if candidate.name == name:
            return candidate
    raise LabError(f"region {name!r}: expected one of {', '.join(r.name for r in REGIONS)}")


def ports() -> dict[str, int]:
    """Return every loopback port that the cloud half listens on, by service name."""
    table = dict(SHARED_PORTS)
    for each in REGIONS:
        table |= {f"{name}-{each.name}": each.port(name) for name in REGION_PORTS}
    return table


@dataclass(frozen=True)
class Cloud:
    """The cloud half on this machine: its folders and its passwords."""

    paths: LabPaths

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords(self.paths.state / "passwords.json", secrets.token_urlsafe)

    @property
    def etc(self) -> Path:
        return self.paths.etc

    @property
    def data(self) -> Path:
        return self.paths.state / "data"

    @property
    def lib(self) -> Path:
        """The scripts that Debian's Python executes, copied: the tree may move or be unreadable."""
        return self.paths.state / "lib"

    @property
    def born(self) -> Path:
        """One file a service, touched when it starts: heartbeats older than it do not count."""
        return self.paths.run / "born"

    @property
    def database_socket(self) -> Path:
        return self.paths.run / "mariadb" / "sock"

    @property
    def clouds_yaml(self) -> Path:
        return self.paths.state / "clouds.yaml"

    @property
    def cache(self) -> Path:
        return cache_home() / "lab" / "cloud"

    @property
    def keystone_url(self) -> str:
        return f"http://{LOOPBACK}:{SHARED_PORTS['keystone']}/v3"

    def region_etc(self, each: Region) -> Path:
        return self.etc / each.name

    def region_data(self, each: Region) -> Path:
        return self.data / each.name

    def broker(self, vhost: str) -> str:
        """Return the transport URL of a virtual host of the broker."""
        password = self.passwords["broker"]
        return f"rabbit://openstack:{password}@{LOOPBACK}:{SHARED_PORTS['rabbitmq']}/{vhost}"

    def database(self, owner: str, name: str) -> str:
        """Return the URL of database `name` for the account `owner`."""
        password = self.passwords[f"database-{owner}"]
        address = f"{LOOPBACK}:{SHARED_PORTS['mariadb']}"
        return f"mysql+pymysql://{owner}:{password}@{address}/{name}?charset=utf8"

    def python(self, service: str, target: str, *args: str | Path) -> tuple[str, ...]:
        """Return the command line of a service that lib/launch.py starts."""
        words = (PYTHON, "-P", self.lib / "launch.py", service, target, *args)
        return tuple(str(word) for word in words)


# What each service keeps in MariaDB; the databases of a region carry its name at the end.
REGION_DATABASES = {
    "neutron": ("neutron",),
    "placement": ("placement",),
    "nova": ("nova_api", "nova_cell0", "nova"),
    "glance": ("glance",),
    "cinder": ("cinder",),
}
# The Identity users of the services; each is admin on the project `service`.
SERVICE_USERS = ("nova", "neutron", "placement", "glance", "cinder", "swift")


def databases() -> Iterator[tuple[str, str]]:
    """Yield (account, database) for both regions."""
    yield "keystone", "keystone"
    for each in REGIONS:
        for owner, names in REGION_DATABASES.items():
            for name in names:
                yield owner, f"{name}_{each.name}"
