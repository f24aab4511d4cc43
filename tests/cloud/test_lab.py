"""The real thing: Pulumi's CLI against the lab's two regions, as an ops engineer would."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gaoling.city import read_city
from gaoling.cli import context

pytestmark = [pytest.mark.cloud, pytest.mark.pulumi, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
GAOLING = ROOT / ".venv/bin/gaoling"
SMALL = ("between-", "faults-", "keep-", "adopt-", "gx-by-hand")  # of other modules
SCRATCH = "zz-scratch"  # the last by name: no other system's addresses move


def gaoling(*arguments, city="lab", code=0):
    """Run `gaoling cloud`; return the finished process, its exit code being as expected."""
    state = os.environ.get("GAOLING_STATE") or "/var/lib/gaoling/lab/work"
    env = {**os.environ, "GAOLING_CITY": str(city), "GAOLING_STATE": state}
    done = subprocess.run(
        [GAOLING, "cloud", *arguments], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def cloud(region):
    import openstack.config
    import openstack.connection

    clouds = context.access("cloud") / "clouds.yaml"
    config = openstack.config.OpenStackConfig(config_files=[str(clouds)], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(cloud=region))


@pytest.fixture(scope="module")
def up(landing_zones):
    """The lab's systems are on the cloud, and in dr what their policies ask."""
    return landing_zones


def test_a_second_up_changes_nothing(up):
    gaoling("preview", "--expect-no-changes")


def test_refresh_finds_nothing(up):
    rows = json.loads(gaoling("refresh", "--preview-only", "--json").stdout)
    assert [(r["stack"], r["changes"]) for r in rows if r["changes"]] == []


def test_the_state_holds_no_password_and_no_key_in_the_clear(up):
    state = Path(os.environ.get("GAOLING_STATE") or "/var/lib/gaoling/lab/work")
    clouds = (context.access("cloud") / "clouds.yaml").read_text()
    passwords = re.findall(r"password: (\S+)", clouds)
    assert passwords
    text = "".join(
        p.read_text(errors="replace") for p in (state / "pulumi/state").rglob("*") if p.is_file()
    )
    secrets = [*passwords, (state / "pulumi/sync-secret").read_text()]
    assert not [s for s in secrets if s in text]
    keys = set(re.findall(r'"containerSyncKey": "([^"]+)"', text))
    assert not keys, "a sync key stands in the state as plain text"


