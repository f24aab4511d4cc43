"""`gaoling cloud`: the stacks of a city, many at once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gaoling.cli import cloud_adoption, cloud_bill, cloud_drift, cloud_import, cloud_policy
from gaoling.cli import cloud_flow as flow

if TYPE_CHECKING:
    from gaoling.cloud.run import Extra, Outcome, Runner
    from gaoling.cloud.stacks import Stack

app = typer.Typer(no_args_is_help=True, help="The cloud as the register says (Pulumi stacks).")
Regions = Annotated[
    list[str] | None, typer.Option("--region", help="Only this region; may be repeated.")
]
Stacks = Annotated[
    list[str] | None, typer.Option("--stack", help="Only this stack; may be repeated.")
]
Departments = Annotated[
    list[str] | None,
    typer.Option(
        "--department", metavar="ID", help="Only this department's landing zones; repeatable."
    ),
]
Jobs = Annotated[int, typer.Option(min=1, help="Stacks run at once.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow-delete", metavar="URN", help="This may go, data and all; repeatable."),
]
Reason = Annotated[str, typer.Option(help="Why: it stands in the journal.")]
Patience = Annotated[
    float | None,
    typer.Option(min=1, help="Seconds without a word after which a run is stopped [1800]."),
]
JOBS = 2

app.command("drift")(cloud_drift.drift)
app.command("adoption")(cloud_adoption.adoption)
app.command("bill")(cloud_bill.bill)
app.command("import")(cloud_import.import_)
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
    from gaoling.cloud.home import commit_stacks

    city, home, found = flow.select(region, None)
    if write:
        for path in commit_stacks(city, found):
            flow.say(f"written: {path}")
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

    home = flow.home()
    for name, value in (toolchain.environment(home.state) | home.variables()).items():
        print(f"export {name}={shlex.quote(value)}")


@app.command()
def preview(
    region: Regions = None,
    stack: Stacks = None,
    department: Departments = None,
    jobs: Jobs = JOBS,
    save_plan: Annotated[
        Path | None,
        typer.Option("--save-plan", metavar="DIR", help="Keep what was reviewed: see `up --plan`."),
    ] = None,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit code 3 when something would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what `up` would change. Nothing is changed.

    Example: `gaoling cloud preview --expect-no-changes`
    """
    from gaoling.cloud import plans

    if save_plan and department:
        raise typer.BadParameter("--save-plan: a plan is of whole stacks, not of --department")
    runner, wanted = flow.runner_for(region, stack, jobs, department)
    confined = flow.targets(runner, department, held=False)

    def extra(one: Stack) -> list[str]:
        plan = ["--save-plan", str(plans.path_of(save_plan, one))] if save_plan else []
        return [*confined(one), *plan]

    if save_plan:
        save_plan = save_plan.resolve()
        plans.begin(save_plan)
    found = runner.all("preview", wanted, extra=extra)
    if runner.interrupted:
        flow.stop("nothing was changed")
    flow.report(found, as_json)
    flow.end(found)
    if save_plan:
        sealed = plans.seal(save_plan, runner.city.settings.id, found)
        flow.say(f"reviewed: {sealed}; to do exactly that: gaoling cloud up --plan {save_plan}")
    if expect_no_changes and any(o.progress.changed for o in found):
        raise typer.Exit(3)


@app.command()
def up(
    region: Regions = None,
    stack: Stacks = None,
    department: Departments = None,
    jobs: Jobs = JOBS,
    yes: Yes = False,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="DIR", help="Do what was reviewed there and nothing else."),
    ] = None,
    allow_delete: Allow = None,
    reason: Reason = "",
    force_shrink: Annotated[
        bool, typer.Option("--force-shrink", help="The register has really lost that many rows.")
    ] = False,
    patience: Patience = None,
    as_json: AsJson = False,
) -> None:
    """Make the cloud what the register says. Shows the change and asks first.

    A delete or replace of what may hold data is refused unless it is named with --allow-delete and
    a --reason. A stack in which nothing changes is not run; a new one is not previewed with --yes.
    Exit codes: 0 done, 1 failed or refused, 2 bad input, 130 interrupted.

    Example: `gaoling cloud up --region primary --yes`
    """
    from gaoling.cloud import guard
    from gaoling.cloud.resume import resume

    if plan and department:
        raise typer.BadParameter("--plan: a plan is of whole stacks, not of --department")
    runner, wanted = flow.runner_for(region, stack, jobs, department, patience)
    memory = runner.home.folder / f"{runner.city.settings.id}.register.json"
    guard.refuse_shrunken(runner.city, memory, force_shrink)
    resume(runner, wanted)
    if plan:
        _as_reviewed(runner, wanted, plan.resolve(), yes, allow_delete or [], reason, as_json)
        return
    extra = flow.targets(runner, department, held=False)
    # of a stack that is new nothing can be lost, and with --yes nobody looks at its preview
    fresh = [s for s in wanted if yes and not runner.holds(s.name)]
    known = [s for s in wanted if s not in fresh]
    with runner.locking():
        planned = flow.allowed(runner, known, "preview", allow_delete or [], reason, extra)
        if not flow.agree("up", planned, yes, as_json):
            return
        run, idle = flow.due(planned, fresh)
        projects = _losing(runner, planned)
        found = flow.go(runner, "up", run, reason, as_json, idle, extra)
        _sweep(runner, found, projects)
    if all(o.ok for o in found) and not (region or stack or department):
        guard.remember(runner.city, memory)
    flow.end(found)


