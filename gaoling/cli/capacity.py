"""`gaoling capacity`: does the cloud hold the register, until when, and what has to be ordered."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from gaoling.city import City
from gaoling.cli import context

if TYPE_CHECKING:
    from rich.console import Console

    from gaoling.cloud.capacity import Observed
    from gaoling.cloud.capacity_report import Report

NAMES = {"vcpus": "处理器（核）", "memory_gb": "内存（GiB）", "disk_gb": "系统盘（GiB）",
         "volume_gb": "云盘（GiB）"}  # fmt: skip
REASONS = {
    "now": "已用尽",
    "trend": "按增长",
    "planned": "按规划",
    "far": "以上",
    "unknown": "未知",
}
COLUMNS = ("资源", "总量", "N+1扣减", "已用", "切换预留", "待开通", "剩余", "应留余量",
           "规划到期", "日增长", "剩余天数")  # fmt: skip
ORDER = ("云区域", "机型", "名称", "数量", "到位日期", "下单日期", "紧急", "因何", "依据")
NOTHING = "无数据"
ASSUMED = "（假定）"
EXIT_UNREACHABLE, EXIT_INPUT, EXIT_EXPAND = 1, 2, 3


def capacity(
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Only this region; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_of: Annotated[
        str, typer.Option(metavar="DATE", help="As it will be on a later day: YYYY-MM-DD.")
    ] = "",
    order: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the expansion order: .csv or .xlsx.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no cloud: what the register declares, no N+1.")
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Daily samples of another place: the exporter's."),
    ] = None,
) -> None:
    """Compare the register's demand with the cloud's inventory, by region.

    Exit code 0: it fits. 3: something has to be ordered by that day. 1: a region, or a part of it,
    could not be asked. 2: bad input.

    Example: `gaoling capacity --region primary --as-of 2027-06-30 --order order.xlsx`
    """
    from gaoling.cloud import capacity_history
    from gaoling.cloud.capacity_report import assess
    from gaoling.cloud.capacity_settings import read_planning

    city = context.city(quiet=as_json)
    today = dt.date.today()
    day = _day(as_of, today, offline)
    regions = _regions(city, region)
    if order is not None and order.suffix.lower() not in (".csv", ".xlsx"):
        _bad(f"--order: found {order.name!r}, expected a name that ends with .csv or .xlsx")
    planning = read_planning(city)
    file = history or capacity_history.file_of(context.state(), city.settings.id)
    wrong: list[str] = []
    observed = _observe(city, regions, offline, wrong)
    for each in observed:
        wrong += each.wrong
        if history is None and not offline:
            _record(file, city, today, each)
    try:
        samples = capacity_history.read(file, city.settings.id)
    except OSError as error:
        _bad(f"--history: {file}: {error.strerror}")
    found = [assess(city, each, planning, samples, today, day) for each in observed]
    if order is not None:
        _write(order, found)
    if as_json:
        told = {"city": city.settings.id, "as_of": day.isoformat(), "offline": offline,
                "history": {"file": str(file), "damaged": samples.damaged},
                "regions": [r.as_json() for r in found], "wrong": wrong}  # fmt: skip
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        _show(city, found, samples.damaged)
    for line in wrong:
        typer.echo(f"gaoling: {line}", err=True)
    if wrong:
        raise typer.Exit(EXIT_UNREACHABLE)
    if not all(r.fits for r in found):
        raise typer.Exit(EXIT_EXPAND)


def _bad(text: str) -> NoReturn:
    """End with 2: what was given cannot be used."""
    typer.echo(f"gaoling: {text}", err=True)
    raise typer.Exit(EXIT_INPUT)


def _day(text: str, today: dt.date, offline: bool) -> dt.date:
    if not text:
        return today
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        _bad(f"--as-of: found {text!r}, expected a day as YYYY-MM-DD")
    if day < today and not offline:
        _bad(
            f"--as-of: found {day}, expected {today} or later: what is asked is the cloud of today"
        )
    return day


def _regions(city: City, given: list[str] | None) -> list[str]:
    for name in given or ():
        if name not in city.region:
            _bad(f"--region: found {name!r}, expected one of {', '.join(city.region)}")
    return [name for name in city.region if not given or name in given]


def _observe(city: City, regions: list[str], offline: bool, wrong: list[str]) -> list[Observed]:
    from concurrent.futures import ThreadPoolExecutor

    from gaoling.cloud.capacity import declared
    from gaoling.cloud.capacity_probe import CapacityError, observe

    if offline:
        return [declared(city, name) for name in regions]
    clouds = context.access("cloud") / "clouds.yaml"

    def one(name: str) -> Observed | CapacityError:
        try:
            return observe(city, name, clouds)
        except CapacityError as error:
            return error

    found: list[Observed] = []
    with ThreadPoolExecutor(max_workers=4) as pool:
        for told in pool.map(one, regions):  # in the register's order, whoever answers first
            if isinstance(told, CapacityError):
                wrong.append(str(told))
            else:
                found.append(told)
    return found


def _record(file: Path, city: City, today: dt.date, observed: Observed) -> None:
    """Keep the sample of today; a folder that cannot be written to costs the history only."""
    from gaoling.cloud import capacity_history

    try:
        capacity_history.record(file, city.settings.id, today, observed)
    except OSError as error:
        typer.echo(f"gaoling: {file}: {error.strerror}: today is not in the history", err=True)


# ---------------------------------------------------------------------- what is written and shown
def order_rows(reports: list[Report]) -> list[list[str]]:
    """Return the lines of the order as a table of texts, without its header."""
    return [
        [line.region, line.kind.id, line.kind.name, str(line.count), str(line.needed_by),
         str(line.place_by), "是" if line.urgent(report.as_of) else "否",
         "、".join(NAMES[name] for name in line.because), "假定" if line.assumed else "已确认"]
        for report in reports for line in report.order.lines
    ]  # fmt: skip


def _write(path: Path, reports: list[Report]) -> None:
    from gaoling.city.sheets import write_csv, write_xlsx

    rows = order_rows(reports)
    try:
        if path.suffix.lower() == ".xlsx":
            write_xlsx(path, "扩容订单", list(ORDER), rows)
        else:
            write_csv(path, list(ORDER), rows)
    except OSError as error:
        _bad(f"--order: {path}: {error.strerror}")
    typer.echo(f"已写入 {path}（{len(rows)} 行）", err=True)


def number(value: float) -> str:
    """Return a quantity with its thousands, and a part of it only where there is one."""
    return f"{value:,.0f}" if abs(value - round(value)) < 0.05 else f"{value:,.1f}"


def _show(city: City, reports: list[Report], damaged: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    for report in reports:
        title = f"{city.region[report.region].title} {report.region} 容量 {report.as_of}"
        table = Table(*COLUMNS, title=title, box=box.SIMPLE)
        for row in table_rows(report):
            table.add_row(*row)
        console.print(table)
        for line in remarks(report):
            console.print(line, soft_wrap=True)
    rows = order_rows(reports)
    if rows:
        table = Table(*ORDER, title="扩容订单", box=box.SIMPLE)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for report in reports:
        for text in report.order.impossible:
            console.print(f"无法订购 {text}", style="red", soft_wrap=True)
    if damaged:
        console.print(f"历史中有 {damaged} 行损坏，未计", style="yellow")
    _verdict(console, reports)


def _verdict(console: Console, reports: list[Report]) -> None:
    for report in reports:
        if not report.figures:
            console.print(f"{report.region}：{NOTHING}", style="yellow")
        elif report.fits:
            console.print(f"{report.region}：容量够用，目前不需要下单", style="green")
        else:
            console.print(f"{report.region}：需要扩容，现在就要下单", style="red")


def table_rows(report: Report) -> list[list[str]]:
    """Return the rows of a region's table; a resource that nobody speaks of says 无数据."""
    figures = {f.resource: f for f in report.figures}
    rows = []
    for name, title in NAMES.items():
        f = figures.get(name)
        if f is None:
            rows.append([title, *[NOTHING] * (len(COLUMNS) - 1)])
            continue
        mark = ASSUMED if f.assumed else ""
        slope, left = report.slopes[name], report.left[name]
        growth = f"未知（{report.days[name]} 天）" if slope is None else f"{slope:+,.2f}"
        days = "未知" if left.days is None else f"{left.days}（{REASONS[left.reason]}）"
        measured = report.observed.measured
        hosts = bool(report.observed.hosts) and name != "volume_gb"
        rows.append(
            [title, number(f.total) + ("" if measured else ASSUMED),
             number(f.host_loss) if hosts else "—", number(f.used) if measured else NOTHING,
             number(f.failover) + mark, number(f.pending) + mark, number(f.free),
             number(f.wanted_free) + mark, number(report.planned_now(name)) + mark, growth, days]
        )  # fmt: skip
    return rows


def remarks(report: Report) -> list[str]:
    """Return what has to be known beside a region's figures."""
    found = []
    seen = report.observed
    if not seen.measured:
        found.append("离线：总量为登记册所报（假定），未问云平台；无节点数据，N+1 未计")
    elif len(seen.hosts) == 1:
        found.append(f"只有 1 台节点（{seen.hosts[0].name}）：失去它即无处可运行，N+1 后容量为 0")
    off = [h.name for h in seen.hosts if not h.enabled]
    if off:
        found.append(f"停用的节点不计容量：{'、'.join(off)}")
    down = [h.name for h in seen.hosts if h.enabled and not h.up]
    if down:
        found.append(f"不在线的节点：{'、'.join(down)}；N+1 的余地正在使用")
    if report.undated:
        names = "、".join(s.system for s in report.undated[:10])
        more = f" 等 {len(report.undated)} 个" if len(report.undated) > 10 else ""
        found.append(f"规划中无期限的系统不在预测内：{names}{more}")
    if seen.measured and any(s is None for s in report.slopes.values()):
        wanted = report.planning.least_days
        found.append(f"历史不足 {wanted} 天的资源：增长未知，剩余天数只看规划")
    return found
