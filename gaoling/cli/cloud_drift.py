"""`gaoling cloud drift`: where the cloud is not what the stacks made of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaoling.cli import context

if TYPE_CHECKING:
    from gaoling.city import City
    from gaoling.cloud.drift import Finding, Report
    from gaoling.cloud.drift_declared import Declared
    from gaoling.cloud.home import Home
    from gaoling.cloud.run import Outcome
    from gaoling.cloud.stacks import Stack

KINDS = {"changed": "已变更", "missing": "缺失", "foreign": "外来（无人声明）",
         "orphan": "孤儿（带我方标记，无栈持有）"}  # fmt: skip
JOBS = 2


def drift(
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Only this region; may be repeated.")
    ] = None,
    department: Annotated[
        list[str] | None,
        typer.Option("--department", help="Only this department's systems; may be repeated."),
    ] = None,
    probe_only: Annotated[
        bool,
        typer.Option("--probe-only", help="Without Pulumi's refresh: seconds, and no toolchain."),
    ] = False,
    note: Annotated[
        bool,
        typer.Option(
            "--note",
            help="Only write down what the stacks hold, for the exporter; after a plain pulumi up.",
        ),
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Stacks refreshed at once.")] = JOBS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say where the cloud is not what the stacks made of it. Nothing is changed.

    Pulumi's refresh, and a probe that sees what the provider does not: sync keys, ACLs, quotas,
    rules and resources that nobody declared. Exit codes: 0 none, 3 drift, 1 a region could not be
    asked for everything (what was found is printed), 2 bad input.

    Example: `gaoling cloud drift --region primary --probe-only`
    """
    from gaoling.cloud import access, drift_compare
    from gaoling.cloud.drift import Report, merged, selected
    from gaoling.cloud.drift_declared import DeclaredError, path_of, remember
    from gaoling.cloud.drift_refresh import findings
    from gaoling.cloud.home import Home

    city = context.city()
    regions = _regions(city, region)
    systems = _systems(city, department)
    home = Home(context.state(), context.access("cloud") / "clouds.yaml")
    try:
        if not note:
            _entries(city, home, regions)
        declared = remember(home, city)
    except (access.AccessError, DeclaredError) as error:
        _say(f"gaoling: {error}")
        raise typer.Exit(2) from None
    if note:
        print(f"{len(declared.held)} resources: {path_of(home, city)}")
        return
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        probe = pool.submit(_probe, city, home, regions)
        runs = [] if probe_only else _refresh(city, home, declared, regions, systems, jobs)
        report = drift_compare.compare(city, declared, probe.result())
    for looked in report.regions:
        looked.wrong += [
            f"{o.stack.name}: refresh: {o.why()}"
            for o in runs if not o.ok and o.stack.region == looked.region
        ]  # fmt: skip
    both = merged([*report.findings, *findings(runs, declared)])
    report = Report(selected(both, regions, systems), report.regions)
    seconds = {"all": round(time.monotonic() - begin, 2)}
    if runs:
        seconds["refresh"] = round(max(o.seconds for o in runs), 2)
    seconds["probe"] = max((r.seconds for r in report.regions), default=0.0)
    if as_json:
        about = {"city": city.settings.id, "declared_at": declared.at, "seconds": seconds}
        print(json.dumps({**about, **report.as_json()}, ensure_ascii=False, indent=1))
    else:
        _show(city, report, seconds["all"])
    if not report.whole:
        raise typer.Exit(1)
    if report.findings:
        raise typer.Exit(3)


