"""Models of the register. Field titles are the Chinese column headers that people see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from gaoling.city.row import Id, Name, Row
from gaoling.city.settings import Capacity, Provider, RecoveryPolicy, Region, Settings
from gaoling.city.values import Code, Date, MlpsClass, Number, Text, YesNo

__all__ = [
    "Capacity", "City", "Confirmation", "Department", "Device", "Id", "Level", "Link", "Name",
    "Provider", "RecoveryPolicy", "Region", "Role", "Row", "Settings", "Site", "System", "Target",
]  # fmt: skip


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
    department: Id = Field(title="主管部门", description="a department of departments.csv")
    tier: Literal["municipal", "provincial", "provincial_branch"] = Field(
        title="建设层级", description="provincial ones are listed, not counted"
    )
    zone: Literal["internet", "public", "dedicated"] = Field(
        title="网络区域", description="which network of the extranet it is in"
    )
    classified: YesNo = Field(title="是否涉密")
    mlps: MlpsClass = Field(
        title="等保级别", description="1 to 5; 三级, 第三级 and 3 are one value"
    )
    state: Literal["planned", "building", "live", "retired"] = Field(
        title="状态", description="retired ones keep their data until somebody says so by name"
    )
    migration: Literal["planned", "migrating", "on_cloud", "off"] = Field(
        title="上云状态", description="whether the cloud holds it"
    )
    carries: Text = Field(title="承载数据")
    section: Text = Field(title="规划章节", description="where the plan names it")
    deadline: Date = Field(
        title="完成期限", description="a day, 2024年底 or 2024年6月: the end of that day"
    )
    deadline_of: Text = Field(title="期限所指", description="what the date belongs to")
    servers: int = Field(ge=0, le=64, title="服务器数")
    vcpus: int = Field(ge=0, le=256, title="单机核数")
    memory_gb: int = Field(ge=0, le=2048, title="单机内存GB")
    volume_gb: int = Field(ge=0, le=65536, title="数据盘GB", description="of each server")
    objects: YesNo = Field(title="对象存储", description="whether it needs object storage")
    port: int = Field(
        ge=0, le=65535, title="服务端口", description="the TCP port of its own endpoint"
    )
    recovery: Id = Field(title="灾备策略", description="a recovery policy of city.yaml")

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

    code: Code = Field(title="代码", description="administrative code as text, or an ASCII id")
    name: Name = Field(title="名称")
    level: Level = Field(title="层级")
    kind: Literal[
        "department", "facility", "county", "subdistrict", "town", "township", "unit", "village"
    ] = Field(title="类别", description="unit: not an administrative division")
    parent: Text = Field(title="上级代码", description="the code of what it lies in")
    device: Text = Field(title="接入设备", description="where its LAN hangs; empty: not attached")
    interface: Text = Field(title="接入接口", description="the interface there")
    ipv4: IPv4Interface | None = Field(
        title="IPv4网关", description="the gateway's address with prefix length, as it exists"
    )
    exempt_reason: Text = Field(title="豁免理由", description="why it is not counted")
    exempt_until: Date = Field(title="豁免到期", description="until when; a reason needs an end")

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
    role: Role = Field(title="角色", description="vantage: a host that probes")
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
    site: Code = Field(title="所在站点", description="a site of sites.csv")
    management: IPv4Address = Field(
        title="管理地址", description="the IPv4 address that we log in to"
    )

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
    protocol: Literal["ospf", "static", "ebgp"] = Field(
        title="协议", description="ospf in its area, static behind a township, ebgp to the province"
    )
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
    value: Number | None = Field(title="目标值", description="in the unit; empty for completions")
    unit: Text = Field(title="单位")
    deadline: Date = Field(title="完成期限")
    deadline_basis: Literal["stated", "plan_end_assumed"] = Field(
        title="期限依据", description="whether the plan gives the date"
    )
    section: Text = Field(title="规划章节")
    measured: Literal["observed", "reported", "proxy"] = Field(
        title="度量方式", description="by us, reported by others, or a proxy"
    )
    note: Text = Field(title="备注")

    @property
    def ratio(self) -> float | None:
        """The target as a ratio, 0 to 1; None for counts and completions."""
        return self.value / 100 if self.kind == "ratio" and self.value is not None else None


class Confirmation(Row):
    """确认: somebody said on a day that a cell's value is right."""

    table: Literal["departments", "systems", "sites", "devices", "links", "targets"] = Field(
        title="表"
    )
    id: Name = Field(title="行标识")
    field: Name = Field(title="字段")
    value: Text = Field(title="值")
    by: Name = Field(title="确认人")
    on: dt.date = Field(title="确认日期")


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
    # who confirmed a cell, where its value is still the one that was confirmed
    confirmations: dict[tuple[str, str, str], Confirmation] = Field(default_factory=dict)
    # confirmations that no longer hold: the value was edited since
    outdated: tuple[Confirmation, ...] = ()

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

    def confirmed(self, table: str, identity: str, field: str) -> Confirmation | None:
        """Return who confirmed a cell's present value; None when nobody did."""
        return self.confirmations.get((table, identity, field))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> City:
        """Return a copy; what was computed from the old tables is computed anew."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[name]
        return copy

    def with_systems(self, systems: Iterable[System]) -> City:
        """Return the same city with other systems: for selections, not for edits."""
        return self.model_copy(update={"systems": tuple(systems)})