def _as_reviewed(
    runner: Runner, wanted: list[Stack], plan: Path, yes: bool, allow: list[str], reason: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Do what was reviewed; the engine refuses whatever the plan has not."""
    from gaoling.cloud import guard, plans

    planned = plans.reviewed(plan, runner.city.settings.id, wanted)
    guard.refuse_losses([c.urn for c in guard.losses(planned)], allow, reason)
    if not flow.agree("up", planned, yes, as_json):
        return

    def extra(stack: Stack) -> list[str]:
        return ["--plan", str(plans.path_of(plan, stack))]

    run, projects = [o.stack for o in planned], _losing(runner, planned)
    found = flow.go(runner, "up", run, reason, as_json, extra=extra)
    _sweep(runner, found, projects)
    if any(plans.refused(o) for o in found):
        flow.say(f"{plan}: is not what would be done now: review it again")
    flow.end(found)


@app.command()
def refresh(
    region: Regions = None,
    stack: Stacks = None,
    department: Departments = None,
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
    from gaoling.cloud.resume import resume

    runner, wanted = flow.runner_for(region, stack, jobs, department)
    if not preview_only:
        resume(runner, wanted)
    wanted, extra = _held(runner, wanted, department)
    found = runner.all(
        "refresh", wanted, *(["--preview-only"] if preview_only else []), extra=extra
    )
    flow.report(found, as_json)
    if runner.interrupted:
        flow.stop("run it again to go on")
    flow.end(found)
    if expect_no_changes and any(o.progress.changed for o in found):
        raise typer.Exit(3)


def _held(
    runner: Runner, wanted: list[Stack], department: list[str] | None
) -> tuple[list[Stack], Extra]:
    """Return the stacks that hold something of the departments, and what confines a run to it."""
    extra = flow.targets(runner, department, held=True)
    if department:
        wanted = [s for s in wanted if "--target" in extra(s)]
    return wanted, extra


@app.command()
def destroy(
    region: Regions = None,
    stack: Stacks = None,
    department: Departments = None,
    jobs: Jobs = JOBS,
    yes: Yes = False,
    allow_delete: Allow = None,
    reason: Reason = "",
    patience: Patience = None,
    as_json: AsJson = False,
) -> None:
    """Remove all that the named stacks hold. What is protected has to be named.

    Example: `gaoling cloud destroy --stack lab-primary-scratch`
    """
    from gaoling.cloud.resume import resume

    runner, wanted = flow.runner_for(region, stack, jobs, department, patience)
    resume(runner, wanted)
    wanted, extra = _held(runner, wanted, department)
    with runner.locking():
        _destroy(runner, wanted, yes, allow_delete or [], reason, as_json, department, extra)


def _destroy(
    runner: Runner,
    wanted: list[Stack],
    yes: bool,
    allow: list[str],
    reason: str,
    as_json: bool,
    department: list[str] | None,
    extra: Extra,
) -> None:
    planned = flow.allowed(runner, wanted, "destroy", allow, reason, extra)
    if not flow.agree("destroy", planned, yes, as_json):
        return
    projects = _projects(runner, wanted, department)
    found = flow.go(runner, "destroy", [o.stack for o in planned], reason, as_json, extra=extra)
    _sweep(runner, found, projects)
    flow.end(found)


def _losing(runner: Runner, planned: list[Outcome]) -> set[str]:
    """Return the ids of the projects of stacks that lose one; those that stay are left alone."""
    from gaoling.cloud.importing import PROJECT

    losing = [o.stack for o in planned
              if any(c.destructive and c.type == PROJECT for c in o.changes)]  # fmt: skip
    return _projects(runner, losing, None)


def _sweep(runner: Runner, found: list[Outcome], projects: set[str]) -> None:
    """Remove what these projects left behind, as far as they are gone; after a run that is whole.

    One that failed has its own word to say, and may have failed because the services are away.
    """
    from gaoling.cloud import sweep
    from gaoling.cloud.home import cloud_of

    if projects and all(o.ok for o in found):
        clouds = {cloud_of(runner.city, r) for r in runner.city.region}
        for line in sweep.sweep(runner.home.clouds, sorted(clouds), projects):
            flow.say(f"removed with it: {line}")


def _projects(runner: Runner, wanted: list[Stack], department: list[str] | None) -> set[str]:
    """Return the ids of the projects of what goes: of systems whose row is gone too."""
    systems = {s.id for s in runner.city.systems if s.department in (department or ())}
    found: set[str] = set()
    for one in wanted:
        if one.part != "platform":
            held = json.loads(runner.outputs(one.name)).get("projects", {})
            found.update(p for system, p in held.items() if not department or system in systems)
    return found


@app.command()
def restore(
    stack: Annotated[str, typer.Option("--stack", help="The stack whose state file is broken.")],
) -> None:
    """Put the newest whole copy of a broken state file in its place; the broken one is kept.

    What was made since that copy is found in the cloud by the next `up`: nothing is made twice.

    Example: `gaoling cloud restore --stack lab-primary-0`
    """
    from gaoling.cloud import journal, states
    from gaoling.cloud.settle import Marks

    _, home, (one,) = flow.select(None, [stack])
    if home.local is None:
        raise typer.BadParameter(f"restore: {home.url} is not a folder; use the backend's backups")
    try:
        copy, aside = states.restore(home.local, one.name, home.good)
    except states.StateError as error:
        flow.say(f"gaoling: {error}")
        raise typer.Exit(2) from None
    marks = Marks.read(home.marks(one.name))
    marks.everything = True
    marks.write()
    journal.append(home.state, "cloud restore", stack=one.name, copy=str(copy.path))
    if aside:
        flow.say(f"the broken file is {aside}")
    flow.say(
        f"{one.name}: {copy.path} of {copy.written} ({copy.resources} resources) is in place; "
        f"now: gaoling cloud up --stack {one.name}"
    )
