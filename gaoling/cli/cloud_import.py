"""`gaoling cloud import`: files for `pulumi import -f`, from what a project has already."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaoling.cli import context

if TYPE_CHECKING:
    from gaoling.city import City, System
    from gaoling.cloud.importing import Files, Match
    from gaoling.cloud.run import Runner

SECOND = ".inside"  # before the suffix of the second file


def import_(
    system: Annotated[str, typer.Option(metavar="ID", help="A system of the register.")] = "",
    project: Annotated[
        str, typer.Option(metavar="NAME", help="Its project, when it is not <city>-<system>.")
    ] = "",
    region: Annotated[str, typer.Option(help="The region; the first one if unsaid.")] = "",
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the file there, and a second one.")
    ] = None,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Afterwards: give the state what it lacks."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the files with which Pulumi takes over what a project has already.

    The system's row has to be in the register (migrating or on the cloud): a preview of its stack
    says under which names. Nothing is changed, neither in the cloud nor in the state; only
    --complete, run when all is imported, writes into the state what Pulumi's provider does not
    read, and would replace servers and security groups for. Exit codes: 0 done, 1 nothing to import
    or no answer, 2 bad input.

    Example: `gaoling cloud import --system health --project old-health --write health.json`
    """
    from gaoling.cli import cloud_flow
    from gaoling.cloud import importing
    from gaoling.cloud.connect import connect
    from gaoling.cloud.demand import home, project_name
    from gaoling.cloud.home import cloud_of
    from gaoling.cloud.importing_contents import contents, project_of
    from gaoling.cloud.stacks import mapping, stack_name

    city = context.city(quiet=True)
    region = region or home(city).name
    if region not in city.region:
        raise typer.BadParameter(
            f"--region: found {region!r}, expected one of {', '.join(city.region)}"
        )
    row = _system(city, system, project)
    number = mapping(city).get(row.department)
    if number is None or not row.has_landing_zone:
        raise typer.BadParameter(
            f"{row.id}: found migration {row.migration} and state {row.state}, expected a system "
            "that is migrating or on the cloud, not planned and not classified"
        )
    name = stack_name(city, region, str(number))
    runner, _ = cloud_flow.runner_for([region], [name], 1)
    connection = connect(runner.home.given, cloud_of(city, region))
    if complete:
        _complete(runner, name, connection, as_json)
        return
    mine = project_of(connection, project or project_name(city, row))
    wanted = importing.read_preview(_preview(runner, name), row.id)
    found = importing.match(
        wanted, contents(connection, mine), mine.id, connection.config.get_region_name() or ""
    )
    made = importing.files(found)
    paths = _write(write, made) if write else []
    commands = _commands(made, paths, name, runner.home.config_file(name)) if paths else []
    if paths and any("instance:Instance" in u or "secGroup:SecGroup:" in u for u in found.ids):
        last = ["gaoling", "cloud", "import", "--system", row.id, "--region", region, "--complete"]
        commands.insert(-1, shlex.join(last))
    if as_json:
        print(json.dumps(_json(found, made, commands), ensure_ascii=False, indent=1))
        return
    _show(found)
    for command in commands:
        print(command)


def _system(city: City, system: str, project: str) -> System:
    """Return the row that is meant: by its id, else by the name that its project has."""
    if not system and project:
        system = project.removeprefix(f"{city.settings.id}-")
    if system in city.system:
        return city.system[system]
    known = ", ".join(s.id for s in city.systems if s.has_landing_zone)
    if not system:
        raise typer.BadParameter("found neither --system nor --project, expected one of them")
    raise typer.BadParameter(
        f"--system: found {system!r}, expected a system of the register ({known}); a project "
        "without a row needs one first, or --system says whose it is"
    )


def _preview(runner: Runner, stack: str) -> dict[str, Any]:
    """Return what a preview of the stack declares. Raises ImportingError."""
    from gaoling.cloud.importing import ImportingError
    from gaoling.cloud.stacks import ROOT

    environment = runner.home.environment()
    environment.pop("PULUMI_OPTION_POLICY_PACK", None)  # what is there already is not judged here
    command = ["pulumi", "preview", "--json", "--show-sames", "--non-interactive", "--stack", stack]
    command += ["--config-file", str(runner.home.config_file(stack))]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        found = {}
    if done.returncode:
        said = [d.get("message", "") for d in found.get("diagnostics", ())]
        text = "\n".join(said).strip() or done.stderr.strip() or f"exit {done.returncode}"
        raise ImportingError(f"{stack}: the preview failed: {text[-2000:]}")
    return found


