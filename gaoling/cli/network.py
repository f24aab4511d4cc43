"""`gaoling network`: the extranet's routers from what they run to what the register says."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gaoling.network.journal import Journal
    from gaoling.network.run import Result, Run

app = typer.Typer(no_args_is_help=True, help="The extranet's routers: IPv6 in waves, and back.")
Limit = Annotated[str, typer.Option(help="Devices or groups, as Ansible's --limit.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Check = Annotated[bool, typer.Option("--check", help="Change nothing; exit 3 on differences.")]
Change = Annotated[str, typer.Option(help="A reviewed change, as `plan` named it.")]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(kind: str, limit: str, *, check: bool, change: str = "") -> Run:
    from gaoling.cli import context
    from gaoling.network.change import refuse_unsupported
    from gaoling.network.intent import changeable
    from gaoling.network.run import Run

    city = context.city()
    refuse_unsupported(city, [d.name for d in changeable(city)])
    return Run(city, context.access("extranet"), context.state(), kind, limit, check, change)


def _journal(run: Run) -> Journal:
    from gaoling.network.journal import open_journal

    return open_journal(run.city, run.home, run.access)


def _tell(result: Result, *, as_json: bool, change: str = "", diffs: bool = False) -> None:
    if as_json:
        about = {
            "change": change,
            "changed": sorted(result.changed),
            "same": len(result.same),
            "failed": result.failed,
            "not_done": result.not_done,
            "high_risk": sorted(n for n, r in result.risks.items() if r == "high"),
            "seconds": result.seconds,
        }
        print(json.dumps(about, ensure_ascii=False, indent=1))
        return
    for name in sorted(result.diffs) if diffs else ():
        print(f"--- {name}\n{result.diffs[name]}", end="")
    print(
        f"{len(result.changed)} 台变更 changed, {len(result.same)} 台不变 same, "
        f"{len(result.failed)} 台失败 failed, {len(result.not_done)} 台未做 not done, "
        f"{result.seconds} s"
    )
    for name, why in sorted(result.failed.items()):
        print(f"  {name}: {why}")
    if change:
        print(f"reviewed change: {change}")


def _review(run: Run, result: Result) -> str:
    from gaoling.network.journal import state_folder
    from gaoling.network.review import write_review

    return write_review(state_folder(run.city, run.home), run.kind, result.changed)


def _end(result: Result, *, check: bool) -> None:
    if not result.ok:
        raise typer.Exit(130 if result.interrupted else 1)
    if check and result.changed:
        raise typer.Exit(3)


@app.command()
def plan(limit: Limit = "", as_json: AsJson = False) -> None:
    """Show what would be changed and keep it as a reviewed change. Nothing is changed.

    Example: `gaoling network plan --limit county_360222`
    """
    from gaoling.network.run import execute

    run = _run("ipv6", limit, check=True)
    result = execute(run, _say)
    change = _review(run, result) if result.ok and result.changed else ""
    _tell(result, as_json=as_json, change=change, diffs=True)
    _end(result, check=True)


@app.command()
def apply(
    limit: Limit = "",
    check: Check = False,
    as_json: AsJson = False,
    yes: Yes = False,
    change: Change = "",
) -> None:
    """Take the routers to dual stack, wave by wave; stop on the first wave that fails.

    Example: `gaoling network apply --yes`
    """
    _carry_out("ipv6", limit, check=check, as_json=as_json, yes=yes, change=change)


@app.command()
def rollback(
    limit: Limit = "", check: Check = False, as_json: AsJson = False, yes: Yes = False
) -> None:
    """Take the routers back to what they were before IPv6, to the byte of the backup.

    Example: `gaoling network rollback --limit town-360222100`
    """
    _carry_out("rollback", limit, check=check, as_json=as_json, yes=yes, change="")


def _carry_out(
    kind: str, limit: str, *, check: bool, as_json: bool, yes: bool, change: str
) -> None:
    from gaoling.network.run import execute, finish_in_hand

    if not (yes or check or change):
        run = _run(kind, limit, check=True)
        result = execute(run, _say)
        change = _review(run, result) if result.ok and result.changed else ""
        _tell(result, as_json=False, change=change, diffs=True)
        _end(result, check=False)
        if not result.changed:
            return
        typer.confirm("Send this? 下发？", abort=True, err=True)
    run = _run(kind, limit, check=check, change=change)
    began = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    result = execute(run, _say)
    if result.interrupted:
        journal = _journal(run)
        left = finish_in_hand(journal, _say)
        finished = {
            e["device"]: str(e.get("patch", ""))
            for e in journal.entries()
            if e["event"] == "confirmed" and e["time"] >= began
        }
        for name in [n for n in result.not_done if n in finished]:
            result.not_done.remove(name)
            result.changed[name] = finished[name]
        _say(f"interrupted; not finished: {', '.join(left) or 'none'}; run it again to go on")
    _tell(result, as_json=as_json, change=change, diffs=check)
    _end(result, check=check)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say what is in service on each router by the journal, and what was left unfinished."""
    from gaoling.network.journal import families_in_service

    run = _run("ipv6", "", check=True)
    journal = _journal(run)
    families = families_in_service(run.city, journal)
    left = journal.unfinished()
    if as_json:
        about = {"in_service": {n: sorted(f) for n, f in families.items()}, "unfinished": left}
        print(json.dumps(about, indent=1))
    else:
        dual = sum(1 for f in families.values() if f == {4, 6})
        print(f"双栈 dual stack: {dual} / {len(families)}")
        for name in left:
            print(f"  {name}: 未完成 a change began and nothing says how it ended")
    if left:
        raise typer.Exit(1)
