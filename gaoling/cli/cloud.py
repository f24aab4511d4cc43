"""`gaoling cloud`: the stacks of a city, many at once."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaoling.cli import cloud_adoption, cloud_bill, cloud_drift, cloud_policy, context

if TYPE_CHECKING:
    from gaoling.cloud.run import Operation, Outcome, Runner
    from gaoling.cloud.stacks import Stack

app = typer.Typer(no_args_is_help=True, help="The cloud as the register says (Pulumi stacks).")
Regions = Annotated[
    list[str] | None, typer.Option("--region", help="Only this region; may be repeated.")
]
Stacks = Annotated[
    list[str] | None, typer.Option("--stack", help="Only this stack; may be repeated.")
]
Jobs = Annotated[int, typer.Option(min=1, help="Stacks run at once.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow-delete", metavar="URN", help="This may go, data and all; repeatable."),
]
Reason = Annotated[str, typer.Option(help="Why: it stands in the journal.")]
SHOWN = 40  # changes printed a stack; --json has all of them
JOBS = 2

app.command("drift")(cloud_drift.drift)
app.command("adoption")(cloud_adoption.adoption)
app.command("bill")(cloud_bill.bill)
app.command("policy")(cloud_policy.policy)


@app.command()
def stacks(
    region: Regions = None,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write the city's files in infra/stacks, to be reviewed."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the stacks in the order in which they are run, and how to run one by hand.

    Example: `gaoling cloud stacks --region dr`
    """
    from gaoling.cloud.home import Home, commit_stacks

    home = Home(context.state(), context.access("cloud") / "clouds.yaml")
    found = _select(region, None)
    if write:
        for path in commit_stacks(context.city(quiet=True), found):
            _say(f"written: {path}")
    if as_json:
        rows = [
            {"stack": s.name, "region": s.region, "part": s.part, "resources": s.resources,
             "config_file": str(home.config_file(s.name))} for s in found
        ]  # fmt: skip
        print(json.dumps(rows, indent=1))
        return
    for stack in found:
        command = f"pulumi up -s {stack.name} --config-file {home.config_file(stack.name)}"
        print(f"{stack.name:<28} {stack.resources or '':>5}  {command}")


@app.command()
def env() -> None:
    """Print the exports for a plain `pulumi up` on this city.

    Example: `eval "$(gaoling cloud env)"`
    """
    from gaoling.cloud import toolchain
    from gaoling.cloud.home import Home

    home = Home(context.state(), context.access("cloud") / "clouds.yaml")
    for name, value in (toolchain.environment(home.state) | home.variables()).items():
        print(f"export {name}={shlex.quote(value)}")


