"""Where Pulumi keeps what it knows of a city, and the environment in which it runs."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gaoling.city import City
from gaoling.cloud import access, states, toolchain
from gaoling.cloud.demand import project_name
from gaoling.cloud.shards import as_csv
from gaoling.cloud.stacks import PROJECT, ROOT, STACKS, Stack, mapping, shards_file

POLICY_PACK = ROOT / "infra" / "policy"
SYNC_SECRET = "gaoling:syncSecret"  # noqa: S105 (the name of a configuration key)


@dataclass(frozen=True)
class Home:
    """The folder `pulumi` of a state folder; `given` is the administrator's clouds.yaml.

    `elsewhere` is the URL of the state backend when it is not a folder of this one.
    """

    state: Path
    given: Path
    elsewhere: str = ""

    @property
    def folder(self) -> Path:
        return self.state / "pulumi"

    @property
    def url(self) -> str:
        """Return the URL of the state backend: GAOLING_PULUMI_BACKEND, the city's, else a folder.

        Raises states.StateError when it cannot be used.
        """
        if given := os.environ.get(states.VARIABLE):
            return states.checked_url(given, states.VARIABLE)
        if self.elsewhere:
            return states.checked_url(self.elsewhere, "backend")
        return f"file://{self.folder / 'state'}"

    @property
    def local(self) -> Path | None:
        """Return the folder of the state backend; None when it is not a folder."""
        kind, _, place = self.url.partition("://")
        return Path(place) if kind == "file" else None

    @property
    def backend(self) -> Path:
        """Return the folder that the file backend has when no other is named."""
        return self.local or self.folder / "state"

    @property
    def good(self) -> Path:
        """Return the folder with each stack's state after its last run that ended well."""
        return self.folder / "good"

    def marks(self, stack: str) -> Path:
        """Return the file that says what a run of a stack left open."""
        return self.folder / "open" / f"{stack}.json"

    @property
    def passphrase(self) -> Path:
        return self.folder / "passphrase"

    @property
    def sync_secret(self) -> Path:
        return self.folder / "sync-secret"

    @property
    def clouds(self) -> Path:
        """Return the clouds.yaml with an entry for every project."""
        return self.folder / "clouds.yaml"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def stacks(self) -> Path:
        """Return the folder of stack files: the CLI writes a salt into them."""
        return self.folder / "stacks"

    def held(self) -> set[str]:
        """Return the names of the stacks whose state holds something.

        Of a backend that is no folder, those that were ever run from here.
        """
        if folder := self.local:
            files = states.file_of(folder, "").parent.glob("*.json")
            return {path.stem for path in files if states.holds(path)}
        return {path.stem.removeprefix("Pulumi.") for path in self.stacks.glob("Pulumi.*.yaml")}

    def config_file(self, stack: str) -> Path:
        return self.stacks / f"Pulumi.{stack}.yaml"

    def make(self) -> Home:
        """Create the folders, the passphrase and the secret of the container pairs, once."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for folder in filter(None, (self.local, self.logs, self.stacks)):
            folder.mkdir(mode=0o700, exist_ok=True)
        for path in (self.passphrase, self.sync_secret):
            _once(path, secrets.token_urlsafe(32))
        # `pulumi stack init` writes beside a Pulumi.yaml: here, and not into the repository
        (self.stacks / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        return self

    def environment(self) -> dict[str, str]:
        """Return what a Pulumi run needs, without what is left of another cloud or backend.

        Raises toolchain.ToolchainError when a program is missing.
        """
        foreign = ("OS_", "PULUMI_")
        plain = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return plain | toolchain.environment(self.state) | self.variables()

    def variables(self) -> dict[str, str]:
        """Return the variables of this home alone: those of `gaoling lab env`."""
        return {
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            "PULUMI_BACKEND_URL": self.url,
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.passphrase),
            "PULUMI_OPTION_POLICY_PACK": str(POLICY_PACK),
        }

    def write_access(self, city: City, clouds: list[str]) -> None:
        """Write the clouds.yaml with an entry for every project. Raises access.AccessError."""
        wanted = {project_name(city, s) for s in city.systems if s.has_landing_zone}
        access.write_access(self.given, self.clouds, clouds, wanted)


def _once(path: Path, text: str) -> None:
    """Write a secret where there is none: to its owner alone, and never halfway."""
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def cloud_of(city: City, region: str) -> str:
    """Return the entry of clouds.yaml for a region: `clouds` in the city's file, else its name."""
    found = common(city).get("clouds", {}).get(region, region)
    return str(found)


def common(city: City) -> dict[str, Any]:
    """Return what all stacks of a city have in common: `infra/stacks/<city>.yaml`."""
    path = STACKS / f"{city.settings.id}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def backend_of(city: City) -> str:
    """Return the URL of a city's state backend, `backend` in its file; "" for a folder here."""
    return str(common(city).get("backend", ""))


def stack_config(city: City, stack: Stack) -> dict[str, Any]:
    """Return the configuration of a stack, without secrets."""
    inside = city.directory.resolve()
    known = inside.parent == ROOT / "inventories"
    found = {
        "gaoling:city": inside.name if known else str(inside),
        "gaoling:region": stack.region,
        "gaoling:stack": stack.part,
        "openstack:cloud": cloud_of(city, stack.region),
    }
    for name, value in common(city).get("config", {}).items():
        found[f"gaoling:{name}"] = value
    return found


def commit_stacks(city: City, found: list[Stack]) -> list[Path]:
    """Write the files of a city in `infra/stacks`: its shards and its stacks; return them.

    They hold no salt and no secret: whoever runs them adds both in a state folder.
    """
    shards = shards_file(city)
    shards.write_text(as_csv(mapping(city)), encoding="utf-8")
    written = [shards]
    for stack in found:
        path = STACKS / f"Pulumi.{stack.name}.yaml"
        text = yaml.safe_dump({"config": stack_config(city, stack)}, allow_unicode=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def write_config(path: Path, wanted: dict[str, Any]) -> None:
    """Write a stack file: `wanted`, and the salt and the secrets that it has already."""
    held: dict[str, Any] = {}
    if path.exists():
        held = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    config = held.get("config") or {}
    secret = {k: v for k, v in config.items() if isinstance(v, dict) and "secure" in v}
    fresh = {**{k: v for k, v in held.items() if k != "config"}, "config": {**wanted, **secret}}
    if fresh != held:
        text = yaml.safe_dump(json.loads(json.dumps(fresh)), allow_unicode=True, sort_keys=True)
        path.write_text(text, encoding="utf-8")
