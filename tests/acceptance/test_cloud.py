"""The cloud as its users meet it: plain Pulumi, objects in two regions, answers in townships."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from exporters.ssh import SshRunner
from gaoling.city import City, Level, Role, read_city
from gaoling.cli import context
from gaoling.evidence.probes import Question, ask
from tests.acceptance.conftest import connection, until
from tests.conftest import ROOT, gaoling

pytestmark = [pytest.mark.cloud, pytest.mark.pulumi, pytest.mark.usefixtures("landing_zones")]


@pytest.fixture(scope="module")
def city() -> City:
    return read_city(ROOT / "inventories" / "lab")


def test_a_plain_pulumi_user_can_work_with_the_printed_exports():
    exports = json.loads(gaoling("lab", "env", "--json").stdout)
    done = subprocess.run(
        ["pulumi", "stack", "ls", "--json"],
        cwd=ROOT, env={**os.environ, **exports}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {s["name"].split("/")[-1] for s in json.loads(done.stdout)}
    assert {"lab-primary-platform", "lab-dr-platform", "lab-primary-0", "lab-dr-0"} <= names


def test_an_object_put_in_primary_is_read_in_dr(city: City):
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


@pytest.fixture
def control() -> Iterator[Path]:
    """A short folder for SSH's control sockets."""
    folder = Path(f"/run/gaoling-acceptance-{os.getpid()}")
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.extranet
@pytest.mark.usefixtures("dual_stack")
def test_workloads_of_both_regions_answer_every_vantage_over_both_families(
    city: City, control: Path
):
    questions = []
    for region in ("primary", "dr"):
        cloud = connection(region)
        for port in cloud.network.ports():
            if (port.device_owner or "").startswith("compute:"):
                server = cloud.compute.get_server(port.device_id)
                system = city.system[server.metadata["gaoling_system"]]
                questions += [
                    Question(system.id, ip_address(fixed["ip_address"]), system.port)
                    for fixed in port.fixed_ips
                ]
    assert {q.address.version for q in questions} == {4, 6}
    runner = SshRunner(context.access("extranet"), control)
    for vantage in (d.name for d in city.devices if d.role is Role.VANTAGE):

        def silent(at: str = vantage) -> list[str]:
            answers = zip(questions, ask(runner, at, questions), strict=True)
            return [q.url for q, answered in answers if not answered]

        until(lambda: not silent(), 90, f"{silent()} answer {vantage}")


@pytest.mark.extranet
@pytest.mark.usefixtures("dual_stack")
def test_each_township_reaches_both_data_centres_over_ipv6_by_ping_and_http(city: City):
    targets = {}
    for region in ("primary", "dr"):
        server = next(iter(connection(region).compute.servers(all_projects=True)))
        (port,) = connection(region).network.ports(device_id=server.id)
        address = next(f["ip_address"] for f in port.fixed_ips if ":" in f["ip_address"])
        targets[region] = (address, server.metadata["gaoling_system"])
    towns = [s for s in city.sites if s.level is Level.TOWNSHIP and s.device]
    assert len(towns) >= 50
    failed = []
    for town in towns:
        inside = ["ip", "netns", "exec", f"gx-h-{town.code}"]
        for region, (address, system) in targets.items():
            ping = subprocess.run(
                [*inside, "ping", "-6", "-c1", "-W3", address], capture_output=True, check=False
            )
            page = subprocess.run(
                [*inside, "curl", "-gsm", "5", "--noproxy", "*", f"http://[{address}]/"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if ping.returncode or f'"{system}"' not in page.stdout:
                failed.append((town.code, region, ping.returncode, page.stdout))
    assert failed == []