@app.command()
def preview(
    region: Regions = None,
    stack: Stacks = None,
    jobs: Jobs = JOBS,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit code 3 when something would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what `up` would change. Nothing is changed.

    Example: `gaoling cloud preview --expect-no-changes`
    """
    runner, wanted = _runner(region, stack, jobs)
    found = runner.all("preview", wanted)
    _report(found, as_json)
    _exit(found)
    if expect_no_changes and any(o.progress.changed for o in found):
        raise typer.Exit(3)


@app.command()
def up(
    region: Regions = None,
    stack: Stacks = None,
    jobs: Jobs = JOBS,
    yes: Yes = False,
    allow_delete: Allow = None,
    reason: Reason = "",
    force_shrink: Annotated[
        bool, typer.Option("--force-shrink", help="The register has really lost that many rows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the cloud what the register says. Shows the change and asks first.

    A delete or replace of what may hold data is refused unless it is named with --allow-delete and
    a --reason. Exit codes: 0 done, 1 failed or refused, 2 bad input.

    Example: `gaoling cloud up --region primary --yes`
    """
    from gaoling.cloud import guard

    runner, wanted = _runner(region, stack, jobs)
    memory = runner.home.folder / f"{runner.city.settings.id}.register.json"
    guard.refuse_shrunken(runner.city, memory, force_shrink)
    planned = _allowed(runner, wanted, "preview", allow_delete or [], reason)
    if not _agree("up", planned, yes, as_json):
        return
    found = _go(runner, "up", planned, reason, as_json)
    if all(o.ok for o in found) and not (region or stack):
        guard.remember(runner.city, memory)
    _exit(found)


@app.command()
def refresh(
    region: Regions = None,
    stack: Stacks = None,
    jobs: Jobs = JOBS,
    preview_only: Annotated[
        bool, typer.Option("--preview-only", help="Say what differs; keep the state as it is.")
    ] = False,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit code 3 when something differs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the state with the cloud and write down what is there. The cloud is not changed.

    Example: `gaoling cloud refresh --preview-only --expect-no-changes`
    """
    runner, wanted = _runner(region, stack, jobs)
    found = runner.all("refresh", wanted, *(["--preview-only"] if preview_only else []))
    _report(found, as_json)
    _exit(found)
    if expect_no_changes and any(o.progress.changed for o in found):
        raise typer.Exit(3)


@app.command()
def destroy(
    region: Regions = None,
    stack: Stacks = None,
    jobs: Jobs = JOBS,
    yes: Yes = False,
    allow_delete: Allow = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Remove all that the named stacks hold. What is protected has to be named.

    Example: `gaoling cloud destroy --stack lab-primary-scratch`
    """
    runner, wanted = _runner(region, stack, jobs)
    _destroy(runner, wanted, yes, allow_delete or [], reason, as_json)


def _destroy(
    runner: Runner, wanted: list[Stack], yes: bool, allow: list[str], reason: str, as_json: bool
) -> None:
    from gaoling.cloud import sweep
    from gaoling.cloud.home import cloud_of

    planned = _allowed(runner, wanted, "destroy", allow, reason)
    if not _agree("destroy", planned, yes, as_json):
        return
    projects: set[str] = set()
    for one in wanted:
        if one.part != "platform":
            projects.update(json.loads(runner.outputs(one.name)).get("projects", {}).values())
    found = _go(runner, "destroy", planned, reason, as_json)
    if all(o.ok for o in found) and projects:
        clouds = {cloud_of(runner.city, r) for r in runner.city.region}
        for line in sweep.sweep(runner.home.clouds, sorted(clouds), projects):
            _say(f"removed with it: {line}")
    _exit(found)


# -- what the commands have in common


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _select(regions: list[str] | None, names: list[str] | None) -> list[Stack]:
    """Return the wanted stacks of the city; ends with 2 for a name that there is not."""
    from gaoling.cloud.stacks import stacks as all_stacks

    try:
        found = all_stacks(context.city(), regions or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if unknown := set(names or ()) - {s.name for s in found}:
        known = ", ".join(s.name for s in found)
        raise typer.BadParameter(f"--stack {', '.join(sorted(unknown))}: expected of {known}")
    return [s for s in found if not names or s.name in names]


def _runner(
    regions: list[str] | None, names: list[str] | None, jobs: int
) -> tuple[Runner, list[Stack]]:
    """Return a runner that is ready; ends with 2 when the credentials cannot be used."""
    from gaoling.cloud import access
    from gaoling.cloud.home import Home, cloud_of
    from gaoling.cloud.run import Runner

    wanted = _select(regions, names)
    city = context.city(quiet=True)
    home = Home(context.state(), context.access("cloud") / "clouds.yaml")
    runner = Runner(home, city, _say, jobs=jobs)
    try:
        for cloud in sorted({cloud_of(city, s.region) for s in wanted}):
            access.projects(cloud, home.given)  # one call says whether the credentials work
        runner.prepare(wanted)
    except access.AccessError as error:
        _say(f"gaoling: {error}")
        raise typer.Exit(2) from None
    return runner, wanted


def _allowed(
    runner: Runner, wanted: list[Stack], operation: Operation, allow: list[str], reason: str
) -> list[Outcome]:
    """Return the previews of an operation, once nothing in them loses data that was not named.

    What is protected and named loses its protection here. Raises guard.Refused.
    """
    from gaoling.cloud import guard

    def look(again: list[Stack]) -> list[Outcome]:
        flags = ["--preview-only"] if operation == "destroy" else []
        return runner.all(operation, again, *flags)

    found = look(wanted)
    stopped = {o.stack.name: guard.protected(o) for o in found if not o.ok}
    if any(stopped.values()):
        guard.refuse_losses([u for urns in stopped.values() for u in urns], allow, reason)
        for name, urns in stopped.items():
            for urn in urns:
                runner.protect(name, urn, on=False)
        found = look(wanted)
    _exit(found)
    if operation == "preview":  # a stack to be destroyed was named, and protects what it must keep
        guard.refuse_losses([c.urn for c in guard.losses(found)], allow, reason)
    return found


def _agree(operation: str, planned: list[Outcome], yes: bool, as_json: bool) -> bool:
    """Show the change, destructive steps first, and ask; return whether to go on."""
    changed = [o for o in planned if o.progress.changed]
    if not as_json:
        for outcome in changed:
            _show(outcome)
    if yes:
        return True
    if not changed:
        _say("nothing to change")
        return False
    return typer.confirm(f"{operation}: {len(changed)} stacks?", default=False)


def _show(outcome: Outcome) -> None:
    print(f"\n{outcome.stack.name}")
    ordered = sorted(
        outcome.changes, key=lambda c: 2 - c.destructive - (c.destructive and c.stateful)
    )
    for change in ordered[:SHOWN]:
        mark = "!" if change.destructive else " "
        kind = change.type.rpartition(":")[2]
        keys = f"  ({', '.join(change.keys)})" if change.keys else ""
        print(f" {mark} {change.op:<10} {kind:<16} {change.name}{keys}")
    if len(ordered) > SHOWN:
        print(f"   and {len(ordered) - SHOWN} more, none of them destructive"
              if not any(c.destructive for c in ordered[SHOWN:])
              else f"   and {len(ordered) - SHOWN} more")  # fmt: skip


def _go(
    runner: Runner, operation: Operation, planned: list[Outcome], reason: str, as_json: bool
) -> list[Outcome]:
    """Run an operation, write it into the journal, report; return what each stack came to."""
    from gaoling.cloud import journal

    begin = time.monotonic()
    wanted = [o.stack for o in planned]
    found = runner.all(operation, wanted, backwards=operation == "destroy")
    for outcome in found:
        gone = [c.urn for c in outcome.changes if c.destructive and c.stateful]
        journal.append(
            runner.home.state,
            f"cloud {operation}",
            stack=outcome.stack.name,
            ok=outcome.ok,
            changes=outcome.progress.counts,
            gone=gone,
            reason=reason,
        )
    cloud_drift.remember(runner.home, runner.city)
    _report(found, as_json)
    done = sum(o.progress.done for o in found)
    _say(f"{operation}: {len(found)} stacks, {done} operations, {time.monotonic() - begin:.1f} s")
    if len(found) < len(wanted):
        left = ", ".join(s.name for s in wanted if s.name not in {o.stack.name for o in found})
        _say(f"not begun: {left}; run it again to go on")
    return found


def _report(found: list[Outcome], as_json: bool) -> None:
    if as_json:
        print(json.dumps([_row(o) for o in found], ensure_ascii=False, indent=1))
    elif any(o.operation in ("preview", "refresh") for o in found):
        for outcome in found:
            if outcome.progress.changed:
                _show(outcome)


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "stack": outcome.stack.name,
        "operation": outcome.operation,
        "ok": outcome.ok,
        "seconds": round(outcome.seconds, 2),
        "changes": outcome.progress.counts,
        "steps": [
            {"op": c.op, "type": c.type, "urn": c.urn, "system": c.system, "keys": list(c.keys)}
            for c in outcome.changes
        ],
        "error": "" if outcome.ok else outcome.why(),
        "log": str(Path(outcome.log)),
    }


def _exit(found: list[Outcome]) -> None:
    """End with 1 when a stack failed, saying why; return otherwise."""
    failed = [o for o in found if not o.ok]
    for outcome in failed:
        _say(f"\n{outcome.stack.name}: {outcome.operation} failed\n{outcome.why()}")
        _say(f"log: {outcome.log}")
    if failed:
        raise typer.Exit(1)