def test_servers_answer_as_their_system_over_both_families(up):
    city = read_city(ROOT / "inventories/lab")
    api = cloud("primary")
    waiting = {}
    for server in api.compute.servers(all_projects=True):
        system = server.metadata.get("gaoling_system")
        if not system or system not in city.system:
            continue
        (port,) = api.network.ports(device_id=server.id)
        router = api.network.find_router(system, ignore_missing=False)
        for fixed in port.fixed_ips:
            waiting[server.name, fixed["ip_address"]] = (system, router.id)
    expected = sum(s.servers for s in city.systems if s.has_landing_zone and s.state != "retired")
    assert len(waiting) == 2 * expected
    end = time.monotonic() + 180
    while waiting and time.monotonic() < end:
        for (name, address), (system, router) in list(waiting.items()):
            host = f"[{address}]" if ":" in address else address
            inside = ["nsenter", f"--net=/run/netns-primary/qrouter-{router}"]
            answer = subprocess.run(
                [*inside, "curl", "-gsm", "3", "--noproxy", "*", f"http://{host}/"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if answer.returncode == 0:
                told = json.loads(answer.stdout)
                assert told == {"system": system, "server": name, "region": "primary"}
                del waiting[name, address]
        time.sleep(2)
    assert not waiting


def city_with(tmp_path, name, change):
    """Return a copy of the lab's city with other rows of systems."""
    folder = tmp_path / name
    shutil.copytree(ROOT / "inventories/lab", folder)
    path = folder / "systems.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_row_that_is_gone_deletes_nothing(up, tmp_path):
    city = city_with(tmp_path, "lab", lambda rows: [r for r in rows if r["id"] != "health"])
    before = {v.id for v in cloud("primary").block_storage.volumes(all_projects=True)}
    done = gaoling("up", "--yes", "--stack", "lab-primary-0", city=city, code=1)
    assert "resources that may hold data would be deleted" in done.stderr
    for kept in ("Container::health", "Volume::health-data-1"):
        assert kept in done.stderr
    assert "nothing was changed" in done.stderr
    after = {v.id for v in cloud("primary").block_storage.volumes(all_projects=True)}
    assert before == after
    gaoling("preview", "--stack", "lab-primary-0", "--expect-no-changes")


def test_a_register_that_lost_many_rows_is_refused(up, tmp_path):
    lost = ("e-license", "one-window", "health")
    city = city_with(tmp_path, "lab", lambda rows: [r for r in rows if r["id"] not in lost])
    before = everything()
    done = gaoling("up", "--yes", city=city, code=1)
    assert "the register has lost 3 of 13 systems since the last up: " in done.stderr
    assert "e-license, health, one-window; nothing was changed" in done.stderr
    assert everything() == before


def everything():
    """Return the ids of all that both regions hold, but for what is a small city's."""
    # small cities come and go meanwhile: theirs are looked for before and after
    found, projects = set(), cloud("primary").identity.projects()
    others, later = {p.id for p in projects if p.name.startswith(SMALL)}, set()
    for region in ("primary", "dr"):
        api = cloud(region)
        parts = {
            "network": api.network.networks(),
            "subnet": api.network.subnets(),
            "router": api.network.routers(),
            "port": api.network.ports(),
            "group": api.network.security_groups(),
            "volume": api.block_storage.volumes(all_projects=True),
            "server": api.compute.servers(all_projects=True),
            "servers": api.compute.server_groups(all_projects=True),
        }
        for kind, rows in parts.items():
            found |= {(region, kind, row.id, row.project_id, getattr(row, "device_id", ""))
                      for row in rows}  # fmt: skip
        # one that came after the routers were listed may have ports in what was listed after them
        later |= {(row.id, row.project_id) for row in api.network.routers()}
    projects = list(cloud("primary").identity.projects())
    others |= {p.id for p in projects if p.name.startswith(SMALL)}
    routers = later | {row[2:4] for row in found if row[1] == "router"}
    theirs = {router for router, project in routers if project in others}
    found = {row[:3] for row in found if row[3] not in others and row[4] not in theirs}
    return found | {("all", "project", p.id) for p in projects if p.id not in others}


def scratch_city(tmp_path):
    """Return a city of its own name whose only system on the cloud is SCRATCH."""

    def one_more(rows):
        for row in rows:
            row["migration"] = "off" if row["migration"] != "planned" else "planned"
        model = next(r for r in rows if r["id"] == "health")
        return [*rows, {**model, "id": SCRATCH, "migration": "on_cloud", "servers": "1"}]

    city = city_with(tmp_path, "scratch", one_more)
    settings = city / "city.yaml"
    settings.write_text(settings.read_text().replace("id: lab", "id: scratch", 1))
    return city


@pytest.mark.after_city("dr")
def test_destroy_of_a_scratch_stack_leaves_nothing(up, tmp_path):
    city = scratch_city(tmp_path)
    wanted = ["--stack", "scratch-primary-0", "--stack", "scratch-dr-0"]

    before = everything()
    gaoling("up", "--yes", *wanted, city=city)
    assert len(everything()) > len(before)
    listed = json.loads(gaoling("preview", "--json", *wanted, city=city).stdout)
    assert not [r for r in listed if r["changes"]]
    gaoling("destroy", "--yes", *wanted, city=city)
    after = everything()
    assert (after - before, before - after) == (set(), set())
