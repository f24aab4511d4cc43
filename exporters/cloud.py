"""The cloud as collectors see it: what exists in a region, and its object containers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gaoling.cloud.connect import connect
from gaoling.recovery.sentinel import Containers

API_SECONDS = 15  # for one request


class CloudError(Exception):
    """A region's API could not be asked; the message says which and why."""


@dataclass(frozen=True)
class Server:
    """A server of a landing zone. `addresses` are the fixed ones of its ports."""

    id: str
    system: str
    project: str
    active: bool
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Inventory:
    """What a region has: projects by name (those tagged `gaoling`) and servers."""

    projects: frozenset[str] = frozenset()
    servers: tuple[Server, ...] = field(default=())


class Cloud(Protocol):
    """A region. Every method raises CloudError."""

    def projects(self) -> frozenset[str]: ...

    def inventory(self) -> Inventory: ...

    def containers(self, project: str) -> Containers: ...


class OpenStack:
    """A region through openstacksdk, with an administrator's entry of clouds.yaml."""

    def __init__(self, clouds: Path, entry: str) -> None:
        self._clouds, self._entry = clouds, entry
        self._lock = threading.Lock()
        self._admin: Any = None
        self._scoped: dict[str, Any] = {}

    def _connection(self) -> Any:
        with self._lock:
            if self._admin is None:
                if not self._clouds.exists():
                    raise CloudError(f"{self._entry}: {self._clouds} is not there")
                self._admin = connect(self._clouds, self._entry, API_SECONDS)
            return self._admin

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except CloudError:
            raise
        except Exception as error:  # the SDK, keystoneauth and requests each have their own
            with self._lock:  # a new start: the entry may have another password now
                self._admin, self._scoped = None, {}
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            raise CloudError(f"{self._entry}: {text[:200]}") from None

    def projects(self) -> frozenset[str]:
        """Return the names of the projects tagged `gaoling`."""
        found: frozenset[str] = self._ask(lambda: frozenset(self._projects().values()))
        return found

    def _projects(self) -> dict[str, str]:
        return {p.id: p.name for p in self._connection().identity.projects(tags="gaoling")}

    def inventory(self) -> Inventory:
        """Return what the region has of landing zones."""
        found: Inventory = self._ask(self._inventory)
        return found

    def _inventory(self) -> Inventory:
        admin = self._connection()
        names = self._projects()
        addresses: dict[str, list[str]] = {}
        for port in admin.network.ports():
            if (port.device_owner or "").startswith("compute:"):
                ips = [fixed["ip_address"] for fixed in port.fixed_ips or []]
                addresses.setdefault(port.device_id, []).extend(ips)
        servers = tuple(
            Server(
                server.id,
                (server.metadata or {}).get("gaoling_system", ""),
                names.get(server.project_id, ""),
                server.status == "ACTIVE",
                tuple(sorted(addresses.get(server.id, ()))),
            )
            for server in admin.compute.servers(details=True, all_projects=True)
        )
        return Inventory(frozenset(names.values()), servers)

    def containers(self, project: str) -> Containers:
        """Return the object containers of a project."""

        def scope() -> Any:
            admin = self._connection()
            if project not in self._scoped:
                self._scoped[project] = admin.connect_as_project(project)
            return self._scoped[project].object_store

        return _Swift(self._ask, scope)


class _Swift:
    def __init__(self, ask: Callable[[Callable[[], Any]], Any], scope: Callable[[], Any]) -> None:
        self._ask, self._scope = ask, scope

    def put(self, container: str, name: str, data: bytes) -> bool:
        """Store an object; return False when there is no such container."""
        answer = self._ask(
            lambda: self._scope().put(
                f"/{container}/{name}", data=data, headers={"Content-Type": "application/json"}
            )
        )
        return self._right(answer, container, name)

    def get(self, container: str, name: str) -> bytes | None:
        """Return an object's content; None when there is no such object or container."""
        answer = self._ask(lambda: self._scope().get(f"/{container}/{name}"))
        if not self._right(answer, container, name):
            return None
        content: bytes = answer.content
        return content

    def _right(self, answer: Any, container: str, name: str) -> bool:
        if answer.status_code == 404:
            return False
        if answer.status_code >= 300:
            raise CloudError(f"object {container}/{name}: HTTP {answer.status_code}")
        return True


def clouds(path: Path) -> Callable[[str], Cloud]:
    """Return region name -> its API, one connection a region, entries named as the regions."""
    held: dict[str, OpenStack] = {}
    lock = threading.Lock()
    changed: list[float] = []

    def region(name: str) -> Cloud:
        with lock:
            try:
                stamp = os.stat(path).st_mtime  # noqa: PTH116
            except OSError:
                stamp = 0.0
            if changed != [stamp]:
                changed[:] = [stamp]
                held.clear()
            if name not in held:
                held[name] = OpenStack(path, name)
            return held[name]

    return region
