"""MariaDB: one server for all databases of both regions, on a socket (root) and on loopback."""

from __future__ import annotations

from pathlib import Path

from lab.openstack.probe import listening
from lab.openstack.render import File, Folder, Sections, ini
from lab.openstack.topology import LOOPBACK, SHARED_PORTS, UID_MARIADB, Cloud
from lab.supervise import Service


def settings(data: Path, socket: Path, temporary: Path) -> Sections:
    """Return my.cnf for a server on `data`; durability is traded for speed, as a lab may."""
    return {
        "mysqld": {
            "datadir": data,
            "socket": socket,
            "pid-file": socket.with_suffix(".pid"),
            "port": SHARED_PORTS["mariadb"],
            "bind-address": LOOPBACK,
            "skip-name-resolve": "1",
            "skip-log-bin": "1",
            "performance_schema": "OFF",
            "character-set-server": "utf8mb3",
            "collation-server": "utf8mb3_general_ci",
            "max_connections": 2000,
            "innodb_buffer_pool_size": "192M",
            "innodb_log_file_size": "64M",
            "innodb_flush_log_at_trx_commit": 2,
            "innodb_flush_method": "fsync",
            "tmpdir": temporary,
        }
    }


def data(cloud: Cloud) -> Path:
    return cloud.data / "mariadb"


def folders(cloud: Cloud) -> list[Folder]:
    return [
        Folder(cloud.data / "mariadb-tmp", UID_MARIADB),
        Folder(cloud.database_socket.parent, UID_MARIADB, 0o711),
    ]


def files(cloud: Cloud) -> list[File]:
    text = ini(settings(data(cloud), cloud.database_socket, cloud.data / "mariadb-tmp"))
    return [File(cloud.etc / "mariadb.cnf", text, UID_MARIADB)]


def services(cloud: Cloud) -> list[Service]:
    return [
        Service(
            name="mariadb",
            argv=("mariadbd", f"--defaults-file={cloud.etc / 'mariadb.cnf'}"),
            uid=UID_MARIADB,
            stop_seconds=20,
            ready=listening(SHARED_PORTS["mariadb"]),
        )
    ]