def remember(home: Home, city: City) -> None:
    """Write down what the stacks hold after a run: the exporter compares the cloud with it."""
    from gaoling.cloud import drift_declared

    try:
        drift_declared.remember(home, city)
    except drift_declared.DeclaredError as error:
        _say(f"gaoling: {error}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _regions(city: City, names: list[str] | None) -> list[str]:
    """Return the regions to look at; ends with 2 for one that the city has not."""
    if unknown := sorted(set(names or ()) - set(city.region)):
        raise typer.BadParameter(
            f"--region {', '.join(unknown)}: expected of {', '.join(city.region)}"
        )
    return [r for r in city.region if not names or r in names]


def _systems(city: City, departments: list[str] | None) -> set[str] | None:
    """Return the systems of some departments, None for all; ends with 2 for an unknown one."""
    if not departments:
        return None
    if unknown := sorted(set(departments) - set(city.department)):
        raise typer.BadParameter(
            f"--department {', '.join(unknown)}: expected of {', '.join(city.department)}"
        )
    return {s.id for s in city.systems if s.department in departments}


def _entries(city: City, home: Home, regions: list[str]) -> None:
    """See that the administrator's clouds.yaml has the regions. Raises AccessError."""
    from gaoling.cloud.access import AccessError, read_clouds
    from gaoling.cloud.home import cloud_of

    given = read_clouds(home.given)["clouds"]
    for region in regions:
        if cloud_of(city, region) not in given:
            found = ", ".join(given) or "nothing"
            raise AccessError(
                f"{home.given}: found {found}, expected an entry {cloud_of(city, region)!r}"
            )


def _probe(city: City, home: Home, regions: list[str]) -> dict[str, Any]:
    """Return what each region has; they are looked at at once."""
    from gaoling.cloud.connect import connect
    from gaoling.cloud.drift_observed import look
    from gaoling.cloud.home import cloud_of

    def one(region: str) -> Any:
        return look(lambda: connect(home.given, cloud_of(city, region)), region, city.settings.id)

    with ThreadPoolExecutor(len(regions)) as pool:
        return dict(zip(regions, pool.map(one, regions), strict=True))


def _refresh(
    city: City, home: Home, declared: Declared, regions: list[str],
    systems: Collection[str] | None, jobs: int,
) -> list[Outcome]:  # fmt: skip
    """Return what refreshes of the stacks that have been run found. Ends with 2 when the stacks
    cannot be prepared."""
    from gaoling.cloud import access, toolchain
    from gaoling.cloud.run import RunError, Runner

    wanted = _stacks(city, declared, regions, systems)
    if not wanted:
        return []
    runner = Runner(home, city, _say, jobs=jobs)
    try:
        runner.prepare(wanted)
    except (access.AccessError, toolchain.ToolchainError, RunError) as error:
        _say(f"gaoling: {error}")
        raise typer.Exit(2) from None
    # one wave: nothing is changed, and a stack that fails hides no other
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda stack: runner.one("refresh", stack, "--preview-only"), wanted))


def _stacks(
    city: City, declared: Declared, regions: list[str], systems: Collection[str] | None
) -> list[Stack]:
    """Return the stacks that hold something of what was asked for."""
    from gaoling.cloud.stacks import stacks

    known = {
        h.urn.split("::")[0].rpartition(":")[2] for h in declared.held
        if systems is None or h.system in systems
    }  # fmt: skip
    return [s for s in stacks(city, regions, known) if s.name in known]


def _show(city: City, report: Report, seconds: float) -> None:
    counts = report.counts
    said = "，".join(f"{KINDS[kind].partition('（')[0]} {n}" for kind, n in counts.items() if n)
    compared = sum(r.compared for r in report.regions)
    total = f"{len(report.findings)} 处（{said}）" if said else "未发现"
    print(f"漂移 {city.settings.name}：{total}；已比对 {compared} 项，{seconds:.1f} 秒")
    for kind, title in KINDS.items():
        rows = [f for f in report.findings if f.kind == kind]
        if rows:
            print(f"\n{title}")
        for one in rows:
            print(f"  {_line(one)}")
    for looked in report.regions:
        if looked.wrong:
            print(f"\n{looked.region} 未能问全，以上不是全部：")
            for line in looked.wrong:
                print("  " + line.replace("\n", "\n  "))


def _line(one: Finding) -> str:
    where = f"{one.region:<8} {one.system or '-':<18} {one.resource}"
    if one.kind == "changed":
        return f"{where}  {one.field}：声明 {one.declared or '空'}，实际 {one.observed or '空'}"
    return f"{where}  {one.observed or one.declared}"
