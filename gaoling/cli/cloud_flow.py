"""What the commands of `gaoling cloud` have in common: choose, look, ask, do, report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from gaoling.cli import cloud_drift, context

if TYPE_CHECKING:
    from gaoling.city import City
    from gaoling.cloud.home import Home
    from gaoling.cloud.run import Extra, Operation, Outcome, Runner
    from gaoling.cloud.stacks import Stack

SHOWN = 40  # changes printed a stack; --json has all of them
INTERRUPTED = 130


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def home(city: City | None = None) -> Home:
    """Return the home of the chosen city's stacks; ends with 2 when its backend cannot be used.

    `city` is that city where it has been read already.
    """
    from gaoling.cloud.home import Home, backend_of
    from gaoling.cloud.states import StateError

    given = context.access("cloud") / "clouds.yaml"
    try:
        found = Home(context.state(), given, backend_of(city or context.city(quiet=True)))
        found.url  # noqa: B018  (looked at here)
        return found
    except StateError as error:
        say(f"gaoling: {error}")
        raise typer.Exit(2) from None


def select(
    regions: list[str] | None, names: list[str] | None, departments: list[str] | None = None
) -> tuple[City, Home, list[Stack]]:
    """Return the city, the home of its stacks, and those that are wanted of them.

    Ends with 2 for a name that there is not.
    """
    from gaoling.cloud.stacks import stacks as all_stacks
    from gaoling.cloud.stacks import zones

    city = context.city()
    there = home(city)
    try:
        found = all_stacks(city, regions or (), there.held())
        if unknown := set(names or ()) - {s.name for s in found}:
            known = ", ".join(s.name for s in found)
            raise ValueError(f"--stack {', '.join(sorted(unknown))}: expected of {known}")
        found = [s for s in found if not names or s.name in names]
        if departments:
            found = [s for s in found if zones(city, s, departments)]
            if not found:
                raise ValueError(
                    f"--department {', '.join(departments)}: none of its systems is on the cloud "
                    "in these stacks"
                )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return city, there, found


def runner_for(
    regions: list[str] | None,
    names: list[str] | None,
    jobs: int,
    departments: list[str] | None = None,
    patience: float | None = None,
) -> tuple[Runner, list[Stack]]:
    """Return a runner that is ready; ends with 2 when the credentials cannot be used."""
    from gaoling.cloud import access, states
    from gaoling.cloud.home import cloud_of
    from gaoling.cloud.run import PATIENCE_SECONDS, Runner

    city, there, wanted = select(regions, names, departments)
    runner = Runner(there, city, say, jobs=jobs, patience=patience or PATIENCE_SECONDS)
    try:
        for cloud in sorted({cloud_of(city, s.region) for s in wanted}):
            access.projects(cloud, runner.home.given)  # one call says whether the credentials work
        runner.prepare(wanted)
    except (access.AccessError, states.StateError) as error:
        say(f"gaoling: {error}")
        raise typer.Exit(2) from None
    return runner, wanted


def targets(runner: Runner, departments: list[str] | None, held: bool) -> Extra:
    """Return what confines a run to some departments: their landing zones and all in them.

    `held` keeps to what the state has: of nothing else can a refresh or a destroy be told.
    """
    from gaoling.cloud.stacks import zones

    def flags(stack: Stack) -> list[str]:
        if not departments:
            return []
        urns = zones(runner.city, stack, departments)
        if held:
            there = runner.resources(stack.name)
            urns = [urn for urn in urns if urn in there]
        chosen = [word for urn in urns for word in ("--target", urn)]
        return [*chosen, "--target-dependents"]

    return flags


def allowed(
    runner: Runner,
    wanted: Sequence[Stack],
    operation: Operation,
    allow: list[str],
    reason: str,
    extra: Extra = lambda _: (),
) -> list[Outcome]:
    """Return the previews of an operation, once nothing in them loses data that was not named.

    What is protected and named is unlocked here: call it in `runner.locking()`. So is a volume that
    Cinder never scheduled, named or not. Raises guard.Refused.
    """
    from gaoling.cloud import guard

    def look() -> list[Outcome]:
        flags = ["--preview-only"] if operation == "destroy" else []
        found = runner.all(operation, wanted, *flags, extra=extra)
        if runner.interrupted:
            stop("nothing was changed")
        return found

    found, seen = look(), dict[str, str]()
    # where one thing is unlocked, what it stands on may be locked too
    while stopped := _locked(runner, found, extra, seen):
        seen |= stopped
        guard.refuse_losses(_may_hold_data(runner, seen), allow, reason)
        for urn, name in stopped.items():
            runner.unlock(name, urn)
        found = look()
    end(found)
    if operation == "preview":  # a stack to be destroyed was named, and protects what it must keep
        lost = {c.urn: o.stack.name for o in found for c in guard.losses([o])}
        guard.refuse_losses(_may_hold_data(runner, lost), allow, reason)
    return found


def _may_hold_data(runner: Runner, lost: dict[str, str]) -> set[str]:
    """Return what of `lost` (URN -> stack) may hold data; what does not is said, once a run."""
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    from gaoling.cloud.resume import connections, named
    from gaoling.cloud.settle import Unsettled
    from gaoling.cloud.unscheduled import unscheduled

    asked = lost.keys() - runner.unscheduled.keys()
    for stack in sorted({lost[urn] for urn in asked}):
        urns = sorted(urn for urn in asked if lost[urn] == stack)
        try:
            fresh = unscheduled(urns, runner.rows(stack), connections(runner))
        except (ClientException, SDKException, Unsettled) as error:
            line = str(error).partition("\n")[0]
            say(f"{stack}: what is in its volumes could not be asked: {line}")
            continue
        for urn, identity in fresh.items():
            say(f"{stack}: {named(urn)} {identity} never came to be: Cinder found no place for it, "
                "and nothing is in it: it needs no --allow-delete")  # fmt: skip
        runner.unscheduled |= fresh
    return set(lost) - set(runner.unscheduled)


def _locked(
    runner: Runner, found: Sequence[Outcome], extra: Extra, seen: Collection[str]
) -> dict[str, str]:
    """Return what stopped previews because it is protected: URN -> stack, without `seen`.

    A preview ends at the first of them. Unless it was confined to something, all that is protected
    and no longer declared would be the next.
    """
    from gaoling.cloud import guard

    stopped: dict[str, str] = {}
    for outcome in found:
        urns = set() if outcome.ok else set(guard.protected(outcome))
        if urns and not extra(outcome.stack):
            urns |= runner.protected(outcome.stack.name) - outcome.progress.kept
        stopped |= dict.fromkeys(sorted(urns - set(seen)), outcome.stack.name)
    return stopped


def agree(operation: str, planned: Sequence[Outcome], yes: bool, as_json: bool) -> bool:
    """Show the change, destructive steps first, and ask; return whether to go on."""
    changed = [o for o in planned if not o.progress.still]
    if not as_json:
        for outcome in changed:
            show(outcome)
    if yes:
        return True
    if not changed:
        say("nothing to change")
        return False
    return typer.confirm(f"{operation}: {len(changed)} stacks?", default=False)


def due(planned: Sequence[Outcome], fresh: Sequence[Stack]) -> tuple[list[Stack], list[Outcome]]:
    """Return the stacks that have to be run, and the previews of those that need not.

    A stack in which nothing changes is left out when nothing before it in the order changes either:
    what those give to it may be another afterwards.
    """
    first = min(
        [s.wave for s in fresh] + [o.stack.wave for o in planned if not o.progress.still],
        default=None,
    )
    idle = [o for o in planned if o.progress.still and (first is None or o.stack.wave <= first)]
    left = {o.stack.name for o in idle}
    run = [*fresh, *(o.stack for o in planned if o.stack.name not in left)]
    return run, idle


def show(outcome: Outcome) -> None:
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
    if outcome.progress.outputs_differ and not ordered:
        print("   its outputs only")


def go(
    runner: Runner,
    operation: Operation,
    wanted: Sequence[Stack],
    reason: str,
    as_json: bool,
    idle: Sequence[Outcome] = (),
    extra: Extra = lambda _: (),
) -> list[Outcome]:
    """Run an operation, write it into the journal, report; return what each stack came to."""
    from gaoling.cloud import journal

    begin = time.monotonic()
    found = runner.all(operation, wanted, backwards=operation == "destroy", extra=extra)
    for outcome in found:
        gone = [c.urn for c in outcome.changes if c.destructive and c.stateful]
        journal.append(
            runner.home.state,
            f"cloud {operation}",
            stack=outcome.stack.name,
            ok=outcome.ok,
            changes=outcome.progress.counts,
            gone=gone,
            unscheduled=sorted(set(gone) & runner.unscheduled.keys()),
            reason=reason,
        )
    cloud_drift.remember(runner.home, runner.city)
    report(found, as_json, operation, idle)
    done = sum(o.progress.done for o in found)
    same = f", {len(idle)} as they should be" if idle else ""
    say(f"{operation}: {len(found)} stacks{same}, {done} operations, "
        f"{time.monotonic() - begin:.1f} s")  # fmt: skip
    if len(found) < len(wanted):
        left = ", ".join(s.name for s in wanted if s.name not in {o.stack.name for o in found})
        say(f"not begun: {left}; run it again to go on")
    if runner.interrupted:
        said_why(found)
        stop(f"{done} operations were done; run it again to go on")
    return found


def report(
    found: Sequence[Outcome],
    as_json: bool,
    operation: Operation | None = None,
    idle: Sequence[Outcome] = (),
) -> None:
    if as_json:
        rows = [row(o) | ({"operation": operation} if operation else {}) for o in [*found, *idle]]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    elif any(o.operation in ("preview", "refresh") for o in found):
        for outcome in found:
            if outcome.progress.changed:
                show(outcome)


def row(outcome: Outcome) -> dict[str, Any]:
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


def said_why(found: Sequence[Outcome]) -> bool:
    """Say why stacks failed; return whether any did."""
    failed = [o for o in found if not o.ok]
    for outcome in failed:
        say(f"\n{outcome.stack.name}: {outcome.operation} failed\n{outcome.why()}")
        say(f"log: {outcome.log}")
    return bool(failed)


def end(found: Sequence[Outcome]) -> None:
    """End with 1 when a stack failed, saying why; return otherwise."""
    if said_why(found):
        if any(" answered 404" in o.why() for o in found if not o.ok):
            say("404: the state holds what is no longer in the cloud; gaoling cloud refresh first")
        say("what was done stays done; run it again to go on")
        raise typer.Exit(1)


def stop(what: str) -> NoReturn:
    """End as interrupted."""
    say(f"interrupted: {what}")
    raise typer.Exit(INTERRUPTED)
