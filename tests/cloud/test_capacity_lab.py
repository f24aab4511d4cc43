"""A host is added to a region of the lab, and the figures follow; it is taken away, and they do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from exporters.capacity import Capacity, through
from gaoling.city import read_city
from gaoling.cli import context
from gaoling.cloud.connect import connect
from lab.openstack import part
from lab.openstack.extra_host import ExtraHost
from lab.openstack.topology import region as region_named

pytestmark = [pytest.mark.cloud, pytest.mark.root, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
REGION = "dr"
HOST = "dr-cmp2"


@pytest.fixture
def figures(tmp_path):
    """Ask `gaoling capacity` for a region: its figures by resource, and all it says."""

    def ask(region=REGION):
        done = subprocess.run(
            [Path(sys.executable).parent / "gaoling", "capacity", "--region", region, "--json"],
            env={**os.environ, "GAOLING_CITY": "lab", "GAOLING_STATE": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 3), done.stdout[-2000:] + done.stderr[-2000:]
        (told,) = json.loads(done.stdout)["regions"]
        assert told["wrong"] == []
        assert done.returncode == (0 if told["fits"] else 3)
        return {r["resource"]: r for r in told["resources"]}, told

    return ask


@pytest.fixture
def api():
    return connect(context.access("cloud") / "clouds.yaml", REGION)


@pytest.fixture
def extra(api):
    host = ExtraHost(part.cloud(), region_named(REGION), HOST, api)
    host.remove()  # what an earlier run that was killed may have left
    yield host
    host.remove()


def exported(tmp_path):
    """Return the exporter's cores of the region, used and all, asked of the same cloud."""
    city = read_city(ROOT / "inventories/lab")
    collector = Capacity(through(context.access("cloud") / "clouds.yaml"), tmp_path / "e.jsonl")
    result = collector.collect(SimpleNamespace(city=city, clock=lambda: 1_795_000_000.0))
    assert (result.covered, result.wrong) == (2, [])
    cores = {s.name: s.value for s in result.samples
             if s.name.endswith("_cores") and s.labels == {"region": REGION}}  # fmt: skip
    hosts = {s.labels["state"]: s.value for s in result.samples
             if s.name == "gaoling_capacity_hosts" and s.labels["region"] == REGION}  # fmt: skip
    return cores, hosts


def test_a_host_is_added_and_the_figures_follow(figures, extra, api, tmp_path):
    before, told = figures()
    (only,) = told["hosts"]
    assert only["name"] == f"{REGION}-cmp1"
    # one host: without it there is nothing, so all that is used is missing
    for name in ("vcpus", "memory_gb", "disk_gb"):
        assert before[name]["total"] == before[name]["host_loss"] > 0
        assert before[name]["free"] <= 0
    assert [(line["kind"], line["count"], line["urgent"]) for line in told["order"]] == [
        ("lab-host", 1, True)
    ]

    extra.start()
    born, told = figures()  # disabled: it is seen, and promises nothing
    assert [(h["name"], h["enabled"], h["up"]) for h in told["hosts"]] == [
        (f"{REGION}-cmp1", True, True), (HOST, False, True)
    ]  # fmt: skip
    assert born["vcpus"]["total"] == before["vcpus"]["total"]

    extra.enable(True)
    after, told = figures()
    gained = {"vcpus": 64, "memory_gb": 63.5, "disk_gb": 1000}  # the host keeps 512 MiB
    for name, gain in gained.items():
        assert after[name]["total"] - before[name]["total"] == gain
        assert after[name]["host_loss"] == before[name]["host_loss"]  # the larger one may fail
        assert after[name]["free"] - before[name]["free"] == gain
    assert [line for line in told["order"] if line["kind"] == "lab-host"] == []
    assert after["volume_gb"]["total"] == before["volume_gb"]["total"]
    cores, hosts = exported(tmp_path)
    assert cores["gaoling_capacity_cores"] == after["vcpus"]["total"]
    assert cores["gaoling_capacity_free_cores"] == after["vcpus"]["free"]
    assert hosts == {"up": 2, "down": 0, "disabled": 0}

    extra.remove()
    gone, told = figures()
    assert gone == before
    assert [h["name"] for h in told["hosts"]] == [f"{REGION}-cmp1"]
    assert extra.service() is None
    assert extra.provider() is None
    assert [h.name for h in api.compute.hypervisors()] == [f"{REGION}-cmp1"]
    assert not extra.home.exists()
    assert part.health() == []


@pytest.mark.pulumi
@pytest.mark.parametrize("region", ["primary", "dr"])
def test_what_pulumi_made_is_used_and_pending_no_longer(landing_zones, figures, region):
    found, _ = figures(region)
    cloud = connect(context.access("cloud") / "clouds.yaml", region)
    servers = list(cloud.compute.servers(details=True, all_projects=True))
    volumes = list(cloud.block_storage.volumes(all_projects=True))
    assert servers
    assert volumes
    assert found["vcpus"]["used"] == sum(s.flavor["vcpus"] for s in servers)
    assert found["memory_gb"]["used"] == sum(s.flavor["ram"] for s in servers) / 1024
    assert found["disk_gb"]["used"] == sum(s.flavor["disk"] for s in servers)
    assert found["volume_gb"]["used"] == sum(v.size for v in volumes)
    assert {name: r["pending"] for name, r in found.items()} == dict.fromkeys(found, 0)


def test_what_is_kept_for_a_failover_is_what_does_not_run_there(figures):
    assert {r["failover"] for r in figures("primary")[0].values()} == {0}
    city = read_city(ROOT / "inventories/lab")
    over = [s for s in city.systems if s.has_landing_zone and s.recovery == "objects"]
    assert figures("dr")[0]["vcpus"]["failover"] == sum(s.servers * s.vcpus for s in over)
