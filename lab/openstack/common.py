"""Sections that several OpenStack services share."""

from __future__ import annotations

from pathlib import Path

from lab.openstack.probe import answers
from lab.openstack.render import Section, Sections
from lab.openstack.topology import LOOPBACK, SHARED_PORTS, UID_API, Cloud, Region
from lab.supervise import Service

# One machine: few connections a process stay, no statistics, no notifications. But as many as are
# asked for: a request of Neutron holds one and takes a second, and when all are held by requests
# that wait for their second one, everything stands still for the 30 s of the pool's patience
POOL: Section = {"max_pool_size": 5, "max_overflow": 200, "connection_recycle_time": 3600}
QUIET: Sections = {"oslo_messaging_notifications": {"driver": "noop"}}
ENV = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "2",
    # An epoll set is shared with every child: one that closes a file takes the parent's ear for it
    # away, and a reply that has come lies unread (seen: an agent deaf for a minute)
    "EVENTLET_HUB": "poll",
    "USER": "gaoling",  # the numeric users have no entry in passwd
}


def database(cloud: Cloud, owner: str, name: str) -> Section:
    return {"connection": cloud.database(owner, name), **POOL}


def account(cloud: Cloud, user: str, region: Region | None = None) -> Section:
    """Return how `user` authenticates: for keystoneauth's `password` plugin."""
    section: dict[str, str] = {
        "auth_url": cloud.keystone_url,
        "auth_type": "password",
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": user,
        "password": cloud.passwords[f"identity-{user}"],
    }
    if region:
        section["region_name"] = region.name
    return section


def token_check(cloud: Cloud, user: str, region: Region) -> Sections:
    """Return the section by which a service checks the tokens of its callers."""
    return {
        "keystone_authtoken": {
            **account(cloud, user, region),
            "www_authenticate_uri": cloud.keystone_url,
            "memcached_servers": f"{LOOPBACK}:{SHARED_PORTS['memcached']}",
            "service_token_roles": "service",
            "service_token_roles_required": True,
            "interface": "internal",
        }
    }


def client(cloud: Cloud, user: str, region: Region) -> Section:
    """Return a section by which a service calls another one in its region."""
    return {**account(cloud, user, region), "valid_interfaces": "internal"}


def locks(folder: Path) -> Sections:
    return {"oslo_concurrency": {"lock_path": folder}}


def uwsgi(
    name: str, port: int, wave: int, env: dict[str, str], app: tuple[str, ...], probe: str
) -> Service:
    """Return a service that uWSGI runs with Debian's Python, as the unprivileged API user."""
    return Service(
        name=name,
        argv=(
            *("uwsgi_python3", "--http-socket", f"{LOOPBACK}:{port}"),
            *("--need-app", "--die-on-term", "--enable-threads", "--threads", "4"),
            *("--processes", "1", "--lazy-apps", "--buffer-size", "65535", "--thunder-lock"),
            *("--disable-logging", "--so-keepalive", "--add-header", "Connection: close"),
            *app,
        ),
        wave=wave,
        env={**ENV, **env},
        uid=UID_API,
        ready=answers(f"http://{LOOPBACK}:{port}{probe}"),
    )
