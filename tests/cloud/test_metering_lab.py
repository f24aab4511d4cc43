"""The bill on the real cloud: Nova's own hours, and what goes between two samples."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import pytest

from gaoling.cli import context
from gaoling.cloud import samples
from gaoling.cloud.connect import connect
from gaoling.cloud.metering import Month

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(300)]

GAOLING = Path(__file__).resolve().parents[2] / ".venv/bin/gaoling"
OWNER = "lab-health"


@pytest.fixture
def bill(landing_zones, tmp_path):
    """Run `gaoling cloud bill` with a journal of its own; return what it prints."""

    def run(*arguments):
        env = {**os.environ, "GAOLING_CITY": "lab", "GAOLING_STATE": str(tmp_path / "state")}
        done = subprocess.run(
            [GAOLING, "cloud", "bill", "--json", *arguments],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def cloud(project=None):
    found = connect(context.access("cloud") / "clouds.yaml", "primary")
    return found.connect_as_project(project) if project else found


def until(true, seconds=90):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(1)


def test_the_bill_has_nova_s_hours_and_belongs_to_departments(bill, tmp_path):
    found = bill("--xlsx", str(tmp_path / "bill.xlsx"), "--csv", str(tmp_path / "bill.csv"))
    assert found["partial"]
    assert (tmp_path / "bill.xlsx").stat().st_size > 0
    owners = {line["department"] for line in found["lines"] if line["project_name"] == OWNER}
    assert owners == {"health-commission"}
    total = sum(Decimal(d["total"]) for d in found["departments"])
    assert total == Decimal(found["total"]) == sum(Decimal(x["amount"]) for x in found["lines"])
    # what Nova itself adds up for the same time
    month = Month.parse(found["month"])
    query = {"start": _utc(month.start), "end": _utc(samples_end(found)), "detailed": 1}
    usages = cloud().compute.get("/os-simple-tenant-usage", params=query).json()["tenant_usages"]
    theirs = sum(u["total_vcpus_usage"] for u in usages)
    count = sum(len(u["server_usages"]) for u in usages)
    ours = sum(float(x["quantity"]) for x in found["lines"]
               if (x["region"], x["item"]) == ("primary", "vcpu"))  # fmt: skip
    assert count > 0
    assert ours == pytest.approx(theirs, abs=count * 2 / 3600 + 1e-5)


def samples_end(found):
    import datetime as dt

    from gaoling.cloud.prices import CHINA

    return int(dt.datetime.fromisoformat(found["end"]).replace(tzinfo=CHINA).timestamp())


def _utc(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def test_a_volume_that_went_between_two_samples_is_charged_to_the_first_of_them(bill):
    api = cloud(OWNER).block_storage
    volume = api.create_volume(name=f"gx-bill-{secrets.token_hex(3)}", size=1)
    try:
        until(lambda: api.get_volume(volume.id).status == "available")
        bill("--sample")
    finally:
        api.delete_volume(volume.id)
    until(lambda: not [v for v in api.volumes() if v.id == volume.id])
    found = bill()
    (gone,) = [u for u in found["unrecorded"] if u["resource"] == volume.id]
    assert (gone["because"], gone["most"]) == ("it went between two samples", 1)
    assert found["coverage"]["primary"]["samples"] == 2
    before = [u for u in found["unrecorded"] if (u["region"], u["item"]) == ("primary", "samples")]
    assert [u["start"] for u in before] == [found["start"]], "before the first sample"


def test_a_server_that_was_deleted_counts_for_the_time_it_lived(landing_zones):
    api = cloud(OWNER).compute
    there = next(api.servers())
    begin = int(time.time())
    flavor = api.find_flavor(there.flavor["original_name"])
    server = api.create_server(
        name=f"gx-bill-{secrets.token_hex(3)}", flavor_id=flavor.id,
        image_id=there.image["id"], networks="none",
    )  # fmt: skip
    try:
        until(lambda: api.get_server(server.id).status in ("ACTIVE", "ERROR"))
        assert api.get_server(server.id).status == "ACTIVE"
        time.sleep(1.5)  # a bill is in whole seconds: it has to have lived one
    finally:
        api.delete_server(server.id)
    until(lambda: not [s for s in api.servers() if s.id == server.id])
    end = int(time.time()) + 60
    found = [u for u in samples.servers(cloud(), "primary", begin - 60, end)
             if u.resource == server.id]  # fmt: skip
    assert {u.item for u in found} >= {"vcpu", "memory"}
    assert {(u.start < u.end, u.end < end, u.end - u.start < 300) for u in found} == {(True,) * 3}
