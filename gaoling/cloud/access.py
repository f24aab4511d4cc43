"""Access to projects: a clouds.yaml with an entry for each of them.

Servers, volumes and containers land in the project that a provider is scoped to. The provider takes
a project either with a password beside it, which Pulumi would then keep in its state, or by the
name of an entry in clouds.yaml. So the entry `primary:lab-health` is made from the entry `primary`:
the same account, another project. The file lies in the state folder and nobody else can read it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

SOURCE = "gaoling-source"  # a key beside `clouds`, which other readers pass over
ENV = "OS_CLIENT_CONFIG_FILE"
# a hundred projects are a third of a second in Python, in the program of every stack
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
TAG = "gaoling"  # on every project of ours


class AccessError(Exception):
    """The cloud's credentials cannot be used: one line says which file and what is wrong."""


def entry(cloud: str, project: str) -> str:
    """Return the name of the entry for a project."""
    return f"{cloud}:{project}"


def read_clouds(path: Path) -> dict[str, Any]:
    """Return the content of a clouds.yaml. Raises AccessError."""
    try:
        found = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AccessError(
            f"{path}: no such file, expected the clouds.yaml of an administrator; "
            "start the lab (gaoling lab up cloud) or set GAOLING_ACCESS"
        ) from None
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}, expected a readable clouds.yaml") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        raise AccessError(f"{path}{line}: not YAML, expected a clouds.yaml") from None
    if not isinstance(found, dict) or not isinstance(found.get("clouds"), dict):
        raise AccessError(f"{path}: found no `clouds`, expected a clouds.yaml")
    return found


def _parsed(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  (safe, both of them)
    except yaml.YAMLError:
        return yaml.safe_load(text)  # it knows better than libyaml where the fault is


def write_access(source: Path, target: Path, clouds: Iterable[str], projects: set[str]) -> None:
    """Write `target` from `source`: its entries, and one for each of `projects` in each cloud.

    Entries that `target` has already are kept: a state may still name a project that the register
    has lost. Raises AccessError when `source` cannot be used or lacks one of `clouds`.
    """
    given = read_clouds(source)["clouds"]
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _known(target)
        made: dict[str, Any] = {}
        for cloud in clouds:
            if not isinstance(given.get(cloud), dict):
                found = ", ".join(given) or "nothing"
                raise AccessError(f"{source}: found {found}, expected an entry {cloud!r}")
            made[cloud] = given[cloud]
            for project in sorted(projects.union(name for _, name in known)):
                made[entry(cloud, project)] = _scoped(given[cloud], project)
        for cloud, project in known:  # of another region, which another run is at work on
            if isinstance(given.get(cloud), dict):
                made.setdefault(entry(cloud, project), _scoped(given[cloud], project))
        held = {SOURCE: str(source), "clouds": {**given, **made}}
        text = yaml.dump(held, Dumper=_DUMPER, sort_keys=True)
        if target.exists() and target.read_text(encoding="utf-8") == text:
            return
        fresh = target.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        fresh.replace(target)


def _known(path: Path) -> list[tuple[str, str]]:
    """Return (cloud, project) of the entries for projects that a file has; of none, nothing."""
    if not path.exists():
        return []
    pairs = (name.partition(":") for name in read_clouds(path)["clouds"])
    return [(cloud, project) for cloud, colon, project in pairs if colon]


def _scoped(cloud: dict[str, Any], project: str) -> dict[str, Any]:
    """Return an entry with the same account and another project."""
    auth = dict(cloud.get("auth", {}))
    for key in ("project_id", "tenant_id", "tenant_name", "domain_id", "domain_name"):
        auth.pop(key, None)
    if not any(key in auth for key in ("project_domain_id", "project_domain_name")):
        auth["project_domain_id"] = "default"
    return {**cloud, "auth": {**auth, "project_name": project}}


def projects(cloud: str, path: Path) -> dict[str, str]:
    """Return the ids of the cloud's projects that are ours, by name. Raises AccessError.

    It is also the shortest way to learn that the credentials work.
    """
    import openstack.config
    from keystoneauth1 import exceptions
    from openstack.exceptions import ConfigException

    read_clouds(path)
    try:
        config = openstack.config.OpenStackConfig(config_files=[str(path)], load_envvars=False)
        session = config.get_one(cloud=cloud).get_session()
        answer = session.get(
            "/projects",
            endpoint_filter={"service_type": "identity", "interface": "public", "version": "3"},
            params={"tags": TAG},
        )
        return {p["name"]: p["id"] for p in answer.json()["projects"]}
    except ConfigException as error:
        raise AccessError(f"{path}: {error}") from None
    except exceptions.Unauthorized:
        raise AccessError(
            f"{path}: the Identity service refused the credentials of {cloud!r} (401)"
        ) from None
    except exceptions.ClientException as error:
        line = str(error).partition("\n")[0]
        raise AccessError(f"{cloud}: the Identity service does not answer: {line}") from None


def ensure_access(cloud: str, projects: set[str]) -> None:
    """Make sure that the file of OS_CLIENT_CONFIG_FILE has an entry for every project.

    The program calls it before the first resource: a plain `pulumi up` after a row was added finds
    its project's entry. Raises AccessError when the file is not one of ours.
    """
    name = os.environ.get(ENV)
    hint = "`gaoling lab env` and `gaoling cloud env` print the right one"
    if not name:
        raise AccessError(f"{ENV}: not set; {hint}")
    path = Path(name)
    found = read_clouds(path)
    if all(entry(cloud, project) in found["clouds"] for project in projects):
        return
    if SOURCE not in found:
        raise AccessError(f"{path}: has no entries for projects; {hint}")
    write_access(Path(found[SOURCE]), path, [cloud], projects)
