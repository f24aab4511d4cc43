"""`capacity.yaml` of a city: how capacity is planned there. Without the file: the defaults below.

What a host is, how long one takes to come, how much must stay free: figures of people and
contracts, so they are data. None is in the city's plan: all are assumed (假定) until somebody
confirms the file.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from gaoling.city import City
from gaoling.city.faults import Fault, RegisterError
from gaoling.city.row import Id, Name, Row

FILE = "capacity.yaml"
COMPUTE = ("vcpus", "memory_gb", "disk_gb")
STORAGE = ("volume_gb",)
RESOURCES = COMPUTE + STORAGE


class Kind(Row):
    """机型: what can be ordered. A compute kind has processors, a storage kind has volumes."""

    id: Id = Field(title="机型标识")
    name: Name = Field(title="机型名称")
    vcpus: int = Field(default=0, ge=0, title="核数", description="as the host counts them")
    memory_gb: int = Field(default=0, ge=0, title="内存GB")
    disk_gb: int = Field(default=0, ge=0, title="系统盘GB")
    volume_gb: int = Field(default=0, ge=0, title="云盘GB")
    cpu_ratio: float = Field(default=1.0, gt=0, title="核超分比")
    memory_ratio: float = Field(default=1.0, gt=0, title="内存超分比")
    disk_ratio: float = Field(default=1.0, gt=0, title="系统盘超分比")
    volume_ratio: float = Field(default=1.0, gt=0, title="云盘超分比")
    lead_days: int = Field(default=90, ge=0, le=1000, title="供货天数")
    aggregate: Id | None = Field(default=None, title="主机集合")
    zone: Name | None = Field(default=None, title="可用区")

    @model_validator(mode="after")
    def _one_purpose(self) -> Kind:
        if bool(self.vcpus and self.memory_gb) == bool(self.volume_gb):
            raise ValueError("a compute kind (vcpus and memory_gb) or a storage kind (volume_gb)")
        return self

    @property
    def resources(self) -> tuple[str, ...]:
        return STORAGE if self.volume_gb else COMPUTE

    def effective(self) -> dict[str, float]:
        """Return what one of it adds, with what is promised more than once."""
        found = {
            "vcpus": self.vcpus * self.cpu_ratio,
            "memory_gb": self.memory_gb * self.memory_ratio,
            "disk_gb": self.disk_gb * self.disk_ratio,
            "volume_gb": self.volume_gb * self.volume_ratio,
        }
        return {name: found[name] for name in self.resources}


class DeclaredHost(Row):
    """计算节点: a host of a region and what kind it is."""

    name: Name = Field(title="节点名")
    region: Id = Field(title="云区域")
    kind: Id = Field(title="机型")


class Planning(Row):
    """`capacity.yaml`: see docs/capacity.md."""

    headroom: float = Field(
        default=0.2, ge=0, lt=1, title="余量比例", description="of what is there without a host"
    )
    least_days: int = Field(
        default=14, ge=2, le=365, title="最少天数", description="of history before a forecast"
    )
    horizon_days: int = Field(default=365, ge=1, le=1825, title="规划天数")
    batch_days: int = Field(
        default=90, ge=0, le=365, title="批次天数", description="of growth that one order covers"
    )
    kinds: tuple[Kind, ...] = Field(default=(), title="机型")
    hosts: tuple[DeclaredHost, ...] = Field(default=(), title="节点")
    confirmed_by: str = Field(default="", title="确认人")
    confirmed_on: dt.date | None = Field(default=None, title="确认日期")

    @property
    def basis(self) -> Literal["assumed", "confirmed"]:
        return "confirmed" if self.confirmed_by and self.confirmed_on else "assumed"

    def of(self, resources: tuple[str, ...]) -> tuple[Kind, ...]:
        """Return the kinds that add these resources."""
        return tuple(k for k in self.kinds if k.resources == resources)


def read_planning(city: City) -> Planning:
    """Return how a city plans its capacity. Raises RegisterError with every fault of the file."""
    path = city.directory / FILE
    if not path.exists():
        return Planning()
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise RegisterError([Fault(FILE, line, "file", "", "not YAML", "YAML in UTF-8")]) from None
    try:
        found = Planning.model_validate({} if data is None else data)
    except ValidationError as error:
        raise RegisterError([_fault(dict(problem)) for problem in error.errors()]) from None
    faults = list(_loose(city, found))
    if faults:
        raise RegisterError(faults)
    return found


def _fault(problem: dict[str, Any]) -> Fault:
    field = ".".join(map(str, problem["loc"])) or "file"
    missing = problem["type"] == "missing"
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    found = "nothing" if missing else repr(problem["input"])
    titles = {
        **{n: f.title or "" for m in (Planning, Kind, DeclaredHost)
           for n, f in m.model_fields.items()},
    }  # fmt: skip
    expected = "a value" if missing else message
    if problem["type"] == "extra_forbidden":
        expected = "no such field"
    return Fault(
        FILE, 0, field, titles.get(str((problem["loc"] or ("",))[-1]), ""), found, expected
    )


def _loose(city: City, planning: Planning) -> list[Fault]:
    """Return what names something that is not there, or is there twice."""
    faults = []
    kinds = {k.id: k for k in planning.kinds}
    if len(kinds) < len(planning.kinds):
        ids = [k.id for k in planning.kinds]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        faults.append(Fault(FILE, 0, "kinds.id", "机型标识", ", ".join(twice), "each id once"))
    seen: set[tuple[str, str]] = set()
    for number, host in enumerate(planning.hosts):
        place = f"hosts.{number}"
        if host.region not in city.region:
            regions = ", ".join(city.region)
            faults.append(
                Fault(FILE, 0, f"{place}.region", "云区域", host.region, f"one of {regions}")
            )
        if host.kind not in kinds:
            faults.append(Fault(FILE, 0, f"{place}.kind", "机型", host.kind, "a kind of this file"))
        elif kinds[host.kind].resources != COMPUTE:
            faults.append(Fault(FILE, 0, f"{place}.kind", "机型", host.kind, "a compute kind"))
        if (host.region, host.name) in seen:
            faults.append(Fault(FILE, 0, f"{place}.name", "节点名", host.name, "each host once"))
        seen.add((host.region, host.name))
    return faults
