"""`city.yaml`, landing: what landing zones and platforms get beyond what the tables say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

from pydantic import Field, model_validator

from gaoling.city.faults import Fault
from gaoling.city.row import Id, Name, Row
from gaoling.city.values import Date

Ipv6Mode = Literal["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]


class Auditor(Row):
    """Who may read every landing zone and change none: a group or a user that the cloud has."""

    kind: Literal["group", "user"] = Field(title="类型")
    name: Name = Field(title="名称")


class DataTier(Row):
    """数据层: the last servers of a system, which only its other servers may call."""

    servers: int = Field(ge=1, title="服务器数", description="the last so many of the system")
    port: int = Field(ge=1, le=65535, title="端口", description="of the database")


class Wish(Row):
    """What one system gets otherwise than the rest."""

    system: Id = Field(title="系统标识")
    ipv6_mode: Ipv6Mode | None = Field(default=None, title="IPv6地址方式")
    object_gb: int | None = Field(default=None, ge=1, title="对象存储配额GB")
    volume_type: Id | None = Field(default=None, title="云盘类型")
    data_tier: DataTier | None = Field(default=None, title="数据层")
    load_balancer: bool = Field(default=False, title="负载均衡")


class VolumeType(Row):
    """云盘类型: a kind of volume, and how many operations a second it may take."""

    name: Id = Field(title="名称")
    iops: int | None = Field(default=None, ge=1, title="每秒读写次数")
    encrypted: bool = Field(default=False, title="加密")
    made_by: Literal["stack", "cloud"] = Field(
        default="stack", title="创建方", description="cloud: its administrator made it"
    )

    @model_validator(mode="after")
    def _made(self) -> VolumeType:
        """Refuse what the provider cannot make: it knows no encryption, and no type of others."""
        if self.encrypted and self.made_by == "stack":
            raise ValueError(
                "made_by: cloud where encrypted: no Pulumi resource encrypts a volume type"
            )
        if self.iops and self.made_by == "cloud":
            raise ValueError("no iops where made_by is cloud: its administrator sets them")
        return self


class HostGroup(Row):
    """主机聚合: hosts of a region; with a zone they are an availability zone (可用区)."""

    region: Id = Field(title="云区域")
    name: Id = Field(title="名称")
    zone: Id | None = Field(default=None, title="可用区")
    hosts: tuple[Name, ...] = Field(title="主机")


class SharedServices(Row):
    """共享服务网: a network that all projects of a region may use, for DNS, time and mirrors."""

    region: Id = Field(title="云区域")
    ipv4: IPv4Network = Field(title="IPv4")
    ipv6: IPv6Network = Field(title="IPv6")


class Landing(Row):
    """云上落地区: what all landing zones get, and what a region's platform offers them."""

    credential_until: Date = Field(
        default=None,
        title="凭据有效期",
        description="of application credentials; a later day makes new ones",
    )
    auditor: Auditor | None = Field(default=None, title="审计员")
    ipv6_mode: Ipv6Mode = Field(default="slaac", title="IPv6地址方式")
    object_gb: int = Field(
        default=100, ge=1, title="对象存储配额GB", description="of a container; assumed"
    )
    volume_type: Id | None = Field(
        default=None, title="云盘类型", description="empty: the cloud's own default"
    )
    volume_types: tuple[VolumeType, ...] = Field(default=(), title="云盘类型表")
    host_groups: tuple[HostGroup, ...] = Field(default=(), title="主机聚合表")
    shared_services: tuple[SharedServices, ...] = Field(default=(), title="共享服务网表")
    baseline_group: bool = Field(
        default=False, title="基线安全组", description="one for all projects, with the ICMP of all"
    )
    names: Literal["zone-files", "designate"] = Field(
        default="zone-files", title="域名方式", description="designate: the cloud keeps the names"
    )
    systems: tuple[Wish, ...] = Field(default=(), title="系统要求")

    def wish(self, system: str) -> Wish:
        """Return what a system gets otherwise; an empty wish where it is not named."""
        found = [w for w in self.systems if w.system == system]
        return found[0] if found else Wish(system=system)


def faults(
    landing: Landing,
    servers: Mapping[str, int],
    regions: Mapping[str, Sequence[IPv4Network]],
    extranet: tuple[IPv4Network, IPv6Network],
) -> Iterator[Fault]:
    """Yield what contradicts the rest of the city: its systems, its regions, its prefixes.

    `servers` says how many each system has, `regions` which networks of each are taken.
    """
    types = [t.name for t in landing.volume_types]
    yield from _twice("volume_types", "name", types)
    yield from _twice("systems", "system", [w.system for w in landing.systems])
    yield from _twice("shared_services", "region", [s.region for s in landing.shared_services])
    yield from _twice("host_groups", "name", [f"{g.region}/{g.name}" for g in landing.host_groups])
    expected = "a name of landing.volume_types"
    if landing.volume_type and landing.volume_type not in types:
        yield _fault("volume_type", landing.volume_type, expected)
    for number, wish in enumerate(landing.systems):
        place = f"systems.{number}"
        if wish.system not in servers:
            yield _fault(f"{place}.system", wish.system, "a system of systems.csv")
            continue
        if wish.volume_type and wish.volume_type not in types:
            yield _fault(f"{place}.volume_type", wish.volume_type, expected)
        if wish.data_tier and wish.data_tier.servers >= servers[wish.system]:
            yield _fault(
                f"{place}.data_tier.servers",
                wish.data_tier.servers,
                f"fewer than the {servers[wish.system]} of {wish.system}: one at least serves",
            )
    for number, group in enumerate(landing.host_groups):
        if group.region not in regions:
            yield _fault(f"host_groups.{number}.region", group.region, "a region of city.yaml")
    for number, shared in enumerate(landing.shared_services):
        place = f"shared_services.{number}"
        if shared.region not in regions:
            yield _fault(f"{place}.region", shared.region, "a region of city.yaml")
        for family, network, within in (
            ("ipv4", shared.ipv4, extranet[0]),
            ("ipv6", shared.ipv6, extranet[1]),
        ):
            if not network.subnet_of(within):  # type: ignore[arg-type]
                yield _fault(f"{place}.{family}", str(network), f"a network in {within}")
        for region, taken in regions.items():
            for other in taken:
                if shared.ipv4.overlaps(other):
                    expected = f"a network of its own (region {region} has {other})"
                    yield _fault(f"{place}.ipv4", str(shared.ipv4), expected)


def _twice(table: str, key: str, values: Sequence[str]) -> Iterator[Fault]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield _fault(f"{table}.{number}.{key}", value, f"each {key} once")


def _fault(field: str, found: Any, expected: str) -> Fault:
    return Fault("city.yaml", 0, f"landing.{field}", "", repr(found), expected)
