"""What a region really has, read through openstacksdk: a list a kind, for all projects at once.

Only what has no list is asked for one by one, several at once: quotas of compute and volumes by
project, containers by account. Values bear the names that Pulumi's arguments have.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gaoling.cloud import syncpair
from gaoling.cloud.access import TAG

AT_ONCE = 8  # requests to a region
TRIES = 3
Row = dict[str, Any]
KEY_HEADER = "X-Container-Sync-Key"
META = "x-container-meta-"


@dataclass
class Observed:
    """A region's things by kind and id. What could not be asked is not in it, `wrong` says why.

    A row has name, project (its id), system (what its mark says; None where it bears none).
    `accounts` are the projects whose containers were listed.
    """

    region: str
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def get(self, kind: str) -> dict[str, Row]:
        return self.rows.get(kind, {})


def look(cloud: Callable[[], Any], region: str, city: str) -> Observed:
    """Return what a region has. `cloud` connects to it, as an administrator. Raises nothing.

    `city` is the prefix of the projects whose quotas and containers are read.
    """
    begin = time.monotonic()
    found = Observed(region)
    try:
        _look(cloud(), found, city)
    except Exception as error:  # the SDK, keystoneauth, requests: each has its own
        found.wrong.append(f"{region}: {brief(error)}")
    found.seconds = time.monotonic() - begin
    return found


def _look(cloud: Any, found: Observed, city: str) -> None:
    cloud.session.get_token()  # one for all; and where there is none, nothing more is asked
    asking = _Asking(found)
    lists: dict[str, Callable[[Any], Iterable[tuple[str, Row]]]] = {
        "project": _projects, "server": _servers, "server_group": _server_groups,
        "volume": _volumes, "network": _networks, "subnet": _subnets, "router": _routers,
        "port": _ports, "floating_ip": _floating_ips, "security_group": _groups, "rule": _rules,
        "network_quota": _network_quotas,
    }  # fmt: skip
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(asking.rows, k, partial(read, cloud)) for k, read in lists.items()]
        for job in jobs:
            job.result()
    if "volume" in found.rows:
        found.rows["attachment"] = dict(_attachments(found.rows["volume"]))
    mine = sorted(i for i, row in found.get("project").items() if of_city(row, city))
    work: list[tuple[str, Callable[[], Iterable[tuple[str, Row]]]]] = []
    for project in mine:
        if "server" in found.rows:  # its service answers
            work.append(("compute_quota", partial(_quota, cloud.compute, project)))
        if "volume" in found.rows:
            work.append(("volume_quota", partial(_quota, cloud.block_storage, project)))
        work.append(("container", partial(_containers, cloud, found, project)))
    for kind in {kind for kind, _ in work}:
        found.rows.setdefault(kind, {})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for job in [pool.submit(asking.rows, kind, read) for kind, read in work]:
            job.result()


class _Asking:
    """Asks, and keeps what was answered and why something was not.

    A kind that failed often enough is not asked again: each try may take the whole time limit.
    """

    def __init__(self, found: Observed) -> None:
        self._found = found
        self._lock = threading.Lock()
        self._failed: dict[str, int] = {}

    def rows(self, kind: str, read: Callable[[], Iterable[tuple[str, Row]]]) -> None:
        if self._failed.get(kind, 0) >= TRIES:
            return
        try:
            rows = dict(read())
        except Exception as error:  # see look()
            line = f"{self._found.region}: {kind}: {brief(error)}"
            with self._lock:
                self._failed[kind] = self._failed.get(kind, 0) + 1
                if line not in self._found.wrong:
                    self._found.wrong.append(line)
            return
        with self._lock:
            self._found.rows.setdefault(kind, {}).update(rows)


def brief(error: BaseException) -> str:
    """Return what went wrong in a line, without what requests says of its insides."""
    line = f"{type(error).__name__}: {error}".splitlines()[0]
    return line.partition(": HTTPConnectionPool(")[0].partition(": HTTPSConnectionPool(")[0][:200]


def of_city(row: Row, city: str) -> bool:
    """Whether a project tagged as ours is of this city: its name says city and system.

    One that names no system is nobody's landing zone, and so everybody's to find.
    """
    return row["name"] == f"{city}-{row['system']}" if row["system"] else True


def _mark(tags: Iterable[str] | None) -> str | None:
    """Return the system that tags name, "" where they are ours and name none, None else."""
    found = list(tags or ())
    if TAG not in found:
        return None
    return next((t.partition("=")[2] for t in found if t.startswith("system=")), "")


# -- lists


def _projects(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.identity.projects(tags=TAG):
        yield one.id, {
            "name": one.name, "project": one.id, "system": _mark(one.tags), "tags": one.tags,
            "description": one.description, "enabled": one.is_enabled,
        }  # fmt: skip


def _servers(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.compute.servers(details=True, all_projects=True):
        about = one.metadata or {}
        yield one.id, {
            "name": one.name, "project": one.project_id, "metadata": about,
            "system": about.get("gaoling_system"),
        }  # fmt: skip


def _server_groups(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.compute.server_groups(all_projects=True):
        yield one.id, {"name": one.name, "project": one.project_id, "system": None}


def _volumes(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.block_storage.volumes(details=True, all_projects=True):
        about = one.metadata or {}
        yield one.id, {
            "name": one.name, "project": one.project_id, "size": one.size, "metadata": about,
            "system": about.get("gaoling_system"),
            "servers": [a["server_id"] for a in one.attachments or () if a.get("server_id")],
        }  # fmt: skip


def _attachments(volumes: dict[str, Row]) -> Iterator[tuple[str, Row]]:
    for identity, row in volumes.items():
        for server in row["servers"]:
            yield f"{server}/{identity}", {**row, "server": server}


def _network_row(one: Any, **more: Any) -> Row:
    tags = getattr(one, "tags", None)
    return {
        "name": getattr(one, "name", "") or "", "project": one.project_id, "system": _mark(tags),
        "tags": tags, **more,
    }  # fmt: skip


def _networks(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.network.networks():
        yield one.id, _network_row(
            one, adminStateUp=one.is_admin_state_up, shared=one.is_shared,
            external=one.is_router_external,
        )  # fmt: skip


def _subnets(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.network.subnets():
        yield one.id, _network_row(
            one, network=one.network_id, cidr=one.cidr, dnsNameservers=one.dns_nameservers,
            enableDhcp=one.is_dhcp_enabled, ipv6RaMode=one.ipv6_ra_mode,
            ipv6AddressMode=one.ipv6_address_mode,
        )  # fmt: skip


def _routers(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.network.routers():
        outside = one.external_gateway_info or {}
        yield one.id, _network_row(
            one, adminStateUp=one.is_admin_state_up, externalNetworkId=outside.get("network_id"),
            enableSnat=outside.get("enable_snat"),
            externalFixedIps=[ip["ip_address"] for ip in outside.get("external_fixed_ips") or ()],
        )  # fmt: skip


def _ports(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.network.ports():
        yield one.id, _network_row(
            one, adminStateUp=one.is_admin_state_up, securityGroupIds=one.security_group_ids,
            portSecurityEnabled=one.is_port_security_enabled, owner=one.device_owner or "",
            device=one.device_id or "", network=one.network_id,
        )  # fmt: skip


def _floating_ips(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.network.ips():
        yield one.id, {**_network_row(one), "name": one.floating_ip_address}


def _groups(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.network.security_groups():
        yield one.id, _network_row(one)


def _rules(cloud: Any) -> Iterator[tuple[str, Row]]:
    for one in cloud.network.security_group_rules():
        yield one.id, {
            "name": _rule(one), "project": one.project_id, "system": None,
            "group": one.security_group_id, "direction": one.direction,
            "peers": one.remote_group_id, "prefix": one.remote_ip_prefix,
            "protocol": one.protocol,
        }  # fmt: skip


def _rule(one: Any) -> str:
    """Return a rule in words: what may pass, from or to whom."""
    low, high = one.port_range_min, one.port_range_max
    ports = "" if low is None else f" {low}" if low == high else f" {low}-{high}"
    whom = one.remote_ip_prefix or (
        f"group {one.remote_group_id}" if one.remote_group_id else "any"
    )
    return f"{one.direction} {one.ether_type} {one.protocol or 'any'}{ports} {whom}"


def _network_quotas(cloud: Any) -> Iterator[tuple[str, Row]]:
    """Neutron lists the quotas of every project that has its own."""
    for one in _json(cloud.network.get("/quotas"))["quotas"]:
        project = one.get("project_id") or one["tenant_id"]
        yield project, {"name": "", "project": project, "system": None, **one}


# -- one by one


def _quota(service: Any, project: str) -> Iterator[tuple[str, Row]]:
    found = _json(service.get(f"/os-quota-sets/{project}"))["quota_set"]
    yield project, {"name": "", "project": project, "system": None, **found}


def _json(answer: Any) -> Any:
    if answer.status_code >= 300:
        raise OSError(f"HTTP {answer.status_code}")
    return answer.json()


def _containers(cloud: Any, found: Observed, project: str) -> Iterator[tuple[str, Row]]:
    """Yield the containers of a project with what their headers say. Swift has no list of all.

    The token is made from the one we have: a password costs the Identity service a slow hash.
    """
    from keystoneauth1.identity.v3 import Token

    session = cloud.session
    auth = Token(session.auth.auth_url, session.get_token(), project_id=project)

    def ask(method: str, path: str) -> Any:
        return session.request(
            path, method, auth=auth, raise_exc=False, headers={"Accept": "application/json"},
            endpoint_filter={
                "service_type": "object-store", "interface": "public",
                "region_name": cloud.config.get_region_name("object-store"),
            },
        )  # fmt: skip

    marker, rows = "", []
    while names := _json(ask("GET", f"?format=json&marker={_quoted(marker)}")):
        for name in (one["name"] for one in names):
            answer = ask("HEAD", f"/{_quoted(name)}")
            if answer.status_code == 404:  # it went meanwhile
                continue
            if answer.status_code >= 300:
                raise OSError(f"container {name}: HTTP {answer.status_code}")
            rows.append((f"{project}/{name}", container(name, project, answer.headers)))
        marker = names[-1]["name"]
    found.accounts.add(project)
    yield from rows


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def container(name: str, project: str, headers: Any) -> Row:
    """Return a container's row from the headers of its answer. The key stays behind here."""
    about = {k.lower().removeprefix(META): v for k, v in headers.items()
             if k.lower().startswith(META)}  # fmt: skip
    return {
        "name": name, "project": project, "system": about.get("gaoling-system"),
        "containerSyncTo": headers.get("X-Container-Sync-To", ""),
        "containerSyncKey": syncpair.digest(headers.get(KEY_HEADER, "")),
        "containerRead": headers.get("X-Container-Read", ""),
        "containerWrite": headers.get("X-Container-Write", ""),
        "metadata": about,
    }  # fmt: skip


def snake(name: str) -> str:
    """Return an argument's name as the APIs spell it: serverGroups is server_groups."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
