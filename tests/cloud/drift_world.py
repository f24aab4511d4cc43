"""A cloud of one system in two regions, as openstacksdk shows it, and the states that made it.

Ids, inputs and headers have the form that the lab's services and Pulumi's file backend really have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace as Thing
from typing import Any

from exporters.drift import Drift
from gaoling.city import read_city
from gaoling.cloud import syncpair
from gaoling.cloud.drift import Report
from gaoling.cloud.drift_compare import compare
from gaoling.cloud.drift_declared import Declared, held
from gaoling.cloud.drift_observed import look

ROOT = Path(__file__).resolve().parents[2]
LAB = read_city(ROOT / "inventories/lab")
CITY = LAB.with_systems([s for s in LAB.systems if s.id == "health"])
SECRET = "a secret of the tests"
KEY = syncpair.key(SECRET, "lab-health", "health-objects")
PROJECT = "p-health"
TAGS = ["department=health-commission", "gaoling", "system=health"]
ZONE = "gaoling:cloud:LandingZone"


def state(region: str) -> list[dict[str, Any]]:
    """Return the resources of a state as `pulumi stack export` shows them."""
    zone = f"urn:pulumi:lab-{region}-0::gaoling::{ZONE}::health"
    part = f"urn:pulumi:lab-{region}-0::gaoling::{ZONE}$gaoling:cloud:Network::health"
    rows = [
        {"urn": zone, "type": ZONE, "custom": False},
        {"urn": part, "type": "gaoling:cloud:Network", "custom": False, "parent": zone},
    ]

    def add(kind: str, name: str, identity: str, parent: str = zone, /, **inputs: Any) -> None:
        above = parent.split("::")[2]
        urn = f"urn:pulumi:lab-{region}-0::gaoling::{above}${kind}::{name}"
        given = {"__defaults": [], **inputs}
        rows.append({"urn": urn, "type": kind, "custom": True, "id": identity, "parent": parent,
                     "inputs": given})  # fmt: skip

    if region == "primary":
        add("openstack:identity/project:Project", "health", PROJECT, name="lab-health",
            description="市卫生健康便民惠民平台", tags=[*TAGS, "zone=public"])  # fmt: skip
        add("openstack:compute/instance:Instance", "health-1", "vm", name="health-1",
            metadata={"gaoling_system": "health"}, userData="#!/bin/sh")  # fmt: skip
        add("openstack:blockstorage/volume:Volume", "health-data-1", "vol", name="health-data-1",
            size=1, metadata={"gaoling_system": "health"})  # fmt: skip
        add("openstack:compute/volumeAttach:VolumeAttach", "health-data-1", "vm/vol")
        add("openstack:networking/port:Port", "health-1", "port", name="health-1",
            adminStateUp=True, securityGroupIds=["group"], tags=TAGS)  # fmt: skip
    add("openstack:compute/quotaSetV2:QuotaSetV2", "health", f"{PROJECT}/RegionOne",
        projectId=PROJECT, instances=2, serverGroups=2)  # fmt: skip
    add("openstack:networking/quotaV2:QuotaV2", "health", f"{PROJECT}/RegionOne",
        projectId=PROJECT, port=12, securityGroupRule=50)  # fmt: skip
    add("openstack:blockstorage/quoteSetV3:QuoteSetV3", "health", f"{PROJECT}/RegionOne",
        projectId=PROJECT, perVolumeGigabytes=1, gigabytes=2)  # fmt: skip
    net = "openstack:networking"
    add(f"{net}/network:Network", "health", "net", part, name="health", adminStateUp=True,
        tags=TAGS)  # fmt: skip
    add(f"{net}/subnet:Subnet", "health-ipv4", "sub4", part, name="health-ipv4",
        cidr="10.64.3.0/24", enableDhcp=True, dnsNameservers=[])  # fmt: skip
    add(f"{net}/router:Router", "health", "router", part, name="health", adminStateUp=True,
        enableSnat=False, externalNetworkId="extranet", tags=TAGS,
        externalFixedIps=[{"ipAddress": "198.51.100.12", "subnetId": "s4"},
                          {"ipAddress": "2001:db8:0:1::c", "subnetId": "s6"}])  # fmt: skip
    add(f"{net}/routerInterface:RouterInterface", "health-ipv4", "leg", part, routerId="router")
    add(f"{net}/secGroup:SecGroup", "health", "group", part, name="health", tags=TAGS)
    add(f"{net}/secGroupRule:SecGroupRule", "health-service-ipv4", "rule", part,
        direction="ingress")  # fmt: skip
    encrypted = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
                 "ciphertext": "v1:abc"}  # fmt: skip
    container = {"name": "health-objects", "metadata": {"gaoling-system": "health"}}
    if region == "primary":
        container["containerSyncTo"] = syncpair.target("gaoling", "dr", PROJECT, "health-objects")
        container["containerRead"] = "p-audit:*,p-other:*"
    add("openstack:objectstorage/container:Container", "health", "health-objects", part,
        containerSyncKey=encrypted, **container)  # fmt: skip
    return rows


def neutron(identity: str, name: str, tags: list[str] | None = None, **more: Any) -> Thing:
    return Thing(id=identity, name=name, project_id=PROJECT, tags=tags or [], **more)


def port(identity: str, name: str, owner: str, device: str, tags: Any = None, **more: Any) -> Thing:
    about = {"is_admin_state_up": True, "security_group_ids": ["group"],
             "is_port_security_enabled": True, "network_id": "net", **more}  # fmt: skip
    return neutron(identity, name, tags, device_owner=owner, device_id=device, **about)


def rule(identity: str, group: str = "group", direction: str = "ingress", **more: Any) -> Thing:
    about = {"ether_type": "IPv4", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80,
             "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": None, **more}  # fmt: skip
    return Thing(id=identity, project_id=PROJECT, security_group_id=group, direction=direction,
                 **about)  # fmt: skip


def volume(
    identity: str, name: str, project: str = PROJECT, servers: Any = (), **meta: str
) -> Thing:
    return Thing(id=identity, name=name, project_id=project, size=1, metadata=meta,
                 attachments=[{"server_id": s} for s in servers])  # fmt: skip


def server(identity: str, name: str, project: str = PROJECT, **meta: str) -> Thing:
    return Thing(id=identity, name=name, project_id=project, metadata=meta)


@dataclass
class Answer:
    body: Any = None
    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return self.body


class Region:
    """What openstacksdk's connection offers to a probe; lists can be changed, services broken."""

    def __init__(self, region: str) -> None:
        first = region == "primary"
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.projects = [
            Thing(id=PROJECT, name="lab-health", tags=["zone=public", *TAGS],
                  description="市卫生健康便民惠民平台", is_enabled=True),
            Thing(id="p-scratch", name="scratch-zz", tags=["gaoling", "system=zz"], description="",
                  is_enabled=True),
        ]  # fmt: skip
        self.servers = [server("vm", "health-1", gaoling_system="health")] if first else []
        self.volumes = [
            volume("vol", "health-data-1", servers=["vm"], gaoling_system="health", readonly="no")
        ] if first else []  # fmt: skip
        self.networks = [
            neutron("net", "health", TAGS, is_admin_state_up=True, is_shared=False,
                    is_router_external=False)
        ]  # fmt: skip
        self.subnets = [
            neutron("sub4", "health-ipv4", network_id="net", cidr="10.64.3.0/24",
                    dns_nameservers=[], is_dhcp_enabled=True, ipv6_ra_mode=None,
                    ipv6_address_mode=None)
        ]  # fmt: skip
        outside = {"network_id": "extranet", "enable_snat": False, "external_fixed_ips": [
            {"ip_address": "2001:db8:0:1::c"}, {"ip_address": "198.51.100.12"}]}  # fmt: skip
        self.routers = [
            neutron("router", "health", TAGS, is_admin_state_up=True,
                    external_gateway_info=outside)
        ]  # fmt: skip
        self.ports = [
            port("leg", "", "network:router_interface", "router", security_group_ids=[]),
            port("dhcp", "", "network:dhcp", "dhcp-agent", security_group_ids=[]),
        ]
        if first:
            self.ports.append(port("port", "health-1", "compute:nova", "vm", TAGS))
        self.floating: list[Thing] = []
        self.groups = [neutron("group", "health", TAGS), neutron("default-group", "default")]
        self.rules = [
            rule("rule"),
            rule("own-1", "default-group", "egress", protocol=None, remote_ip_prefix=None),
            rule("own-2", "default-group", remote_ip_prefix=None, remote_group_id="default-group"),
        ]
        self.quotas = {
            "compute": {PROJECT: {"instances": 2, "cores": 2, "server_groups": 2}},
            "volume": {PROJECT: {"per_volume_gigabytes": 1, "gigabytes": 2, "volumes": 2}},
            "network": [{"project_id": PROJECT, "port": 12, "security_group_rule": 50}],
        }
        headers = {"X-Container-Meta-Gaoling-System": "health", "X-Container-Sync-Key": KEY}
        if first:
            headers["X-Container-Sync-To"] = f"//gaoling/dr/AUTH_{PROJECT}/health-objects"
            headers["X-Container-Read"] = "p-other:*, p-audit:*"
        self.containers = {"health-objects": headers}
        self.config = Thing(get_region_name=lambda service: region)
        self.session = Thing(
            auth=Thing(auth_url="http://identity/v3"), get_token=self._token, request=self._swift
        )
        self.identity = Thing(projects=lambda tags: self._list("project", self.projects))
        self.compute = Thing(
            servers=lambda **_: self._list("server", self.servers),
            server_groups=lambda **_: self._list("server_group", []),
            get=lambda path: self._quota("compute", path),
        )
        self.block_storage = Thing(
            volumes=lambda **_: self._list("volume", self.volumes),
            get=lambda path: self._quota("volume", path),
        )
        self.network = Thing(
            networks=lambda: self._list("network", self.networks),
            subnets=lambda: self._list("subnet", self.subnets),
            routers=lambda: self._list("router", self.routers),
            ports=lambda: self._list("port", self.ports),
            ips=lambda: self._list("floating_ip", self.floating),
            security_groups=lambda: self._list("group", self.groups),
            security_group_rules=lambda: self._list("rule", self.rules),
            get=self._network_quotas,
        )

    def _list(self, kind: str, rows: list[Thing]) -> list[Thing]:
        self.calls.append(kind)
        if kind in self.broken or "all" in self.broken:
            raise ConnectionError(f"{kind}: no answer")
        return list(rows)

    def _token(self) -> str:
        self._list("token", [])
        return "a token"

    def _quota(self, service: str, path: str) -> Answer:
        self._list(f"{service}_quota", [])
        return Answer({"quota_set": self.quotas[service][path.rpartition("/")[2]]})

    def _network_quotas(self, path: str) -> Answer:
        self._list("network_quota", [])
        return Answer({"quotas": self.quotas["network"]})

    def _swift(self, path: str, method: str, auth: Any, **_: Any) -> Answer:
        self._list("container", [])
        assert auth.project_id == PROJECT, "another city's account was asked"
        if method == "GET":
            after = path.partition("marker=")[2]
            return Answer([{"name": n} for n in sorted(self.containers) if n > after])
        return Answer(headers=self.containers[path.strip("/")])


