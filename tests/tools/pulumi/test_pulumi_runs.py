"""Pulumi with what `ensure` gave: programs, policy packs, failures. No cloud is needed."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gaoling.cloud.toolchain import environment, tools

pytestmark = pytest.mark.pulumi

CLOUDS = """
clouds:
  nowhere:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: u, password: kennwort, project_name: p,
           user_domain_name: Default, project_domain_name: Default}
"""
RESOURCES = """
import sys
import pulumi
import pulumi_openstack as openstack

print("said on stdout")
print("said on stderr", file=sys.stderr)
network = openstack.networking.Network("net", admin_state_up=True)
openstack.networking.Subnet("sub", network_id=network.id, cidr="2001:db8:1::/64", ip_version=6)
openstack.blockstorage.QuoteSetV3("quota", project_id="p", volumes=1, snapshots=1, gigabytes=1,
    per_volume_gigabytes=1, backups=1, backup_gigabytes=1, groups=1)
openstack.objectstorage.Container("files", container_sync_key="sehr-geheim")
pulumi.export("answer", 42)
"""
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def validate(args, report):
    if args.resource_type == "openstack:networking/network:Network":
        report("this city has no networks")

PolicyPack("city", policies=[ResourceValidationPolicy(
    name="no-networks", description="Nothing is attached.", validate=validate,
    enforcement_level=EnforcementLevel.MANDATORY)])
"""

SAY = """
import os, pathlib
pathlib.Path({where!r}).write_text(str(os.getpid()))
"""
WAITING = (
    SAY
    + """
import asyncio
import pulumi
import pulumi_openstack as openstack

async def long():
    await asyncio.sleep(60)

openstack.networking.Network("net")
pulumi.Output.from_input(long()).apply(lambda _: None)
"""
)

