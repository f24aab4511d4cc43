"""Whether agents, compute hosts and volume services live: by heartbeats younger than their process.

A record that was left by an earlier process says "alive" for half a minute after its death, so
lib/launch.py touches a file when a service starts, and what is older does not count.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lab.openstack.topology import Cloud, Region
from lab.supervise import Ready

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_tokens: dict[str, tuple[float, str]] = {}
Json = dict[str, Any]


def token(cloud: Cloud) -> str:
    """Return a token of the admin, kept for ten minutes."""
    made, value = _tokens.get(cloud.keystone_url, (0.0, ""))
    if time.monotonic() - made < 600 and value:
        return value
    password = cloud.passwords["identity-admin"]
    user = {"name": "admin", "domain": {"id": "default"}, "password": password}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
    }
    request = urllib.request.Request(  # noqa: S310  (our own http URL)
        f"{cloud.keystone_url}/auth/tokens",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with _direct.open(request, timeout=10) as answer:
        value = str(answer.headers["X-Subject-Token"])
    _tokens[cloud.keystone_url] = (time.monotonic(), value)
    return value


def get(cloud: Cloud, url: str) -> Json:
    """Return the JSON that `url` answers to the admin."""
    headers = {"X-Auth-Token": token(cloud), "Accept": "application/json"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    with _direct.open(request, timeout=10) as answer:
        result: Json = json.load(answer)
    return result


def _asks(question: Callable[[], str | None]) -> Ready:
    def probe() -> str | None:
        try:
            return question()
        except urllib.error.HTTPError as error:
            if error.code == 401:
                _tokens.clear()
            return f"{error.url}: HTTP {error.code}"
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    return probe


def _born(cloud: Cloud, service: str) -> float | None:
    try:
        return (cloud.born / service).stat().st_mtime
    except OSError:
        return None


def _time(text: str | None) -> float:
    """Return the seconds of OpenStack's UTC times: with `T` or a space, with or without parts."""
    if not text:
        return 0.0
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC).timestamp()


def _fresh(cloud: Cloud, service: str, records: dict[str, Json], wanted: list[str]) -> str | None:
    born = _born(cloud, service)
    if born is None:
        return "has not started yet"
    for binary in wanted:
        record = records.get(binary)
        if record is None:
            return f"{binary} has not reported yet"
        if record["state"] != "up" or _time(record["updated_at"]) < born:
            return f"{binary} has not reported since it started"
    return None


def agent_alive(cloud: Cloud, region: Region, service: str, binary: str) -> Ready:
    """Return a probe of one Neutron agent."""

    def question() -> str | None:
        born = _born(cloud, service)
        if born is None:
            return "has not started yet"
        agents = get(cloud, f"{region.url('neutron')}/v2.0/agents?binary={binary}")["agents"]
        for agent in agents:
            if agent["alive"] and _time(agent["started_at"]) >= int(born):
                return None
        return f"{binary} has not reported since it started"

    return _asks(question)


def compute_alive(cloud: Cloud, region: Region) -> Ready:
    """Return a probe of Nova: conductor, scheduler, compute report, the hypervisor is mapped."""
    wanted = ["nova-conductor", "nova-scheduler", "nova-compute"]

    def question() -> str | None:
        base = f"{region.url('nova')}/v2.1"
        services = get(cloud, f"{base}/os-services")["services"]
        # not those of an extra host: somebody else looks after it
        records = {s["binary"]: s for s in services if s["host"] == region.host}
        if reason := _fresh(cloud, f"nova-{region.name}", records, wanted):
            return reason
        if not get(cloud, f"{base}/os-hypervisors")["hypervisors"]:
            return "the hypervisor is not mapped to a cell yet"
        return None

    return _asks(question)


def volumes_alive(cloud: Cloud, region: Region) -> Ready:
    """Return a probe of Cinder: all three report, and the scheduler knows where volumes can go."""
    wanted = ["cinder-scheduler", "cinder-volume", "cinder-backup"]

    def question() -> str | None:
        projects = get(cloud, f"{cloud.keystone_url}/projects?name=admin")["projects"]
        base = f"{region.url('cinder')}/v3/{projects[0]['id']}"
        records = {s["binary"]: s for s in get(cloud, f"{base}/os-services")["services"]}
        if reason := _fresh(cloud, f"cinder-{region.name}", records, wanted):
            return reason
        if not get(cloud, f"{base}/scheduler-stats/get_pools")["pools"]:
            return "the scheduler has not heard of a backend yet"
        return None

    return _asks(question)
