"""After the change: IPv6 everywhere, once is enough, and one router goes back and forth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gaoling.city import Role
from gaoling.network.engine_frr import FrrEngine
from gaoling.network.intent import changeable
from gaoling.network.session import Session, from_vantage
from gaoling.network.settings import access_folder
from gaoling.network.verify import expect, full
from lab.extranet.topology import read_topology

pytestmark = [pytest.mark.extranet, pytest.mark.usefixtures("dual_stack")]
TOPOLOGY = read_topology()
OURS = {d.name for d in changeable(TOPOLOGY.city)}
ONE_OF_EACH = ("core-1", "agg-2", "border-1", "dc2-leaf", "county-360203-r2", "town-360222100")


def network(*words: str) -> dict[str, object]:
    """Run `gaoling network` as a person does; return what it said."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "gaoling"), "network", *words, "--yes", "--json"],
        env={**os.environ, "GAOLING_CITY": "lab"}, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("device", ONE_OF_EACH)
def test_adjacencies_and_route_sets_are_whole(device):
    wanted = expect(TOPOLOGY.plan, device, OURS)
    with Session(device, access_folder()) as session:
        engine = FrrEngine(session)
        (neighbours,) = engine.data("show ipv6 ospf6 neighbor json")
        assert full(neighbours, 6) == wanted.adjacencies
        assert wanted.routes - engine.routes() == set()


def test_every_router_and_every_host_answers_over_ipv6():
    plan = TOPOLOGY.plan
    asked = [plan.loopback(d.name) for d in TOPOLOGY.city.devices if d.name in OURS]
    asked += [plan.host(h.site) for h in TOPOLOGY.hosts]
    words = " ".join(map(str, asked))
    said = from_vantage(access_folder(), "vantage-noc", f"fping -6 -q -u -r3 -t500 {words}")
    assert (said.code, said.text) == (0, "")


def test_each_township_reaches_both_data_centres_over_ipv6():
    for vantage in (d.name for d in TOPOLOGY.city.devices if d.role is Role.VANTAGE):
        for site in ("dc1", "dc2"):
            command = f"fping -6 -q -r2 {TOPOLOGY.plan.host(site)}"
            assert from_vantage(access_folder(), vantage, command).code == 0, (vantage, site)


def test_a_second_apply_changes_nothing():
    said = network("apply")
    assert said["changed"] == []
    assert said["same"] == len(OURS)


def test_one_router_goes_back_to_the_byte_and_forth():
    device = "town-360281112"
    back = network("rollback", "--limit", device)
    assert back["changed"] == [device]
    assert back["high_risk"] == [device]
    with Session(device, access_folder()) as session:
        assert "ipv6" not in FrrEngine(session).running()
    assert network("rollback", "--limit", device)["changed"] == []
    assert network("apply", "--limit", device)["changed"] == [device]
