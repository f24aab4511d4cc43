"""`gaoling cloud bill`: a month's chargeback by department, from the cloud's own records."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaoling.cli import context

if TYPE_CHECKING:
    from gaoling.city import City
    from gaoling.cloud.bill import Bill
    from gaoling.cloud.metering import Account
    from gaoling.cloud.samples import Journal

SHOWN = 12  # rows of what is not recorded; the files and --json have all of them


def bill(
    month: Annotated[
        str, typer.Option(metavar="YYYY-MM", help="In Asia/Shanghai; this month if unsaid.")
    ] = "",
    csv: Annotated[
        Path | None, typer.Option(help="Write the chargeback there: a department a row.")
    ] = None,
    xlsx: Annotated[
        Path | None, typer.Option(help="Write it with every line, and what is not recorded.")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Only look and keep what is there: for a timer.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Charge each department for what its projects used, by the prices of `prices.yaml`.

    Hours of servers are Nova's; volumes, addresses and objects come from samples, of which each run
    keeps one. What nobody recorded is listed and not charged. Exit codes: 0 done, 1 the cloud could
    not be asked, 2 bad input or prices.

    Example: `gaoling cloud bill --month 2026-11 --xlsx bill.xlsx`
    """
    from gaoling.cloud import bill as bills
    from gaoling.cloud.metering import Month
    from gaoling.cloud.prices import FILE, read_prices
    from gaoling.cloud.samples import Journal

    now = int(time.time())
    try:
        chosen = Month.parse(month) if month else Month.at(now)
    except ValueError as error:
        raise typer.BadParameter(f"--month: {error}") from None
    if chosen.start >= now:
        raise typer.BadParameter(f"--month: found {chosen}, expected a month that has begun")
    city = context.city(quiet=as_json)
    journal = Journal(context.state() / "metering" / city.settings.id)
    if sample:
        _sample(city, journal, now, as_json)
        return
    prices = read_prices(city.directory / FILE)
    prices.over(chosen.start, min(chosen.end, now))  # before the cloud is asked for anything
    found = bills.make(chosen, _account(city, journal, chosen, now), prices, now)
    for option, path, write in (("--csv", csv, _write_csv), ("--xlsx", xlsx, _write_xlsx)):
        if path is None:
            continue
        try:
            write(path, city, found)
        except OSError as error:
            raise typer.BadParameter(
                f"{option}: {path}: {error.strerror}, expected a file to write"
            ) from None
        print(f"written: {path}", file=sys.stderr)
    if as_json:
        print(json.dumps(bills.as_json(city, found), ensure_ascii=False, indent=1))
    else:
        _show(city, found)


def connections(city: City) -> dict[str, Any]:
    """Return a connection to each region, by name; ends with 2 when there are no credentials."""
    from gaoling.cloud import access
    from gaoling.cloud.connect import connect
    from gaoling.cloud.home import cloud_of

    clouds = context.access("cloud") / "clouds.yaml"
    try:
        known = access.read_clouds(clouds)["clouds"]
        for region in city.region:
            if cloud_of(city, region) not in known:
                raise access.AccessError(
                    f"{clouds}: found {', '.join(known) or 'nothing'}, "
                    f"expected an entry {cloud_of(city, region)!r}"
                )
    except access.AccessError as error:
        print(f"gaoling: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    return {r: connect(clouds, cloud_of(city, r)) for r in city.region}


def _sample(city: City, journal: Journal, now: int, as_json: bool) -> None:
    from gaoling.cloud.samples import take

    found = [take(cloud, region, now) for region, cloud in connections(city).items()]
    journal.append(found)
    if as_json:
        rows = [
            {"region": s.region, "things": len(s.things), "objects": dict(s.objects),
             "missed": dict(s.missed)}
            for s in found
        ]  # fmt: skip
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for s in found:
        stored = sum(1 for n in s.objects.values() if n)
        print(f"{s.region}: 云盘与浮动IP {len(s.things)}，有对象的项目 {stored}，"
              f"未读到 {len(s.missed)}")  # fmt: skip
        for project, why in s.missed.items():
            print(f"gaoling: {s.region}: {project}: {why}", file=sys.stderr)


def _account(city: City, journal: Journal, month: Any, now: int) -> Account:
    """Look at every region once more, keep that, and return what is known of the month."""
    from gaoling.cloud.metering import Account, add_samples
    from gaoling.cloud.samples import servers, take

    account = Account(month.start, min(month.end, now))
    clouds = connections(city)
    journal.append([take(cloud, region, now) for region, cloud in clouds.items()])
    for region, cloud in clouds.items():
        add_samples(account, region, journal.around(region, account.start, account.end))
        account.usage += servers(cloud, region, account.start, account.end)
    account.warnings += journal.warnings
    return account


def _write_csv(path: Path, city: City, found: Bill) -> None:
    from gaoling.city.sheets import write_csv
    from gaoling.cloud.bill import summary

    header, rows = summary(city, found)
    write_csv(path, header, [[str(cell) for cell in row] for row in rows])


def _write_xlsx(path: Path, city: City, found: Bill) -> None:
    from gaoling.cloud.bill_sheets import write

    write(path, city, found)


def _show(city: City, found: Bill) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from gaoling.cloud import bill as bills

    console = Console(width=None if os.isatty(1) else 150)
    mark = "（本月未完）" if found.partial else ""
    header, rows = bills.summary(city, found)
    table = Table(title=f"{city.settings.name} 政务云费用分摊 {found.month}{mark}", box=box.SIMPLE)
    for column in header[1:]:
        table.add_column(column, justify="left" if column == "部门" else "right")
    for row in rows:
        table.add_row(*map(str, row[1:]), style="bold" if row is rows[-1] else "")
    console.print(table)
    header, rows = bills.unrecorded(found)
    if rows:
        table = Table(title="未记录（不计费）", box=box.SIMPLE)
        for column in header:
            table.add_column(column)
        for row in rows[:SHOWN]:
            table.add_row(*map(str, row))
        console.print(table)
        if len(rows) > SHOWN:
            console.print(f"另有 {len(rows) - SHOWN} 条，见 --xlsx 或 --json")
    for note in bills.notes(found):
        console.print(f"· {note}", highlight=False)
    for warning in found.account.warnings:
        print(f"gaoling: {warning}", file=sys.stderr)