class World:
    """Two regions as they should be, and what the stacks hold of them."""

    def __init__(self) -> None:
        self.city = CITY
        self.primary, self.dr = Region("primary"), Region("dr")
        self.declared = Declared("lab", 1_795_000_000.0)
        for name in ("primary", "dr"):
            self.declared.held += held("lab", name, state(name), SECRET)

    def look(self, region: str) -> Any:
        return look(lambda: getattr(self, region), region, "lab")

    def report(self, *regions: str) -> Report:
        seen = {r: self.look(r) for r in regions or ("primary", "dr")}
        return compare(self.city, self.declared, seen)

    def collector(self) -> Drift:
        return Drift(lambda region, city: self.look(region), lambda: self.declared)

    def found(self) -> list[tuple[str, ...]]:
        """Return what was found in both regions, short."""
        return [
            (f.kind, f.region, f.system, f.resource, f.field, f.declared, f.observed)
            for f in self.report().findings
        ]


def write_state(backend: Path, region: str) -> Path:
    """Write a state where Pulumi's file backend keeps it; return its file."""
    path = backend / ".pulumi/stacks/gaoling" / f"lab-{region}-0.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"version": 3, "checkpoint": {"latest": {"resources": state(region)}}}
    path.write_text(json.dumps(content, ensure_ascii=False))
    return path
