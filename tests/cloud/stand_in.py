"""A stand-in for Pulumi's CLI: it plays the events that a test laid out for a stack."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from typer.testing import CliRunner

from gaoling.city import read_city
from gaoling.cloud.home import Home
from gaoling.cloud.run import Runner

ROOT = Path(__file__).resolve().parents[2]
CITY = read_city(ROOT / "inventories/lab")
VOLUME = "openstack:blockstorage/volume:Volume"
URN = f"urn:pulumi:lab-primary-0::gaoling::gaoling:cloud:LandingZone${VOLUME}::health-data-1"

# Writes down how it was called, then plays the events that the test laid out for the stack.
STAND_IN = """#!{python}
import json, os, pathlib, sys, time
home = pathlib.Path(os.environ["STAND_IN"])
arguments = sys.argv[1:]
line = {{"arguments": arguments, "names": sorted(os.environ), "cwd": os.getcwd()}}
with (home / "calls").open("a") as file:
    file.write(json.dumps(line) + "\\n")
if arguments[:2] == ["stack", "init"]:
    pathlib.Path(f"Pulumi.{{arguments[2]}}.yaml").write_text("encryptionsalt: v1:salt\\n")
    state = pathlib.Path(os.environ["PULUMI_BACKEND_URL"][7:], ".pulumi/stacks/gaoling")
    state.mkdir(parents=True, exist_ok=True)
    held = home / f"state-{{arguments[2]}}.json"
    text = held.read_text() if held.exists() else '{{"version": 3, "checkpoint": {{}}}}'
    (state / f"{{arguments[2]}}.json").write_text(text)
if arguments[:2] == ["stack", "export"]:
    name = arguments[arguments.index("--stack") + 1]
    state = pathlib.Path(os.environ["PULUMI_BACKEND_URL"][7:], ".pulumi/stacks/gaoling")
    latest = json.loads((state / f"{{name}}.json").read_text())["checkpoint"].get("latest")
    print(json.dumps({{"version": 3, "deployment": latest}}))
if arguments[:2] == ["stack", "import"]:
    name = arguments[arguments.index("--stack") + 1]
    state = pathlib.Path(os.environ["PULUMI_BACKEND_URL"][7:], ".pulumi/stacks/gaoling")
    given = json.load(sys.stdin)
    (state / f"{{name}}.json").write_text(
        json.dumps({{"version": 3, "checkpoint": {{"latest": given["deployment"]}}}})
    )
if arguments[:2] == ["config", "set"]:
    sys.stdin.read()
if "--event-log" in arguments:
    stack = arguments[arguments.index("--stack") + 1]
    play = home / f"{{arguments[0]}}-{{stack}}.json"
    events = json.loads(play.read_text()) if play.exists() else []
    log = pathlib.Path(arguments[arguments.index("--event-log") + 1])
    said = [e for e in events if not {{"code", "sleep"}} & set(e)]
    log.write_text("".join(json.dumps(e) + "\\n" for e in said))
    if "--save-plan" in arguments:
        plan = home / f"plan-{{stack}}.json"
        text = plan.read_text() if plan.exists() else '{{"resourcePlans": {{}}}}'
        pathlib.Path(arguments[arguments.index("--save-plan") + 1]).write_text(text)
    time.sleep(sum(e.get("sleep", 0) for e in events))
    sys.exit(next((e["code"] for e in events if "code" in e), 0))
"""


def install(folder: Path) -> None:
    """Put it into a folder as the programs that a run looks for."""
    folder.mkdir()
    program = folder / "pulumi"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    for name in ("pulumi-language-python", "pulumi-resource-openstack"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def play(folder, name, *events):
    (folder / f"{name}.json").write_text(json.dumps(events))


def holds(folder, *names, pending=(), resources=None):
    """Lay out stacks that have been run: their state is not empty."""
    for name in names:
        urn = f"urn:pulumi:{name}::gaoling::pulumi:pulumi:Stack::gaoling-{name}"
        held = [{"urn": urn, "type": "pulumi:pulumi:Stack"}]
        latest = {"manifest": {"time": "2026-01-01T00:00:00.1Z"}, "resources": resources or held}
        if pending:
            latest["pending_operations"] = list(pending)
        text = json.dumps({"version": 3, "checkpoint": {"latest": latest}})
        (folder / f"state-{name}.json").write_text(text)


def calls(folder):
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def step(op, urn=URN, kind=VOLUME):
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "type": kind}}}


def runner(folder):
    home = Home(folder / "state", folder / "access" / "cloud" / "clouds.yaml")
    return Runner(home, CITY, lambda _: None, jobs=2)


def gaoling(*arguments):
    from gaoling.cli.cloud import app

    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)
