"""The rules on the state of the lab's real stacks. Nothing is changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gaoling.city import read_city
from gaoling.cloud.demand import demands
from tests.conftest import ROOT, Lab

pytestmark = [pytest.mark.cloud, pytest.mark.pulumi]

LAB = ROOT / "inventories" / "lab"
GAOLING = Path(sys.executable).parent / "gaoling"
EXEMPTION = """\
- rule: class-of-region
  resource: health
  reason: 区域整改期间保留
  until: 9999-12-31
"""


def policy(city: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    state = os.environ.get("GAOLING_STATE") or "/var/lib/gaoling/lab/work"
    env = {**os.environ, "GAOLING_CITY": str(city), "GAOLING_STATE": state}
    return subprocess.run(
        [str(GAOLING), "cloud", "policy", *arguments],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_lab_breaks_no_rule(landing_zones: Lab):
    done = policy(LAB, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    of_the_lab = {s["stack"]: s["state"] for s in said["stacks"]}
    for stack in ("lab-primary-platform", "lab-dr-platform", "lab-primary-0", "lab-dr-0"):
        assert of_the_lab[stack] == "judged"
    assert said["broken"] == 0


def test_a_region_that_lost_its_class_breaks_the_rule_with_what_it_holds(
    landing_zones: Lab, tmp_path: Path
):
    """In both regions: dr makes no projects, its networks say whose they are."""
    folder = Path(shutil.copytree(LAB, tmp_path / "lab"))
    settings = folder / "city.yaml"
    settings.write_text(settings.read_text().replace("mlps: 三级", "mlps: 二级"))
    (folder / "exemptions.yaml").write_text(EXEMPTION)
    stacks = ("--stack", "lab-primary-0", "--stack", "lab-dr-0")
    done = policy(folder, "--json", *stacks)
    assert done.returncode == 3, done.stdout + done.stderr
    here, there = json.loads(done.stdout)["stacks"]
    city = read_city(LAB)
    for found, region, kinds in (
        (here, "primary", {"Project", "Network"}),
        (there, "dr", {"Network"}),
    ):
        high = {d.system.id for d in demands(city, region) if d.system.mlps >= 3}
        rows = found["findings"]
        assert {r["rule"] for r in rows} == {"class-of-region"}
        named = {(r["urn"].split("::")[-2].rpartition(":")[2], r["urn"].rpartition("::")[2])
                 for r in rows}  # fmt: skip
        assert named == {(kind, system) for kind in kinds for system in high}
        exempt = {r["urn"].rpartition("::")[2] for r in rows if r["level"] == "advisory"}
        assert exempt == {"health"} & high
    assert "health" in {r["urn"].rpartition("::")[2] for r in here["findings"]}
