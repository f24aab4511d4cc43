"""`city.yaml`: what is said once of the whole city, and the small nested things."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import Field

from gaoling.city.landing import Landing
from gaoling.city.row import Id, Name, Row
from gaoling.city.values import Code, Date, MlpsClass


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

    name: Id = Field(title="云区域")
    title: Name = Field(title="名称")
    leaf: Id = Field(title="出口设备")
    leaf_interface: Name = Field(title="出口接口")
    mlps: MlpsClass = Field(title="等保级别")
    provider_ipv4: IPv4Network = Field(title="租户接入网IPv4")
    tenants_ipv4: IPv4Network = Field(title="租户IPv4")


class Capacity(Row):
    """What a provider has for us in one region."""

    region: Id = Field(title="云区域")
    vcpus: int = Field(ge=0, title="核数")
    memory_gb: int = Field(ge=0, title="内存GB")
    volume_gb: int = Field(ge=0, title="云盘GB")


class Provider(Row):
    """资源提供方: who supplies the cloud, the lines or the equipment, and how much of the cloud."""

    id: Id = Field(title="提供方标识")
    name: Name = Field(title="提供方名称")
    kind: Literal["cloud", "circuit", "equipment"] = Field(title="类型")
    contract_until: Date = Field(default=None, title="合同到期")
    capacity: tuple[Capacity, ...] = Field(default=(), title="容量")


class Settings(Row):
    """`city.yaml`: what is said once of the whole city."""

    id: Id = Field(title="城市标识")
    name: Name = Field(title="城市名称")
    code: Code = Field(title="行政区划代码")
    ipv6_prefix: IPv6Network = Field(title="IPv6前缀")
    address_profile: str = Field(
        default="city",
        title="地址布局",
        description="a profile of gaoling/addressing/profiles, or a .yaml file in this folder",
    )
    domain: str = Field(
        default="",
        title="域名",
        description="under which names in zone files are; empty: <id>.example (RFC 2606)",
    )
    asn: int = Field(ge=1, le=4294967295, title="自治系统号")
    province_asn: int = Field(ge=1, le=4294967295, title="省级自治系统号")
    ipv4_aggregate: IPv4Network = Field(title="IPv4聚合")
    plan_years: tuple[int, int] = Field(title="规划年份")
    regions: tuple[Region, ...] = Field(title="云区域")
    recovery_policies: tuple[RecoveryPolicy, ...] = Field(title="灾备策略")
    providers: tuple[Provider, ...] = Field(default=(), title="资源提供方")
    landing: Landing = Field(default=Landing(), title="云上落地区")