Project = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The variables of a project in tmp_path/city, with a backend of its own."""
    for name in list(os.environ):
        assert not name.startswith("PULUMI_ACCESS"), "no cloud backend in tests"
    city = tmp_path / "city"
    (city / "infra").mkdir(parents=True)
    (city / "pack").mkdir()
    (tmp_path / "backend").mkdir()
    (tmp_path / "passphrase").write_text("kennwort")
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    (city / "Pulumi.yaml").write_text("name: city\nruntime: python\nmain: infra/\n")
    (city / "pack/PulumiPolicy.yaml").write_text("runtime: python\n")
    (city / "pack/__main__.py").write_text(PACK)
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("OS_", "PULUMI_"))},
        **environment(tmp_path / "state"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/backend",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml"),
        "OS_CLOUD": "nowhere",
    }


@pytest.fixture
def pulumi(home: dict[str, str], tmp_path: Path) -> Project:
    def run(
        *arguments: str, program: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        if program is not None:
            (tmp_path / "city/infra/__main__.py").write_text(program)
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=tmp_path / "city",
            env=home | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert run("stack", "init", "lab").returncode == 0
    return run


def test_a_preview_shows_the_resources_with_automatic_names_and_no_warning(pulumi):
    run = pulumi("preview", "--diff", program=RESOURCES)
    assert run.returncode == 0, run.stdout
    assert "+ 5 to create" in run.stdout
    assert 'name        : "net-' in run.stdout
    assert "containerSyncKey: [secret]" in run.stdout
    assert "sehr-geheim" not in run.stdout + run.stderr
    assert "warning" not in run.stdout + run.stderr


def test_what_a_program_prints_is_shown(pulumi):
    run = pulumi("preview", program=RESOURCES)
    assert "said on stdout" in run.stdout
    assert "said on stderr" in run.stdout


def test_a_mandatory_violation_stops_a_preview(pulumi):
    run = pulumi("preview", "--policy-pack", "pack", program=RESOURCES)
    assert run.returncode != 0
    assert "[mandatory]  no-networks" in run.stdout
    assert "this city has no networks" in run.stdout


def test_a_policy_pack_lets_pass_what_it_allows(pulumi):
    program = "import pulumi\npulumi.export('answer', 42)\n"
    run = pulumi("preview", "--policy-pack", "pack", program=program)
    assert run.returncode == 0, run.stdout


def test_up_refresh_and_destroy_run(pulumi):
    program = "import pulumi\npulumi.ComponentResource('a:b:C', 'c')\npulumi.export('answer', 42)\n"
    assert pulumi("up", "--yes", program=program).returncode == 0
    assert json.loads(pulumi("stack", "output", "--json").stdout) == {"answer": 42}
    assert pulumi("refresh", "--yes").returncode == 0
    assert pulumi("refresh", "--yes", "--run-program").returncode == 0
    assert "2 deleted" in pulumi("destroy", "--yes").stdout


def test_the_password_of_the_cloud_is_not_written_into_the_state(pulumi, tmp_path):
    run = pulumi("up", "--yes", program=RESOURCES)
    assert run.returncode != 0  # there is no cloud
    assert "connection refused" in run.stdout
    state = next((tmp_path / "backend").rglob("lab.json")).read_text()
    assert "pulumi:providers:openstack" in state
    assert "kennwort" not in state


def test_a_failing_program_shows_its_own_lines_only(pulumi, tmp_path):
    run = pulumi("preview", program="def broken():\n    raise ValueError('kaputt')\n\nbroken()\n")
    main = tmp_path / "city/infra/__main__.py"
    program = tmp_path / "city/infra"
    assert run.returncode != 0
    lines = [line.strip() for line in run.stdout.splitlines()]
    start = lines.index(f"error: {program} failed:", lines.index("Diagnostics:"))
    assert lines[start : start + 7] == [
        f"error: {program} failed:",
        "Traceback (most recent call last):",
        f'File "{main}", line 4, in <module>',
        "broken()",
        f'File "{main}", line 2, in broken',
        "raise ValueError('kaputt')",
        "ValueError: kaputt",
    ]


def test_a_program_that_exits_with_an_error_fails(pulumi, tmp_path):
    run = pulumi("preview", program="import sys\nsys.exit(3)\n")
    assert run.returncode != 0
    assert f"error: {tmp_path}/city/infra ended with sys.exit(3)" in run.stdout


def test_a_project_that_names_another_environment_is_refused(pulumi, tmp_path):
    (tmp_path / "city/Pulumi.yaml").write_text(
        "name: city\nruntime: {name: python, options: {virtualenv: other}}\nmain: infra/\n"
    )
    run = pulumi("preview", program="")
    assert run.returncode != 0
    assert "Pulumi.yaml: runtime.options.virtualenv is other, but this language host" in run.stdout
    assert f"set GAOLING_PULUMI_PYTHON={tmp_path}/city/other/bin/python" in run.stdout


def test_a_python_without_the_project_is_named(pulumi):
    run = pulumi("preview", program="", GAOLING_PULUMI_PYTHON="/usr/bin/python3")
    assert run.returncode != 0
    # the first that is missing: other packages of the machine may have brought grpc
    assert re.search(r"/usr/bin/python3 cannot import '(pulumi|grpc)'", run.stdout + run.stderr)
    assert "GAOLING_PULUMI_PYTHON" in run.stdout + run.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_an_engine_that_is_stopped(pulumi, home, tmp_path, number):
    # The program and the pack say where they are; the engine is stopped while everything runs.
    program = tmp_path / "city/infra/__main__.py"
    program.write_text(WAITING.format(where=str(tmp_path / "program")))
    pack = tmp_path / "city/pack/__main__.py"
    pack.write_text(SAY.format(where=str(tmp_path / "pack")) + pack.read_text())
    engine = subprocess.Popen(
        ["pulumi", "--non-interactive", "preview", "--policy-pack", "pack"],
        cwd=tmp_path / "city",
        env=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pids = [_said(tmp_path / "pack"), _said(tmp_path / "program"), _plugin_of(engine.pid)]
    engine.send_signal(number)
    if number != signal.SIGKILL:
        time.sleep(0.5)
        engine.send_signal(number)  # the first asks, the second ends
    engine.wait(30)
    deadline = time.monotonic() + 10
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in pids if _alive(pid)] == []


def _said(path: Path) -> int:
    return _wait(lambda: int(path.read_text()) if path.exists() and path.read_text() else 0)


def _plugin_of(engine: int) -> int:
    """The pid of the provider that the engine started."""

    def find() -> int:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid, name, rest = re.split(r" \(|\) ", stat.read_text(), maxsplit=2)
                if name == "pulumi-resource" and int(rest.split()[1]) == engine:
                    return int(pid)
        return 0

    return _wait(find)


def _wait(look: Callable[[], int]) -> int:
    deadline = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.05)
    return found


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_the_engine_knows_the_host_and_the_plugin_by_their_versions(pulumi):
    about = json.loads(pulumi("about", "--json", program="").stdout)
    plugins = {plugin["name"]: plugin["version"] for plugin in about["plugins"]}
    if {tool.source for tool in tools()} == {"built"}:
        assert about["cliAbout"]["version"] == "3.230.0"
        assert plugins["python"] == importlib.metadata.version("pulumi")
    listed = json.loads(pulumi("plugin", "ls", "--json").stdout)
    assert [p["version"] for p in listed if p["name"] == "openstack"]
