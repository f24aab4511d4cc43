"""A month's chargeback by department: usage times price, to the fen, with all that is not known.

Rounding: each line (one department, project, region, item and price version) is exact until it is
rounded to the fen, half to even; every sum is the sum of those rounded lines, so totals always
agree with what is listed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from gaoling.city import City, Fault, RegisterError
from gaoling.cloud.metering import MAX_GAP, Account, Month, Project, Unrecorded, clip
from gaoling.cloud.prices import CHINA, TITLES, PriceList, monthly

ITEMS = ("vcpu", "memory", "disk", "volume", "object", "floating_ip")
NAMES = {
    "vcpu": "计算（vCPU）", "memory": "内存", "disk": "系统盘", "volume": "云盘",
    "object": "对象存储", "floating_ip": "浮动IP", "samples": "采样",
}  # fmt: skip
UNITS = {
    "vcpu": "核·时", "memory": "GiB·时", "disk": "GiB·月", "volume": "GiB·月",
    "object": "GiB·月", "floating_ip": "个·时",
}  # fmt: skip
REASONS = {  # why something is not recorded; what a service answered is shown as it is
    "no sample, or samples too far apart": f"没有采样，或两次采样相隔超过{MAX_GAP // 3600}小时",
    "samples too far apart": f"两次采样相隔超过{MAX_GAP // 3600}小时",
    "it went between two samples": "在两次采样之间消失",
    "it changed size between two samples": "在两次采样之间改变大小",
    "it changed project or type between two samples": "在两次采样之间改变项目或类型",
}
NOBODY = "未归属"  # projects without a tag `department=`
GONE = "（项目已删除，采样中没有）"


@dataclass(frozen=True)
class Line:
    """One line of the bill: `quantity` in the unit of its price, exact; `fen` is what it costs."""

    department: str
    system: str
    project: str
    project_name: str
    region: str
    item: str
    quantity: Fraction
    price: Decimal
    assumed: bool
    first: int
    last: int
    fen: int

    @property
    def kind(self) -> str:
        return self.item.partition("/")[0]

    @property
    def exact(self) -> Fraction:
        """Return what it costs in yuan before it is rounded."""
        return self.quantity * Fraction(self.price)


@dataclass(frozen=True)
class Bill:
    """The bill of a period of a month, and what is not in it."""

    month: Month
    start: int
    end: int
    taken: int  # when it was made
    lines: tuple[Line, ...]
    account: Account

    @property
    def partial(self) -> bool:
        return (self.start, self.end) != (self.month.start, self.month.end)

    @property
    def fen(self) -> int:
        return sum(line.fen for line in self.lines)

    @property
    def assumed(self) -> bool:
        return any(line.assumed for line in self.lines)

    def departments(self) -> dict[str, dict[str, int]]:
        """Return fen by department and kind; "" stands for projects that no tag gives to one."""
        found: dict[str, dict[str, int]] = {}
        for line in self.lines:
            kinds = found.setdefault(line.department, dict.fromkeys(ITEMS, 0))
            kinds[line.kind] += line.fen
        return dict(sorted(found.items(), key=lambda pair: (pair[0] == "", pair[0])))


def make(month: Month, account: Account, prices: PriceList, taken: int) -> Bill:
    """Return the bill of an account's period. Raises RegisterError for what has no price."""
    lines: list[Line] = []
    faults: list[Fault] = []
    for first, last, version in prices.over(account.start, account.end):
        sums: dict[tuple[str, str, str], Fraction] = {}
        for usage in clip(account.usage, first, last):
            key = usage.project, usage.region, usage.item
            sums[key] = sums.get(key, Fraction()) + usage.unit_hours
        for (project, region, item), hours in sums.items():
            price = version.price(item)
            if price is None:  # the reader saw to it: a version has all items and a default
                faults.append(Fault(prices.file, version.line, "prices", TITLES["prices"],
                                    f"no price of {item}", "one"))  # fmt: skip
                continue
            quantity = hours / month.hours if monthly(item) else hours
            about = account.projects.get(project, Project(project, ""))
            lines.append(Line(
                about.department, about.system, project, about.name, region, item, quantity,
                price, version.assumed, first, last, round(quantity * Fraction(price) * 100),
            ))  # fmt: skip
    if faults:
        raise RegisterError(faults)
    lines.sort(key=lambda x: (x.department == "", x.department, x.system, x.project, x.region,
                              ITEMS.index(x.kind), x.item, x.first))  # fmt: skip
    return Bill(month, account.start, account.end, taken, tuple(lines), account)


# ------------------------------------------------------------------------------ as text
def yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def decimal(value: Fraction, digits: int = 4) -> Decimal:
    """Return a quantity to show, rounded half to even."""
    return Decimal(round(value * 10**digits)).scaleb(-digits)


def when(moment: int) -> str:
    return dt.datetime.fromtimestamp(moment, CHINA).strftime("%Y-%m-%d %H:%M:%S")


def department_name(city: City, department: str) -> str:
    """Return the register's Chinese name; the tag's own text where the register has none."""
    if not department:
        return NOBODY
    found = city.department.get(department)
    return found.name if found else department


def system_name(city: City, system: str) -> str:
    found = city.system.get(system)
    return found.name if found else system


