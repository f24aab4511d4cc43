"""Models of the register. Field titles are the Chinese column headers that people see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gaoling.city.values import Code, Date, MlpsClass, Text, YesNo

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Row(BaseModel):
    """A row of a table, or a small nested thing: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Level(StrEnum):
    """层级 of the extranet."""

    CITY = "city"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"


class Role(StrEnum):
    """What a device does in the extranet."""

    CORE = "core"
    AGGREGATION = "aggregation"
    BORDER = "border"
    LEAF = "leaf"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    PEER = "peer"  # the provincial extranet's router: not ours to change
    VANTAGE = "vantage"  # a host from which probes are sent


class Department(Row):
    """部门: owner of systems, and a site of the city level."""

    id: Id = Field(title="部门标识")
    name: Name = Field(title="部门名称")


class System(Row):
    """政务系统: a row of the register."""

    id: Id = Field(title="系统标识")
    name: Name = Field(title="系统名称")
    department: Id = Field(title="主管部门")
    tier: Literal["municipal", "provincial", "provincial_branch"] = Field(title="建设层级")
    zone: Literal["internet", "public", "dedicated"] = Field(title="网络区域")
    classified: YesNo = Field(title="是否涉密")
    mlps: MlpsClass = Field(title="等保级别")
    state: Literal["planned", "building", "live", "retired"] = Field(title="状态")
    migration: Literal["planned", "migrating", "on_cloud", "off"] = Field(title="上云状态")
    carries: Text = Field(title="承载数据")
    section: Text = Field(title="规划章节")
    deadline: Date = Field(title="完成期限")
    deadline_of: Text = Field(title="期限所指")
    servers: int = Field(ge=0, le=64, title="服务器数")
    vcpus: int = Field(ge=0, le=256, title="单机核数")
    memory_gb: int = Field(ge=0, le=2048, title="单机内存GB")
    volume_gb: int = Field(ge=0, le=65536, title="数据盘GB")
    objects: YesNo = Field(title="对象存储")
    port: int = Field(ge=0, le=65535, title="服务端口")
    recovery: Id = Field(title="灾备策略")

    @property
    def counted(self) -> bool:
        """Whether it is in the denominator of 上云率 (design, section 4)."""
        return (
            self.tier in ("municipal", "provincial_branch")
            and not self.classified
            and self.state in ("building", "live")
        )

    @property
    def has_landing_zone(self) -> bool:
        """Whether the cloud holds it: moving or moved, not planned, not classified.

        A retired system keeps its landing zone: its data goes when somebody says so by name.
        """
        return (
            self.migration in ("migrating", "on_cloud")
            and self.state != "planned"
            and not self.classified
        )


class Site(Row):
    """接入点/单位: a place that must be attached to the extranet.

    `device` and `interface` say where its LAN hangs (empty: not attached); `ipv4` is the gateway's
    address on that LAN with its prefix length, as it exists today.
    """

    code: Code = Field(title="代码")
    name: Name = Field(title="名称")
    level: Level = Field(title="层级")
    kind: Literal[
        "department", "facility", "county", "subdistrict", "town", "township", "unit", "village"
    ] = Field(title="类别")
    parent: Text = Field(title="上级代码")
    device: Text = Field(title="接入设备")
    interface: Text = Field(title="接入接口")
    ipv4: IPv4Interface | None = Field(title="IPv4网关")
    exempt_reason: Text = Field(title="豁免理由")
    exempt_until: Date = Field(title="豁免到期")

    @property
    def counted(self) -> bool:
        """Whether it is in a denominator: facilities carry the network, they are not attached."""
        return self.kind != "facility"

    def exempt(self, today: dt.date) -> bool:
        """Whether it is exempt on that day: an exemption has a reason and an end."""
        return bool(self.exempt_reason and self.exempt_until and today <= self.exempt_until)


class Device(Row):
    """设备: what carries the extranet, or looks at it (role vantage)."""

    name: Id = Field(title="设备名")
    role: Role = Field(title="角色")
    platform: Literal[
        "frr",
        "linux",
        "huawei_vrp",
        "huawei_vrpv8",
        "h3c_comware",
        "cisco_xe",
        "ruijie_os",
        "zte_zxros",
    ] = Field(title="平台")
    site: Code = Field(title="所在站点")
    management: IPv4Address = Field(title="管理地址")

    @property
    def routes(self) -> bool:
        return self.role is not Role.VANTAGE


class Link(Row):
    """链路: two ends and the IPv4 addresses that it has today.

    `protocol` says what runs over it: `ospf` in `area`, `static` (a village behind its township),
    `ebgp` (the province).
    """

    a_device: Id = Field(title="甲端设备")
    a_interface: Name = Field(title="甲端接口")
    b_device: Id = Field(title="乙端设备")
    b_interface: Name = Field(title="乙端接口")
    a_ipv4: IPv4Interface = Field(title="甲端IPv4")
    b_ipv4: IPv4Interface = Field(title="乙端IPv4")
    protocol: Literal["ospf", "static", "ebgp"] = Field(title="协议")
    area: int = Field(ge=0, le=4294967295, title="OSPF区域")

    @property
    def id(self) -> str:
        return f"{self.a_device}:{self.a_interface}"

    def end(self, device: str) -> tuple[str, IPv4Interface] | None:
        """Return interface and address of that device's end; None when it has no end here."""
        if device == self.a_device:
            return self.a_interface, self.a_ipv4
        if device == self.b_device:
            return self.b_interface, self.b_ipv4
        return None

    def other(self, device: str) -> str:
        return self.b_device if device == self.a_device else self.a_device


