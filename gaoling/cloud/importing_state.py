"""What the provider does not read of what was imported, put into the state from the cloud itself.

`pulumi import` leaves a server in the state without its port, user_data and scheduler hints: the
provider has no way to read them. The program says all three, so that the next preview would replace
the server. Neutron and Nova do know them. What is filled in is only what is there: where the
server was started with other user_data than the program's, the preview says so, as it must.

A security group's `deleteDefaultRules` matters at its creation alone; without it in the state the
next preview would replace the group with all its rules.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gaoling.cloud.importing import ImportingError

INSTANCE = "openstack:compute/instance:Instance"
GROUP = "openstack:networking/secGroup:SecGroup"


@dataclass(frozen=True)
class Known:
    """What the cloud knows of a server: ports by MAC address, what it was started with."""

    ports: Mapping[str, str]
    user_data: bytes
    group: str


def known(cloud: Any, server: str) -> Known:
    """Return what the cloud knows of a server. Raises ImportingError."""
    try:
        ports = {p.mac_address: p.id for p in cloud.network.ports(device_id=server)}
        answer = cloud.compute.get(f"/servers/{server}", microversion="2.3")
        about = answer.json()["server"]
        groups = [g.id for g in cloud.compute.server_groups(all_projects=True)
                  if server in (g.member_ids or ())]  # fmt: skip
        text = about.get("OS-EXT-SRV-ATTR:user_data") or ""
        return Known(ports, base64.b64decode(text), groups[0] if groups else "")
    except Exception as error:  # the SDK, keystoneauth and requests each have their own
        line = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ImportingError(f"server {server}: {line}") from None


def complete(
    deployment: dict[str, Any], ask: Callable[[str], Known]
) -> tuple[dict[str, Any], list[str]]:
    """Return a stack's deployment with what is lacking, and the URNs of what was completed.

    Only servers whose state names no port are touched, and groups without that flag: those that
    were imported and nothing else.
    """
    done: list[str] = []
    resources = []
    for resource in deployment.get("deployment", {}).get("resources", ()):
        if resource.get("type") == INSTANCE and _lacks_ports(resource.get("outputs") or {}):
            resource = _server(resource, ask(resource["id"]))
            done.append(resource["urn"])
        elif resource.get("type") == GROUP and not resource["outputs"].get("deleteDefaultRules"):
            flag = {"deleteDefaultRules": True}
            resource = {**resource, "inputs": {**resource["inputs"], **flag},
                        "outputs": {**resource["outputs"], **flag}}  # fmt: skip
            done.append(resource["urn"])
        resources.append(resource)
    made = {**deployment, "deployment": {**deployment["deployment"], "resources": resources}}
    return made, done


def _lacks_ports(outputs: Mapping[str, Any]) -> bool:
    networks = outputs.get("networks") or ()
    return bool(networks) and not any(n.get("port") for n in networks)


def _server(resource: dict[str, Any], found: Known) -> dict[str, Any]:
    inputs, outputs = dict(resource["inputs"]), dict(resource["outputs"])
    networks = [{**n, "port": found.ports.get(n.get("mac", ""), "")} for n in outputs["networks"]]
    missing = [n.get("mac", "") for n in networks if not n["port"]]
    if missing:
        raise ImportingError(
            f"{resource['urn']}: found no port with MAC {', '.join(missing)}, expected one a "
            "network; nothing was changed"
        )
    outputs["networks"] = networks
    inputs["networks"] = [{"__defaults": [], "port": n["port"]} for n in networks]
    if found.user_data:
        # the provider keeps the hash alone, and what was typed by hand may hold a password
        outputs["userData"] = hashlib.sha1(found.user_data).hexdigest()  # noqa: S324
    if found.group:
        inputs["schedulerHints"] = [{"__defaults": [], "group": found.group}]
        outputs["schedulerHints"] = [
            {"additionalProperties": {}, "buildNearHostIp": "", "differentCells": [],
             "differentHosts": [], "group": found.group, "queries": [], "sameHosts": [],
             "targetCell": ""}
        ]  # fmt: skip
    return {**resource, "inputs": inputs, "outputs": outputs}