def item_name(item: str) -> str:
    kind, _, rest = item.partition("/")
    return f"{NAMES[kind]} {rest}".strip()


Table = tuple[list[str], list[list[Any]]]


def summary(city: City, bill: Bill) -> Table:
    """Return the chargeback: a department a row, the total last; amounts in yuan."""
    header = ["部门标识", "部门", *(f"{NAMES[k]}（元）" for k in ITEMS), "合计（元）"]
    rows: list[list[Any]] = []
    for department, kinds in bill.departments().items():
        fen = [kinds[k] for k in ITEMS]
        name = department_name(city, department)
        rows.append([department, name, *map(yuan, fen), yuan(sum(fen))])
    totals = [sum(line.fen for line in bill.lines if line.kind == k) for k in ITEMS]
    rows.append(["", "合计", *map(yuan, totals), yuan(bill.fen)])
    return header, rows


def details(city: City, bill: Bill) -> Table:
    """Return every line."""
    header = ["部门标识", "部门", "系统标识", "系统", "项目", "云区域", "计量项", "用量", "单位",
              "单价（元）", "单价依据", "起", "止", "金额（元）"]  # fmt: skip
    rows: list[list[Any]] = [
        [x.department, department_name(city, x.department), x.system, system_name(city, x.system),
         x.project_name or f"{x.project}{GONE}", x.region, item_name(x.item),
         decimal(x.quantity), UNITS[x.kind], x.price, "假定" if x.assumed else "已确认",
         when(x.first), when(x.last), yuan(x.fen)]
        for x in bill.lines
    ]  # fmt: skip
    return header, rows


def unrecorded(bill: Bill) -> Table:
    """Return what nobody recorded: hours, and the most that they can have held."""
    header = ["云区域", "项目", "计量项", "资源", "起", "止", "小时", "至多", "原因"]
    rows: list[list[Any]] = [
        [u.region, _project(bill.account.projects, u.project), item_name(u.item), u.resource,
         when(u.start), when(u.end), decimal(Fraction(u.end - u.start, 3600), 2),
         "" if u.most is None else u.most, REASONS.get(u.because, u.because)]
        for u in _sorted(bill.account.unrecorded)
    ]  # fmt: skip
    return header, rows


def _sorted(found: Iterable[Unrecorded]) -> list[Unrecorded]:
    return sorted(found, key=lambda u: (u.region, u.item != "samples", u.start, u.item, u.resource))


def _project(projects: Mapping[str, Project], project: str) -> str:
    return projects[project].name if project in projects else project or "全部"


def notes(bill: Bill) -> list[str]:
    """Return what a reader must know of the bill, a sentence each."""
    found = [f"账期 {when(bill.start)} 至 {when(bill.end)}（Asia/Shanghai，含起不含止）"]
    if bill.partial:
        found.append(f"本月未完：只算到 {when(bill.end)}，不是全月账单")
    if bill.assumed:
        found.append("单价为假定，未经确认，不得据以结算")
    for region, count in sorted(bill.account.samples.items()):
        hours = decimal(Fraction(bill.account.covered(region), 3600), 1)
        whole = decimal(Fraction(bill.end - bill.start, 3600), 1)
        found.append(f"{region}：采样 {count} 次，覆盖 {hours}/{whole} 小时；"
                     "其余时间的对象存储、已删除的云盘和浮动IP没有记录，不计费")  # fmt: skip
    found.append("服务器时长取自 Nova（含已删除的）；云盘、浮动IP、对象存储取自云上现状与采样")
    found.append("每行四舍六入五成双到分，合计为各行之和")
    return found


def as_json(city: City, bill: Bill) -> dict[str, Any]:
    """Return all of it as plain data; amounts are text, so that no reader makes floats of them."""
    return {
        "city": city.settings.id,
        "month": str(bill.month),
        "start": when(bill.start),
        "end": when(bill.end),
        "partial": bill.partial,
        "currency": "CNY",
        "assumed": bill.assumed,
        "total": str(yuan(bill.fen)),
        "departments": [
            {"department": d, "name": department_name(city, d),
             "items": {k: str(yuan(n)) for k, n in kinds.items()},
             "total": str(yuan(sum(kinds.values())))}
            for d, kinds in bill.departments().items()
        ],
        "lines": [
            {"department": x.department, "system": x.system, "project": x.project,
             "project_name": x.project_name, "region": x.region, "item": x.item,
             "quantity": str(decimal(x.quantity, 6)), "unit": UNITS[x.kind],
             "price": str(x.price), "assumed": x.assumed, "start": when(x.first),
             "end": when(x.last), "amount": str(yuan(x.fen))}
            for x in bill.lines
        ],
        "coverage": {
            region: {"samples": count, "seconds": bill.account.covered(region),
                     "of_seconds": bill.end - bill.start}
            for region, count in sorted(bill.account.samples.items())
        },
        "unrecorded": [
            {"region": u.region, "project": u.project, "item": u.item, "resource": u.resource,
             "start": when(u.start), "end": when(u.end),
             "hours": str(decimal(Fraction(u.end - u.start, 3600))), "most": u.most,
             "because": u.because}
            for u in _sorted(bill.account.unrecorded)
        ],
        "warnings": bill.account.warnings,
        "notes": notes(bill),
    }  # fmt: skip
