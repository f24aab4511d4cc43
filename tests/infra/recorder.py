"""A recorder in place of Pulumi's engine: what a stack declares, as plain data.

The recorder returns after every registration has been made, so a test asserts on what really was
registered; a declaration that nobody awaited would leave it empty, and `declared` refuses that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from gaoling.city import read_city
from infra.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = {
    "provider_network": "net-provider",
    "provider_subnet_ipv4": "subnet-provider-4",
    "provider_subnet_ipv6": "subnet-provider-6",
    "pool": "pool-4",
    "image": "image-guest",
    "flavors": {"gaoling-1c1g": "flavor-1c1g"},
}
PROJECTS = {
    f"lab-{system.id}": f"{system.id}-id" for system in read_city(ROOT / "inventories/lab").systems
}


@dataclass(frozen=True)
class Resource:
    type: str
    name: str
    inputs: dict[str, Any]
    provider: str


@dataclass
class Recorder(pulumi.runtime.Mocks):
    platform: dict[str, Any] = field(default_factory=lambda: dict(PLATFORM))
    projects: dict[str, str] = field(default_factory=lambda: dict(PROJECTS))
    resources: list[Resource] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict]:
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {"name": args.name, "outputs": self.platform}
        self.resources.append(Resource(args.typ, args.name, args.inputs, args.provider or ""))
        if not args.typ.startswith(("openstack:", "pulumi:providers:")):
            return None, args.inputs
        extra: dict[str, Any] = {}
        if args.typ == "openstack:networking/port:Port":
            extra = {"allFixedIps": ["10.64.0.5", "2001:db8::5"]}
        if args.typ == "openstack:loadbalancer/loadBalancer:LoadBalancer":
            extra = {"vipAddress": "2001:db8::9" if args.name.endswith("6") else "10.64.0.9"}
        return f"{args.name}-id", {**args.inputs, **extra}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token == "openstack:identity/getAuthScope:getAuthScope":
            return {"id": "scope", "userId": "user-admin"}
        named = args.args.get("name", "found")
        for kind in ("Role", "Group", "User"):
            if args.token == f"openstack:identity/get{kind}:get{kind}":
                return {"id": f"{kind.lower()} {named}", "name": named}
        return {"id": "found", "name": "found"}

    def of(self, kind: str) -> list[Resource]:
        """Return the resources whose type ends so."""
        return [r for r in self.resources if r.type.endswith(kind)]

    def one(self, kind: str, name: str) -> Resource:
        (found,) = [r for r in self.of(kind) if r.name == name]
        return found


def shard(region: str = "primary", **more: Any) -> Settings:
    """Return the settings of the lab's only shard in a region."""
    given = {
        "city": "lab",
        "region": region,
        "stack": "0",
        "cloud": region,
        "sync_realm": "gaoling",
        "sync_secret": pulumi.Output.secret("a secret of the tests"),
        "anti_affinity": "soft-anti-affinity",
        "answer": True,
        **more,
    }
    return Settings(**given)


def platform(region: str = "primary", **more: Any) -> Settings:
    given = {
        "city": "lab",
        "region": region,
        "stack": "platform",
        "cloud": region,
        "image_file": "infra/images/guest.raw",
        **more,
    }
    return Settings(**given)
