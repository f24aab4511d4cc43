"""The same API calls as a stack made, by openstacksdk: what remains when Pulumi is taken away.

`Replay` makes the resources of states once more, each from its inputs, as soon as what it builds on
is there, so many at once; `remove` takes them away again. A thread a call, a connection a project.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from keystoneauth1.exceptions import Unauthorized

from gaoling.cloud.connect import connect
from gaoling.cloud.stacks import ROLE

IDENTITY = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
SECRET = "4dabf18193072939515e22adb298388d"
PROVIDER = "pulumi:providers:openstack"
PROJECT = "openstack:identity/project:Project"
POLL_SECONDS = 1.0
MOST_SECONDS = 600.0
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")

Row = dict[str, Any]


def _snake(value: Any) -> Any:
    if isinstance(value, dict):
        if SECRET in value:
            return value["plaintext"].strip('"')
        return {_CAPITAL.sub(r"_\1", k).lower(): _snake(v) for k, v in value.items()
                if k not in ("__defaults", "__internal")}  # fmt: skip
    return [_snake(v) for v in value] if isinstance(value, list) else value


class Replay:
    """Makes the resources of `states` (region -> rows of a state) through entries of `clouds`."""

    def __init__(self, states: dict[str, list[Row]], clouds: Path) -> None:
        self._clouds = clouds
        self._rows = {r["urn"]: {**r, "region": region} for region, rows in states.items()
                      for r in rows}  # fmt: skip
        self._owner = {r["id"]: urn for urn, r in self._rows.items() if _plain(r)}
        self._new: dict[str, str] = {}  # the id in the state -> the id made here
        self._of: dict[str, Any] = {}  # the URN of a provider -> its connection
        self._admin = {region: connect(clouds, region, MOST_SECONDS) for region in states}
        self.calls = 0

    def run(self, threads: int) -> float:
        """Make everything; return the seconds that it took. Raises what a call raises."""
        start = time.monotonic()
        left = {urn: self._needs(row) for urn, row in self._rows.items()}
        hands: dict[Future[None], str] = {}
        with ThreadPoolExecutor(threads) as pool:
            while left or hands:
                for urn in [u for u, needs in left.items() if not needs]:
                    del left[urn]
                    hands[pool.submit(self._make, self._rows[urn])] = urn
                over, _ = wait(hands, return_when=FIRST_COMPLETED)
                for one in over:
                    one.result()
                    done = hands.pop(one)
                    for needs in left.values():
                        needs.discard(done)
        return time.monotonic() - start

    def _needs(self, row: Row) -> set[str]:
        """Return the URNs that a resource waits for: as Pulumi's, and those of the ids in it."""
        found = {*row.get("dependencies", ()), (row.get("provider") or "").rpartition("::")[0]}
        found |= self._lets_in(row)
        found |= {self._owner[i] for i in IDENTITY.findall(str(row.get("inputs")))
                  if i in self._owner}  # fmt: skip
        return {urn for urn in found if urn in self._rows} - {row["urn"]}

    def _lets_in(self, row: Row) -> set[str]:
        """Return what the connection of a provider waits for: the role in its project."""
        project = (row.get("inputs") or {}).get("cloud", "").partition(":")[2]
        if row["type"] != PROVIDER or not project:
            return set()
        made = [u for u, r in self._rows.items() if r["type"] == PROJECT
                and r["inputs"]["name"] == project]  # fmt: skip
        return {*made, *(u.replace(PROJECT, ROLE) for u in made)}

    def _make(self, row: Row) -> None:
        kind = row["type"].rpartition(":")[2]
        if row["type"] == PROVIDER:
            if cloud := row["inputs"].get("cloud"):
                self._of[row["urn"]] = connect(self._clouds, cloud, MOST_SECONDS)
                self._of[row["urn"]].auth_token  # noqa: B018  (asked for here, as a provider does)
            return
        if not _plain(row):
            return
        maker = getattr(self, "_" + _CAPITAL.sub(r"_\1", kind).lower(), None)
        if maker is None:
            raise ValueError(f"{row['urn']}: no call is known for a {kind}")
        given = _snake(row["inputs"])
        made = maker(self._connection(row), self._mended(given))
        if made is not None:
            self._new[row["id"]] = made

    def _connection(self, row: Row) -> Any:
        return (
            self._of.get((row.get("provider") or "").rpartition("::")[0])
            or self._admin[row["region"]]
        )

    def _mended(self, value: Any) -> Any:
        """Return inputs with the ids of what was made here in place of the state's."""
        if isinstance(value, dict):
            return {k: self._mended(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._mended(v) for v in value]
        if isinstance(value, str):
            return IDENTITY.sub(lambda m: self._new.get(m[0], m[0]), value)
        return value

    # -- a method a type; each returns the new id

    def _call(self, answer: Any) -> Any:
        self.calls += 1
        if answer.status_code >= 400:
            raise RuntimeError(f"{answer.request.method} {answer.url}: {answer.text[:500]}")
        return answer.json() if answer.content else {}

    def _post(self, proxy: Any, path: str, what: str, body: Row) -> Any:
        return self._call(proxy.post(path, json={what: body}))[what]

    def _project(self, c: Any, given: Row) -> str:
        keys = ("name", "description", "tags")
        body = {k: given[k] for k in keys if k in given}
        return str(self._post(c.identity, "/projects", "project", body)["id"])

    def _role_assignment(self, c: Any, given: Row) -> None:
        path = f"/projects/{given['project_id']}/users/{given['user_id']}/roles/{given['role_id']}"
        self._call(c.identity.put(path))

    def _application_credential(self, c: Any, given: Row) -> str:
        body = {"name": given["name"], "description": given["description"],
                "roles": [{"name": r} for r in given["roles"]]}  # fmt: skip
        path = f"/users/{c.current_user_id}/application_credentials"
        made = self._post(c.identity, path, "application_credential", body)
        return str(made["id"])

    def _quota_set_v2(self, c: Any, given: Row) -> None:
        self._quota(c.compute, "os-quota-sets", "quota_set", given)

    def _quote_set_v3(self, c: Any, given: Row) -> None:
        self._quota(c.block_storage, "os-quota-sets", "quota_set", given)

    def _quota_v2(self, c: Any, given: Row) -> None:
        self._quota(c.network, "quotas", "quota", given)

    def _quota(self, proxy: Any, path: str, what: str, given: Row) -> None:
        body = {k: v for k, v in given.items() if k not in ("project_id", "region")}
        self._call(proxy.put(f"/{path}/{given['project_id']}", json={what: body}))

    def _tagged(self, c: Any, plural: str, what: str, given: Row) -> Row:
        tags = given.pop("tags", None)
        made = self._post(c.network, f"/{plural}", what, given)
        if tags:
            self._call(c.network.put(f"/{plural}/{made['id']}/tags", json={"tags": tags}))
        return dict(made)

    def _network(self, c: Any, given: Row) -> str:
        return str(self._tagged(c, "networks", "network", given)["id"])

    def _subnet(self, c: Any, given: Row) -> str:
        return str(self._tagged(c, "subnets", "subnet", given)["id"])

    def _router(self, c: Any, given: Row) -> str:
        fixed = [{"ip_address": f["ip_address"], "subnet_id": f["subnet_id"]}
                 for f in given.pop("external_fixed_ips")]  # fmt: skip
        gateway = {"network_id": given.pop("external_network_id"), "external_fixed_ips": fixed}
        if "enable_snat" in given:
            gateway["enable_snat"] = given.pop("enable_snat")
        body = {**given, "external_gateway_info": gateway}
        return str(self._tagged(c, "routers", "router", body)["id"])

    def _router_interface(self, c: Any, given: Row) -> None:
        path = f"/routers/{given['router_id']}/add_router_interface"
        self._call(c.network.put(path, json={"subnet_id": given["subnet_id"]}))

    def _sec_group(self, c: Any, given: Row) -> str:
        plain = given.pop("delete_default_rules", False)
        made = self._tagged(c, "security-groups", "security_group", given)
        for rule in made["security_group_rules"] if plain else ():
            self._call(c.network.delete(f"/security-group-rules/{rule['id']}"))
        return str(made["id"])

    def _sec_group_rule(self, c: Any, given: Row) -> str:
        made = self._post(c.network, "/security-group-rules", "security_group_rule", given)
        return str(made["id"])

    def _port(self, c: Any, given: Row) -> str:
        given["security_groups"] = given.pop("security_group_ids")
        return str(self._tagged(c, "ports", "port", given)["id"])

    def _server_group(self, c: Any, given: Row) -> str:
        policies = given["policies"]
        body = {"name": given["name"], "policies": policies if isinstance(policies, list)
                else [policies]}  # fmt: skip
        return str(self._post(c.compute, "/os-server-groups", "server_group", body)["id"])

    def _instance(self, c: Any, given: Row) -> str:
        import base64

        body = {
            "name": given["name"], "flavorRef": given["flavor_id"], "imageRef": given["image_id"],
            "networks": [{"port": n["port"]} for n in given["networks"]],
            "metadata": given.get("metadata", {}),
        }  # fmt: skip
        if text := given.get("user_data"):
            body["user_data"] = base64.b64encode(text.encode()).decode()
        made = self._post(c.compute, "/servers", "server", body)
        self._until(lambda: c.compute.get(f"/servers/{made['id']}"), "server", "ACTIVE")
        return str(made["id"])

    def _volume(self, c: Any, given: Row) -> str:
        body = {k: given[k] for k in ("name", "size", "metadata", "volume_type") if given.get(k)}
        made = self._post(c.block_storage, "/volumes", "volume", body)
        self._until(lambda: c.block_storage.get(f"/volumes/{made['id']}"), "volume", "available")
        return str(made["id"])

    def _volume_attach(self, c: Any, given: Row) -> None:
        body = {"volumeId": given["volume_id"]}
        path = f"/servers/{given['instance_id']}/os-volume_attachments"
        self._post(c.compute, path, "volumeAttachment", body)
        volume = f"/volumes/{given['volume_id']}"
        self._until(lambda: c.block_storage.get(volume), "volume", "in-use")

    def _container(self, c: Any, given: Row) -> None:
        headers = {f"X-Container-Meta-{k}": str(v) for k, v in given["metadata"].items()}
        for key, name in (("container_sync_to", "To"), ("container_sync_key", "Key")):
            if given.get(key):
                headers[f"X-Container-Sync-{name}"] = given[key]
        self._call(c.object_store.put(f"/{given['name']}", headers=headers))

    def _until(self, ask: Callable[[], Any], what: str, status: str) -> None:
        end = time.monotonic() + MOST_SECONDS
        while (found := self._call(ask())[what]["status"]) != status:
            if found.upper() == "ERROR" or time.monotonic() > end:
                raise RuntimeError(f"a {what} is {found}, expected {status}")
            time.sleep(POLL_SECONDS)


def _plain(row: Row) -> bool:
    """Whether a row is something in the cloud: no component, provider or look."""
    return (
        bool(row.get("custom")) and row["type"].startswith("openstack:") and not row.get("external")
    )


def remove(clouds: Path, regions: Iterable[str], prefix: str) -> None:
    """Remove the projects whose names begin with `prefix`, and all that they hold."""
    admin = {region: connect(clouds, region, MOST_SECONDS) for region in regions}
    first = next(iter(admin.values()))
    projects = {p.id: p.name for p in first.identity.projects() if p.name.startswith(prefix)}
    for region, c in admin.items():
        ours = list(projects)

        def each(work: Callable[[str], None], ours: list[str] = ours) -> None:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(work, ours))

        def servers(project: str, c: Any = c) -> None:
            for server in list(c.compute.servers(all_projects=True, project_id=project)):
                c.compute.delete_server(server, force=True)
                c.compute.wait_for_delete(server, wait=MOST_SECONDS)

        def parts(project: str, c: Any = c, region: str = region) -> None:
            for volume in c.block_storage.volumes(all_projects=True, project_id=project):
                c.block_storage.delete_volume(volume)
            for router in c.network.routers(project_id=project):
                c.network.update_router(router, external_gateway_info=None)
                for port in c.network.ports(device_id=router.id):
                    c.network.remove_interface_from_router(router, port=port.id)
                c.network.delete_router(router)
            for port in c.network.ports(project_id=project):
                if not (port.device_owner or "").startswith("network:"):
                    c.network.delete_port(port)
            for network in c.network.networks(project_id=project):
                c.network.delete_network(network)
            for group in c.network.security_groups(project_id=project):
                c.network.delete_security_group(group)
            try:
                own = connect(clouds, f"{region}:{projects[project]}").object_store
            except Unauthorized:  # nobody was let in yet: nothing is in it
                return
            for container in own.containers():
                own.delete_container(container)

        each(servers)
        each(parts)
    user = first.current_user_id
    for one in first.identity.application_credentials(user=user):
        if one.name.startswith(prefix):
            first.identity.delete_application_credential(user, one)
    for project in projects:
        first.identity.delete_project(project)
