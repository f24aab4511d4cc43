"""`gaoling register`: the register goes in and out as spreadsheets, and to a source of truth."""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gaoling.cli import context

if TYPE_CHECKING:
    from gaoling.city import City
    from gaoling.city.intake import Proposal
    from gaoling.city.sheets import Sheet

app = typer.Typer(
    no_args_is_help=True,
    help="台账: the register in and out: XLSX, CSV, Nautobot; who confirmed what.",
    epilog="Example:  gaoling register import 台账.xlsx --yes",
)


class Table(StrEnum):
    DEPARTMENTS = "departments"
    SYSTEMS = "systems"
    SITES = "sites"
    DEVICES = "devices"
    LINKS = "links"
    TARGETS = "targets"


TITLES = {
    Table.DEPARTMENTS: "部门", Table.SYSTEMS: "系统", Table.SITES: "接入点", Table.DEVICES: "设备",
    Table.LINKS: "链路", Table.TARGETS: "目标",
}  # fmt: skip
File = Annotated[Path, typer.Argument(help="An .xlsx or .csv file.")]
Which = Annotated[Table, typer.Option(help="Which table it holds.")]
SheetName = Annotated[str, typer.Option(help="The sheet; default: the first with a header.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="It is not the whole table: what it lacks stays.")
]
Force = Annotated[bool, typer.Option("--force", help="Even if more than 5 % of the rows go.")]
AsJson = Annotated[bool, typer.Option("--json", help="The result as JSON.")]


@contextmanager
def _bad_input() -> Iterator[None]:
    """End with exit code 2 and one clear message where a file cannot be used."""
    from gaoling.city.intake import ShrinkError
    from gaoling.city.sheets import SheetError

    try:
        yield
    except (SheetError, ShrinkError) as error:
        print(f"gaoling: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _proposed(
    file: Path, table: Table, sheet: str, partial: bool, force: bool
) -> tuple[City, Sheet, Proposal]:
    from gaoling.city.intake import propose
    from gaoling.city.read import TABLES
    from gaoling.city.sheets import read_sheet

    city = context.city()
    with _bad_input():
        read = read_sheet(file, TABLES[table], sheet)
        return city, read, propose(city, table, read, partial, force)


def _say(read: Sheet, proposal: Proposal, as_json: bool, written: str) -> None:
    if as_json:
        print(json.dumps({
            "changes": [vars(c) for c in proposal.changes],
            "refused": [f.as_json() for _, faults in sorted(proposal.refused.items())
                        for f in faults],
            "unknown_columns": read.unknown, "written": written,
        }, ensure_ascii=False, indent=1))  # fmt: skip
        return
    for change in proposal.changes:
        print(change)
    for _, faults in sorted(proposal.refused.items()):
        for fault in faults:
            print(f"拒绝 (refused) {fault}", file=sys.stderr)
    if read.unknown:
        print(f"未用列 (columns not used): {', '.join(read.unknown)}", file=sys.stderr)


@app.command("import")
def import_(
    file: File,
    table: Which = Table.SYSTEMS,
    sheet: SheetName = "",
    partial: Partial = False,
    force: Force = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write the register.")] = False,
    rejected: Annotated[
        Path | None, typer.Option(help="Where the refused rows go; default beside the file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a spreadsheet changes; --yes writes it. Refused rows come back as XLSX (exit 1).

    Example: `gaoling register import 台账.xlsx --table systems`, then the same with `--yes`
    """
    from gaoling.city import intake
    from gaoling.city.sheets import write_xlsx

    city, read, proposal = _proposed(file, table, sheet, partial, force)
    written = ""
    if yes and proposal.changes:
        written = str(intake.write(city, proposal))
    _say(read, proposal, as_json, written)
    if proposal.refused:
        back = rejected or file.with_name(f"{file.stem}.rejected.xlsx")
        write_xlsx(back, TITLES[table], *intake.rejected(read, proposal.refused))
        print(f"{len(proposal.refused)} 行被拒绝 (rows refused), with their reasons: {back}",
              file=sys.stderr)  # fmt: skip
    if not as_json:
        end = f"written: {written or 'nothing'}" if yes else "nothing written (--yes writes)"
        print(f"{len(proposal.changes)} changes; {end}")
    if proposal.refused:
        raise typer.Exit(1)


@app.command()
def diff(
    file: File,
    table: Which = Table.SYSTEMS,
    sheet: SheetName = "",
    partial: Partial = False,
    as_json: AsJson = False,
) -> None:
    """Compare a spreadsheet with the register; exit code 1 when they differ. Writes nothing.

    Example: `gaoling register diff 台账.xlsx --table sites`
    """
    _, read, proposal = _proposed(file, table, sheet, partial, force=True)
    _say(read, proposal, as_json, "")
    if proposal.changes or proposal.refused:
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The .xlsx or .csv file to write.")],
    table: Which = Table.SYSTEMS,
) -> None:
    """Write a table with Chinese headers, every cell as text.

    Example: `gaoling register export 台账.xlsx --table systems`
    """
    from gaoling.city.intake import exported
    from gaoling.city.sheets import write_csv, write_xlsx

    header, rows = exported(context.city(), table)
    if file.suffix.lower() == ".xlsx":
        write_xlsx(file, TITLES[table], header, rows)
    elif file.suffix.lower() == ".csv":
        write_csv(file, header, rows)
    else:
        print(f"gaoling: file: found {file.name!r}, expected a name that ends in .xlsx or .csv",
              file=sys.stderr)  # fmt: skip
        raise typer.Exit(2)
    print(f"{len(rows)} rows: {file}")


@app.command()
def confirm(
    table: Annotated[Table, typer.Argument(help="The table.")],
    identity: Annotated[str, typer.Argument(metavar="ID", help="The row: its id or code.")],
    field: Annotated[str, typer.Argument(help="The column.")],
    by: Annotated[str, typer.Option(help="Who confirms; default: who runs this.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Write it.")] = False,
) -> None:
    """Record that a cell's present value is right. A later edit of it ends the confirmation.

    Example: `gaoling register confirm systems health mlps --by 张三 --yes`
    """
    from gaoling.city.provenance import confirmation_of, record

    city = context.city()
    try:
        said = confirmation_of(city, table, identity, field, by or getpass.getuser(),
                               dt.date.today())  # fmt: skip
    except LookupError as error:
        print(f"gaoling: {error.args[0]}", file=sys.stderr)
        raise typer.Exit(2) from None
    basis = city.basis(table, identity, field)
    print(f"{table}.csv {identity} {field}: {said.value!r}, {basis} → confirmed by {said.by}")
    if yes:
        print(f"written: {record(city, said)}")
    else:
        print("nothing written (--yes writes)")


nautobot = typer.Typer(
    no_args_is_help=True,
    help="Sites, devices and links from and to a Nautobot 3 that the city already has. "
    "The token is read from NAUTOBOT_TOKEN.",
)
app.add_typer(nautobot, name="nautobot")
Url = Annotated[str, typer.Option(help="Its address.", envvar="NAUTOBOT_URL")]


@contextmanager
def _nautobot_input() -> Iterator[None]:
    from gaoling.city.nautobot import NautobotError

    with _bad_input():
        try:
            yield
        except NautobotError as error:
            print(f"gaoling: {error}", file=sys.stderr)
            raise typer.Exit(2) from None


def _token() -> str:
    if not (token := os.environ.get("NAUTOBOT_TOKEN", "")):
        print("gaoling: NAUTOBOT_TOKEN: found nothing, expected an API token", file=sys.stderr)
        raise typer.Exit(2)
    return token


@nautobot.command("export")
def nautobot_export(
    url: Url,
    yes: Annotated[bool, typer.Option("--yes", help="Write it to Nautobot.")] = False,
) -> None:
    """List what Nautobot lacks of the register; --yes writes it. Deletes nothing there.

    Example: `NAUTOBOT_TOKEN=… gaoling register nautobot export --url https://nautobot.example`
    """
    from gaoling.city.nautobot import Exporter, connect

    city = context.city()
    with _nautobot_input():
        steps = Exporter(connect(url, _token()), city, yes).run()
    for step in steps:
        print(step)
    print(f"{len(steps)} steps; {'written' if yes else 'nothing written (--yes writes)'}")


@nautobot.command("import")
def nautobot_import(
    url: Url,
    yes: Annotated[bool, typer.Option("--yes", help="Write the register.")] = False,
) -> None:
    """Show what Nautobot has that the register has not, table by table; --yes writes it.

    Example: `NAUTOBOT_TOKEN=… gaoling register nautobot import --url https://nautobot.example`
    """
    from gaoling.city.intake import propose, write
    from gaoling.city.nautobot import connect, sheets

    city = context.city()
    total = 0
    with _nautobot_input():
        for table, sheet in sheets(connect(url, _token()), city).items():
            proposal = propose(city, table, sheet, partial=True)
            _say(sheet, proposal, False, "")
            total += len(proposal.changes)
            if yes and proposal.changes:
                print(f"written: {write(city, proposal)}")
                city = context.city(quiet=True)
    print(f"{total} changes; {'written' if yes else 'nothing written (--yes writes)'}")