class Target(Row):
    """目标: a figure or a completion of the plan, with its deadline."""

    id: Id = Field(title="目标标识")
    name: Name = Field(title="目标名称")
    kind: Literal["ratio", "count", "completion"] = Field(title="类型")
    value: float | None = Field(title="目标值")
    unit: Text = Field(title="单位")
    deadline: Date = Field(title="完成期限")
    deadline_basis: Literal["stated", "plan_end_assumed"] = Field(title="期限依据")
    section: Text = Field(title="规划章节")
    measured: Literal["observed", "reported", "proxy"] = Field(title="度量方式")
    note: Text = Field(title="备注")

    @property
    def ratio(self) -> float | None:
        """The target as a ratio, 0 to 1; None for counts and completions."""
        return self.value / 100 if self.kind == "ratio" and self.value is not None else None


class RecoveryPolicy(Row):
    """灾备策略: what must be copied where and how often."""

    id: Id = Field(title="策略标识")
    name: Name = Field(title="策略名称")
    region: Id | None = Field(default=None, title="备区域")
    objects: Literal["none", "sync"] = Field(default="none", title="对象存储")
    standby: Literal["none", "network", "servers"] = Field(default="none", title="备用资源")
    rpo_seconds: int | None = Field(default=None, ge=0, title="RPO秒")
    rto_seconds: int | None = Field(default=None, ge=0, title="RTO秒")


class Region(Row):
    """A region of the cloud and where it meets the extranet."""

    name: Id
    title: Name
    leaf: Id
    leaf_interface: Name
    mlps: MlpsClass
    provider_ipv4: IPv4Network
    tenants_ipv4: IPv4Network


class Settings(Row):
    """`city.yaml`: what is said once of the whole city."""

    id: Id
    name: Name
    code: Code
    ipv6_prefix: IPv6Network
    # a profile of gaoling/addressing/profiles, or a .yaml file in this folder
    address_profile: str = "city"
    domain: str = ""  # under which names in zone files are; empty: <id>.example (RFC 2606)
    asn: int = Field(ge=1, le=4294967295)
    province_asn: int = Field(ge=1, le=4294967295)
    ipv4_aggregate: IPv4Network
    plan_years: tuple[int, int]
    regions: tuple[Region, ...]
    recovery_policies: tuple[RecoveryPolicy, ...]


class City(Row):
    """The whole register, checked: every reference in it holds."""

    directory: Path
    settings: Settings
    departments: tuple[Department, ...]
    systems: tuple[System, ...]
    sites: tuple[Site, ...]
    devices: tuple[Device, ...]
    links: tuple[Link, ...]
    targets: tuple[Target, ...]
    # basis of each column or cell: (table, id or "", field) -> "stated" | "assumed" | "confirmed"
    provenance: dict[tuple[str, str, str], str]

    @cached_property
    def system(self) -> dict[str, System]:
        return {s.id: s for s in self.systems}

    @cached_property
    def department(self) -> dict[str, Department]:
        return {d.id: d for d in self.departments}

    @cached_property
    def site(self) -> dict[str, Site]:
        return {s.code: s for s in self.sites}

    @cached_property
    def device(self) -> dict[str, Device]:
        return {d.name: d for d in self.devices}

    @cached_property
    def region(self) -> dict[str, Region]:
        return {r.name: r for r in self.settings.regions}

    @cached_property
    def recovery_policy(self) -> dict[str, RecoveryPolicy]:
        return {p.id: p for p in self.settings.recovery_policies}

    @cached_property
    def _links_of(self) -> dict[str, list[Link]]:
        found: dict[str, list[Link]] = {}
        for link in self.links:
            found.setdefault(link.a_device, []).append(link)
            found.setdefault(link.b_device, []).append(link)
        return found

    def links_of(self, device: str) -> list[Link]:
        """Return the links with an end on that device, in file order."""
        return self._links_of.get(device, [])

    @cached_property
    def _sites_on(self) -> dict[str, list[Site]]:
        found: dict[str, list[Site]] = {}
        for site in self.sites:
            if site.device:
                found.setdefault(site.device, []).append(site)
        return found

    def sites_on(self, device: str) -> list[Site]:
        """Return the sites whose LAN hangs on that device, in file order."""
        return self._sites_on.get(device, [])

    def county_of(self, site: Site) -> str:
        """Return the code of the county a site lies in; "" for the city level."""
        while site.level not in (Level.COUNTY, Level.CITY) and site.parent in self.site:
            site = self.site[site.parent]
        return site.code if site.level is Level.COUNTY else ""

    def basis(self, table: str, identity: str, field: str) -> str:
        """Return stated, assumed or confirmed for a cell (assumed unless somebody said more)."""
        cell = self.provenance.get((table, identity, field))
        return cell or self.provenance.get((table, "", field), "assumed")

    def with_systems(self, systems: Iterable[System]) -> City:
        """Return the same city with other systems: for selections, not for edits."""
        return self.model_copy(update={"systems": tuple(systems)})
