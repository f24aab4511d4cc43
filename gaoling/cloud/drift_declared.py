"""What the stacks hold: read from their states, cut down to what a probe compares, no secret in it.

It is written beside the states after every run, so that who must not read a state (the exporter)
can compare as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gaoling.city import City
from gaoling.cloud import syncpair
from gaoling.cloud.home import Home
from gaoling.cloud.stacks import PROJECT, stacks

ZONE = "gaoling:cloud:LandingZone"
VERSION = 1
SYNC_KEY = "containerSyncKey"


@dataclass(frozen=True)
class Probed:
    """How a type of Pulumi's is compared: with which rows of the cloud, in which arguments.

    `quota` rows are compared in every number that is declared.
    """

    rows: str
    fields: tuple[str, ...] = ()
    quota: bool = False


NETWORKING = "openstack:networking"
PROBED: Mapping[str, Probed] = {
    "openstack:identity/project:Project": Probed("project", ("name", "description", "tags")),
    "openstack:compute/quotaSetV2:QuotaSetV2": Probed("compute_quota", quota=True),
    "openstack:compute/instance:Instance": Probed("server", ("name", "metadata")),
    "openstack:compute/serverGroup:ServerGroup": Probed("server_group", ("name",)),
    "openstack:compute/volumeAttach:VolumeAttach": Probed("attachment"),
    "openstack:blockstorage/quoteSetV3:QuoteSetV3": Probed("volume_quota", quota=True),
    "openstack:blockstorage/volume:Volume": Probed("volume", ("name", "size", "metadata")),
    f"{NETWORKING}/quotaV2:QuotaV2": Probed("network_quota", quota=True),
    f"{NETWORKING}/network:Network": Probed(
        "network", ("name", "adminStateUp", "shared", "external", "tags")
    ),
    f"{NETWORKING}/subnet:Subnet": Probed(
        "subnet", ("name", "cidr", "dnsNameservers", "enableDhcp", "ipv6RaMode", "ipv6AddressMode")
    ),
    f"{NETWORKING}/router:Router": Probed(
        "router",
        ("name", "adminStateUp", "externalNetworkId", "enableSnat", "externalFixedIps", "tags"),
    ),
    f"{NETWORKING}/routerInterface:RouterInterface": Probed("port"),
    f"{NETWORKING}/port:Port": Probed(
        "port", ("name", "adminStateUp", "securityGroupIds", "portSecurityEnabled", "tags")
    ),
    f"{NETWORKING}/secGroup:SecGroup": Probed("security_group", ("name", "tags")),
    f"{NETWORKING}/secGroupRule:SecGroupRule": Probed("rule"),
    "openstack:objectstorage/container:Container": Probed(
        "container", ("containerSyncTo", SYNC_KEY, "containerRead", "containerWrite", "metadata")
    ),
}
# Of these, that nothing is declared is a declaration: nobody may read, nothing is synced
EMPTY_COUNTS = ("containerSyncTo", SYNC_KEY, "containerRead", "containerWrite")


class DeclaredError(Exception):
    """What the stacks hold cannot be read: names the file or the stack and what is wrong."""


@dataclass(frozen=True)
class Held:
    """A resource that a stack holds; `system` is "" where it is of no landing zone."""

    region: str
    type: str
    name: str
    urn: str
    id: str
    system: str
    inputs: dict[str, Any]

    @property
    def resource(self) -> str:
        return resource(self.type, self.name)

    @property
    def project_id(self) -> str:
        """Return the project that a quota is of."""
        return str(self.inputs.get("projectId") or self.id.partition("/")[0])


def resource(kind: str, name: str) -> str:
    """Return what people call a resource: the last word of its type, and its name."""
    return f"{kind.rpartition(':')[2]} {name}"


@dataclass
class Declared:
    """What the stacks of a city hold, and when that was read from their states.

    `others` are the ids of what other stacks beside them hold: those of another city.
    """

    city: str
    at: float
    held: list[Held] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def systems(self, region: str) -> set[str]:
        return {h.system for h in self.held if h.region == region and h.system}

    def project(self, system: str) -> str:
        """Return the name of a system's project."""
        return f"{self.city}-{system}"

    def write(self, path: Path) -> None:
        """Write it where the exporter finds it: whole or not at all, for its owner alone."""
        data = {"version": VERSION, "city": self.city, "at": self.at, "others": self.others}
        rows = [vars(h) for h in self.held]
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            # dumps, for dump goes through thousands of rows in Python
            file.write(json.dumps({**data, "held": rows}, ensure_ascii=False, sort_keys=True))
        fresh.replace(path)


