"""The register against the real cloud, and against what answers there."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gaoling.city import read_city

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
GAOLING = ROOT / ".venv/bin/gaoling"


def adoption(*arguments, city="lab"):
    done = subprocess.run(
        [GAOLING, "cloud", "adoption", "--json", *arguments],
        env={**os.environ, "GAOLING_CITY": str(city)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.usefixtures("landing_zones")
def test_the_lab_s_register_and_its_cloud_agree():
    code, found = adoption("--no-evidence")
    told = [(s["system"], s["contradictions"]) for s in found["systems"] if s["contradictions"]]
    assert (code, told, found["not_in_the_register"]) == (0, [], [])
    city = read_city(ROOT / "inventories/lab")
    there = {s["system"] for s in found["systems"] if s["rung"] == "provisioned"}
    assert there == {s.id for s in city.systems if s.has_landing_zone}


@pytest.mark.usefixtures("landing_zones")
def test_a_register_that_says_otherwise_is_contradicted(tmp_path):
    folder = tmp_path / "lab"
    shutil.copytree(ROOT / "inventories/lab", folder)
    with (folder / "systems.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["migration"] = {"health": "off", "overload-control": "on_cloud"}.get(
            row["id"], row["migration"]
        )
        if row["id"] == "overload-control":  # what is on the cloud asks it for something
            row |= {"servers": "1", "vcpus": "1", "memory_gb": "1", "port": "80"}
    rows = [r for r in rows if r["id"] != "open-data"]
    with (folder / "systems.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    code, found = adoption("--no-evidence", city=folder)
    told = {s["system"]: s["contradictions"] for s in found["systems"] if s["contradictions"]}
    assert code == 3
    assert told == {
        "health": ["登记为未上云，云上却有项目 lab-health"],
        "overload-control": ["登记为已上云，云上没有它的项目"],
    }
    assert [p["project"] for p in found["not_in_the_register"]] == ["lab-open-data"]


@pytest.mark.extranet
@pytest.mark.monitoring
@pytest.mark.usefixtures("landing_zones", "dual_stack")
def test_what_answers_from_a_township_is_on_the_cloud():
    city = read_city(ROOT / "inventories/lab")
    expected = {s.id for s in city.systems if s.has_landing_zone and s.counted}
    end = time.monotonic() + 240
    while True:
        _, found = adoption()
        seen = {s["system"] for s in found["systems"] if s["observed"] == "on_cloud"}
        if seen == expected or time.monotonic() > end:
            break
        time.sleep(5)
    assert seen == expected, found["evidence"]
