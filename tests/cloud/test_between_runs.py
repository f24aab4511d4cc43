"""What befell a run, or the cloud between two: the next says so and makes nothing twice."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from tests.cloud.small_city import SYSTEM, WHOLE, kill, small_city, until

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.pulumi,
    pytest.mark.after_city,
    pytest.mark.timeout(900),
]

LEAN = {"state": "retired", "volume_gb": "0"}
WHOLE_LEAN = {kind: n for kind, n in WHOLE.items() if kind not in ("server", "port", "volume")}


@pytest.fixture(scope="module")
def bench(landing_zones, tmp_path_factory):
    """Nothing of the city is in the cloud at first, nor after the last test."""
    with small_city(tmp_path_factory.mktemp("between"), "between", place=4) as made:
        yield made
        made.proxy.faults.clear()
        made.run("destroy", "--yes")
        assert made.there() == []


def test_what_a_killed_run_was_making_is_found_and_not_made_twice(bench):
    """The first: nothing is there. A retired system has a network, no server and no volume."""
    proxy = bench.proxy
    bench.write(**LEAN)
    assert bench.there() == []
    # Neutron has made the network, its answer is on the way: that is when the run dies
    with proxy.fault("POST", r"/v2.0/networks$", code=200, after=True, hold=60) as met:
        process = bench.start("up", "--yes")
        until(lambda: met.met and bench.counts().get("network") == 1)
        kill(process)
    ((_, _, network),) = [one for one in bench.there() if one[0] == "network"]
    assert ("network", SYSTEM, network) in bench.orphans()
    text = bench.up()
    assert f"{bench.stack}: Network {SYSTEM} {network} was made by a run that was cut off" in text
    bench.whole(WHOLE_LEAN)
    assert ("network", SYSTEM, network) in bench.there()


def test_a_network_that_was_deleted_by_hand_comes_back(full):
    bench, network = full, full.api.network
    ((_, _, server),) = [one for one in bench.there() if one[0] == "server"]
    bench.api.compute.delete_server(server, force=True)
    until(lambda: not [one for one in bench.there() if one[0] == "server"])
    ((_, _, router),) = [one for one in bench.there() if one[0] == "router"]
    for port in list(network.ports(device_id=router)):
        if port.device_owner != "network:router_gateway":
            network.remove_interface_from_router(router, port=port.id)
    ((_, _, gone),) = [one for one in bench.there() if one[0] == "network"]
    for port in network.ports(network_id=gone):
        if not port.device_owner.startswith("network:"):  # DHCP's go with the network
            network.delete_port(port)
    network.delete_network(gone)
    assert "network" not in bench.counts()
    assert "delete" in bench.run("refresh")
    bench.up()
    bench.whole()


def test_a_change_after_the_review_is_refused(full, tmp_path):
    bench, folder = full, tmp_path / "review"
    bench.write(name="甲")
    text = bench.run("preview", "--save-plan", str(folder))
    assert f"to do exactly that: gaoling cloud up --plan {folder}" in text
    bench.write(name="乙")
    text = bench.run("up", "--yes", "--plan", str(folder), code=1)
    assert f"Project {SYSTEM}: " in text
    assert "plan" in text
    assert f"{folder}: is not what would be done now: review it again" in text
    assert bench.title() not in ("甲", "乙")
    bench.write(name="甲")
    bench.run("up", "--yes", "--plan", str(folder))
    assert bench.title() == "甲"
    bench.whole()


def test_a_truncated_state_is_refused_and_the_way_back_makes_nothing_twice(full):
    bench = full
    path = bench.state / f"pulumi/state/.pulumi/stacks/gaoling/{bench.stack}.json"
    before = bench.there()
    # the copy that is left is from before the volume was made
    held = json.loads(path.read_text())
    latest = held["checkpoint"]["latest"]
    latest["resources"] = [
        r for r in latest["resources"] if "blockstorage/volume:" not in r["type"]
        and "compute/volumeAttach:" not in r["type"]
    ]  # fmt: skip
    good = bench.state / f"pulumi/good/{bench.stack}.json"
    good.write_text(json.dumps(held))
    shutil.rmtree(bench.state / "pulumi/state/.pulumi/backups")
    path.with_name(path.name + ".bak").unlink(missing_ok=True)
    path.write_text(path.read_text()[:5000])
    text = bench.up(code=2)
    assert f"{path}: found 5000 bytes that are not a whole state" in text
    assert f"gaoling cloud restore --stack {bench.stack}" in text
    assert bench.run("restore").count("is in place") == 1
    bench.up()
    bench.whole()
    assert sorted(bench.there()) == sorted(before)


def test_a_department_is_changed_without_the_others(full):
    bench = full
    bench.write(name="丙")
    with (bench.city / "systems.csv").open(encoding="utf-8") as file:
        owner = next(r for r in csv.DictReader(file) if r["id"] == SYSTEM)["department"]
    with (bench.city / "departments.csv").open(encoding="utf-8-sig") as file:
        other = next(r["id"] for r in csv.DictReader(file) if r["id"] != owner)
    assert "none of its systems is on the cloud" in " ".join(
        bench.run("up", "--yes", "--department", other, code=2).split()
    )
    bench.run("up", "--yes", "--department", owner)
    assert bench.title() == "丙"
    bench.whole()