def path_of(home: Home, city: City) -> Path:
    """Return the file that `remember` writes."""
    return home.folder / f"{city.settings.id}.declared.json"


def read(path: Path) -> Declared:
    """Return what was written. Raises DeclaredError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeclaredError(
            f"{path}: no such file, expected what the stacks hold: `gaoling cloud up` and "
            "`gaoling cloud drift` write it"
        ) from None
    except (OSError, ValueError) as error:
        raise DeclaredError(f"{path}: {error}, expected what the stacks hold") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise DeclaredError(f"{path}: expected version {VERSION} of what the stacks hold")
    rows = [Held(**row) for row in data["held"]]
    return Declared(data["city"], data["at"], rows, data["others"])


def remember(home: Home, city: City) -> Declared:
    """Read the states of all stacks of a city and write what they hold; return it.

    Raises DeclaredError.
    """
    secret = home.sync_secret.read_text(encoding="utf-8") if home.sync_secret.exists() else ""
    found = Declared(city.settings.id, time.time())
    mine = stacks(city, held=home.held())
    for stack in mine:
        rows = resources(home, stack.name)
        found.held += held(city.settings.id, stack.region, rows, secret)
    beside = {path.stem for path in _folder(home).glob("*.json")} - {s.name for s in mine}
    for name in sorted(beside):
        found.others += [row["id"] for row in resources(home, name) if row.get("id")]
    if home.folder.exists():  # where no stack was ever run there is nothing to write, nor a place
        found.write(path_of(home, city))
    return found


def _folder(home: Home) -> Path:
    return home.backend / ".pulumi" / "stacks" / PROJECT


def resources(home: Home, stack: str) -> Sequence[Mapping[str, Any]]:
    """Return the resources of a stack's state; none where it has never been run.

    A file backend's state is read as it lies there: the CLI takes a second a stack for the same.
    Raises DeclaredError.
    """
    path = _folder(home) / f"{stack}.json"
    try:
        if path.exists():
            latest = json.loads(path.read_text(encoding="utf-8"))["checkpoint"].get("latest")
        elif _file_backend(home):
            return []
        else:
            latest = _exported(home, stack)["deployment"]
        return (latest or {}).get("resources") or []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeclaredError(
            f"{path}: {type(error).__name__}: {error}, expected the state of a stack"
        ) from None


def _file_backend(home: Home) -> bool:
    return home.variables()["PULUMI_BACKEND_URL"].startswith("file:")


def _exported(home: Home, stack: str) -> dict[str, Any]:
    done = subprocess.run(
        ["pulumi", "stack", "export", "--stack", stack, "--non-interactive"],
        cwd=home.stacks,
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "no stack named" in done.stderr:
        return {"deployment": None}
    if done.returncode:
        raise DeclaredError(f"pulumi stack export {stack}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def held(city: str, region: str, rows: Iterable[Mapping[str, Any]], sync_secret: str) -> list[Held]:
    """Return what is probed of a state's resources.

    `sync_secret` is where the keys of container pairs come from: a state has them encrypted. What
    is kept of a key is its digest.
    """
    rows = [row for row in rows if not row.get("delete") and not row.get("external")]
    parent = {row["urn"]: row.get("parent", "") for row in rows}
    found = []
    for row in rows:
        kind = PROBED.get(row["type"])
        if kind is None or not row.get("id"):
            continue
        name = row["urn"].rpartition("::")[2]
        given = row.get("inputs") or {}
        inputs = {
            key: value for key, value in given.items()
            if key in kind.fields or key in ("projectId", "name")
            or (kind.quota and isinstance(value, int | float))
        }  # fmt: skip
        system = _system(row["urn"], parent)
        if SYNC_KEY in given:
            key = syncpair.key(sync_secret, f"{city}-{system}", str(given.get("name", name)))
            inputs[SYNC_KEY] = syncpair.digest(key) if sync_secret else None  # not known
        found.append(Held(region, row["type"], name, row["urn"], row["id"], system, inputs))
    return found


def _system(urn: str, parent: Mapping[str, str]) -> str:
    """Return the system whose landing zone a resource hangs under."""
    while urn:
        kinds, _, name = urn.rpartition("::")
        if kinds.rpartition("::")[2].endswith(ZONE):
            return name
        urn = parent.get(urn, "")
    return ""
