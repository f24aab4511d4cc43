"""`pulumi up` makes the cloud what the register says, and says nothing when nothing is to do."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gaoling.city import City, Role, read_city
from gaoling.cli import context
from tests.acceptance.conftest import until
from tests.conftest import ROOT, gaoling

pytestmark = [pytest.mark.cloud, pytest.mark.pulumi, pytest.mark.usefixtures("landing_zones")]


@pytest.fixture(scope="module")
def city() -> City:
    return read_city(ROOT / "inventories" / "lab")


def test_a_second_up_changes_nothing():
    assert gaoling("cloud", "preview", "--expect-no-changes", check=False).returncode == 0


def test_refresh_finds_nothing():
    done = gaoling("cloud", "refresh", "--yes", "--json")
    assert '"update"' not in done.stdout
    assert gaoling("cloud", "preview", "--expect-no-changes", check=False).returncode == 0


def test_a_plain_pulumi_user_can_work_with_the_printed_exports():
    exports = json.loads(gaoling("lab", "env", "--json").stdout)
    import os

    done = subprocess.run(
        ["pulumi", "stack", "ls", "--json"],
        cwd=ROOT, env={**os.environ, **exports}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {s["name"].split("/")[-1] for s in json.loads(done.stdout)}
    assert {"lab-primary-platform", "lab-dr-platform"} <= names


def test_an_object_put_in_primary_is_read_in_dr(city: City):
    from tests.acceptance.test_rates import connection

    system = next(
        s for s in city.systems
        if s.has_landing_zone and s.objects and city.recovery_policy[s.recovery].objects == "sync"
    )  # fmt: skip
    project = f"{city.settings.id}-{system.id}"
    there = connection("primary").connect_as_project(project).object_store
    copy = connection("dr").connect_as_project(project).object_store
    name, content = f"acceptance-{secrets.token_hex(4)}", secrets.token_bytes(1 << 16)
    path = f"/{system.id}-objects/{name}"
    assert there.put(path, data=content).status_code == 201
    until(lambda: copy.get(path).status_code == 200, 120, "the object arrives in dr")
    assert copy.get(path).content == content
    assert there.delete(path).status_code == 204


def test_a_row_gone_from_the_register_deletes_nothing(city: City, tmp_path: Path):
    """Design, section 7: a system is first retired; what holds data is protected."""
    folder = Path(shutil.copytree(ROOT / "inventories" / "lab", tmp_path / "lab"))
    gone = next(s for s in city.systems if s.has_landing_zone and s.volume_gb)
    table = folder / "systems.csv"
    rows = [r for r in table.read_text().splitlines() if not r.startswith(f"{gone.id},")]
    table.write_text("\n".join(rows) + "\n")
    done = gaoling(
        "--city", str(folder), "cloud", "up", "--region", "primary", "--yes", check=False
    )
    assert done.returncode != 0
    assert gone.id in done.stdout + done.stderr
    from tests.acceptance.test_rates import connection

    volumes = connection().block_storage.volumes(all_projects=True, details=True)
    assert any(gone.id in v.name for v in volumes)
    assert gaoling("cloud", "preview", "--expect-no-changes", check=False).returncode == 0


@pytest.mark.extranet
def test_workloads_answer_townships_over_both_families(city: City, dual_stack: object):
    """HTTP from every vantage to every server, in its own name."""
    from exporters.ssh import SshRunner
    from gaoling.evidence.probes import Question, ask
    from tests.acceptance.test_rates import connection

    questions = []
    for region in ("primary", "dr"):
        cloud = connection(region)
        for port in cloud.network.ports():
            if (port.device_owner or "").startswith("compute:"):
                server = cloud.compute.get_server(port.device_id)
                system = city.system[server.metadata["gaoling_system"]]
                from ipaddress import ip_address

                for fixed in port.fixed_ips:
                    address = ip_address(fixed["ip_address"])
                    questions.append(Question(system.id, address, system.port))
    assert len({q.address.version for q in questions}) == 2
    runner = SshRunner(context.access("extranet"), Path(f"/run/gaoling-acceptance-{id(runner_id)}"))
    for vantage in (d.name for d in city.devices if d.role is Role.VANTAGE):
        until(lambda v=vantage: all(ask(runner, v, questions)), 60, f"all answer {vantage}")


runner_id = sys