def _complete(runner: Runner, stack: str, connection: Any, as_json: bool) -> None:
    """Write into the state what the provider did not read of what it imported."""
    from gaoling.cloud import importing_state, journal

    held = json.loads(runner.pulumi(["stack", "export", "--stack", stack]))
    made, done = importing_state.complete(held, lambda s: importing_state.known(connection, s))
    if done:
        runner.pulumi(["stack", "import", "--stack", stack], stdin=json.dumps(made))
        journal.append(runner.home.state, "cloud import --complete", stack=stack, urns=done)
    if as_json:
        print(json.dumps({"stack": stack, "completed": done}, indent=1))
        return
    for urn in done:
        print(f"已补全（服务器的端口、user_data 摘要、反亲和组；安全组的创建标志）：{urn}")
    if not done:
        print("没有需要补全的资源")


def _write(path: Path, made: Files) -> list[Path]:
    """Write the files; return their paths: one, or two."""
    written = []
    second = path.with_name(f"{path.stem}{SECOND}{path.suffix or '.json'}")
    for target, data in ((path, made.first), (second, made.second)):
        if data is None:
            continue
        try:
            target.write_text(
                json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
        except OSError as error:
            raise typer.BadParameter(
                f"--write: {target}: {error.strerror}, expected a file to write"
            ) from None
        print(f"written: {target}", file=sys.stderr)
        written.append(target)
    return written


def _commands(made: Files, paths: list[Path], stack: str, config: Path) -> list[str]:
    """Return what to run, in order; a shell needs `eval "$(gaoling cloud env)"` first."""
    where = ["--stack", stack, "--config-file", str(config)]
    command = ["pulumi", "import", "--generate-code=false", "--yes", *where, "--file"]
    found = [shlex.join([*command, str(paths[0].absolute())])]
    if made.second is not None:
        targets = [word for urn in made.targets for word in ("--target", urn)]
        # of what is no target the engine shows the policies empty arguments: they would refuse it
        plain = ["env", "-u", "PULUMI_OPTION_POLICY_PACK", "pulumi", "up", "--yes"]
        found.append(shlex.join([*plain, *where, *targets]))
        found.append(shlex.join([*command, str(paths[1].absolute())]))
    return [*found, shlex.join(["pulumi", "preview", *where])]


def _show(found: Match) -> None:
    from gaoling.cloud.importing import UNREAD

    print(f"# 可导入 {len(found.ids)} 项")
    by_urn = {w.urn: w for w in found.wanted}
    for urn in found.by_order:
        print(f"# 按次序对应（名称不同）：{by_urn[urn].type} {by_urn[urn].name} ← {found.ids[urn]}")
    for wanted, how in found.differing:
        print(f"# 与声明不同：{wanted.type} {wanted.name}: {how}")
    for wanted, why in found.missing:
        print(f"# 未导入，由 pulumi up 新建：{wanted.type} {wanted.name}: {why}")
    for item in found.left:
        print(f"# 程序中没有位置，留在 Pulumi 之外：{item.kind} {item.name} {item.id}")
    kinds = {by_urn[urn].type for urn in found.ids}
    for kind in sorted(kinds & UNREAD.keys()):
        print(f"# 导入后预览会显示差异：{kind}: {UNREAD[kind]}")


def _json(found: Match, made: Files, commands: list[str]) -> dict[str, Any]:
    def short(rows: list[Any]) -> list[dict[str, str]]:
        return [{"type": w.type, "name": w.name, "because": why} for w, why in rows]

    return {
        "imported": found.ids,
        "by_order": found.by_order,
        "differing": short(found.differing),
        "missing": short(found.missing),
        "left": [{"kind": i.kind, "id": i.id, "name": i.name} for i in found.left],
        "files": [made.first, *([made.second] if made.second else [])],
        "commands": commands,
    }
