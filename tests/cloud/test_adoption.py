"""The register's migration state against what the cloud and the evidence show."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gaoling.city import read_city
from gaoling.cloud import adoption
from gaoling.cloud.adoption import RUNGS, AdoptionError, Holding, Place, Seen, evidence, judge, look

ROOT = Path(__file__).resolve().parents[2]
CITY = read_city(ROOT / "inventories/lab")
ANSWERS = Seen("answering", True)


def place(system, running=1, department=None, **about):
    owner = CITY.system[system].department if system in CITY.system else "data-bureau"
    holding = Holding(servers=max(1, running), running=running, volumes=1, networks=1)
    return Place(f"lab-{system}", f"id-{system}", system, department or owner,
                 {"primary": holding} | about)  # fmt: skip


def row(system, places=(), seen=None, **register):
    city = CITY.with_systems(
        [CITY.system[system].model_copy(update=register)]
    )  # the register with that one row, changed
    found = judge(city, places, {system: seen} if seen else {})
    (only,) = found.rows
    return only


@pytest.mark.parametrize(
    ("system", "register", "places", "seen", "observed", "contradictions", "remarks"),
    [
        ("health", {}, [place("health")], ANSWERS, "on_cloud", [], []),
        ("health", {}, [], None, "off", ["登记为已上云，云上没有它的项目"], []),
        ("health", {}, [place("health", running=0)], None, "migrating",
         ["登记为已上云，没有一台运行中的服务器"], []),
        ("health", {}, [place("health")], Seen("reachable", True, "not answering"), "migrating",
         [], ["已建而未应答：不计入上云率"]),
        ("health", {}, [place("health")], Seen(None, False, "evidence expired"), "unknown", [],
         ["没有证据说明它是否应答"]),
        ("health", {}, [place("health")], Seen("declared", True, "not provisioned"), "unknown", [],
         ["没有证据说明它是否应答"]),
        ("health", {"migration": "migrating"}, [place("health")], ANSWERS, "on_cloud", [],
         ["已应答：登记可改为已上云"]),
        ("health", {"migration": "migrating"}, [], None, "off",
         ["登记为迁移中，云上没有它的项目"], []),
        ("health", {"migration": "off"}, [place("health", running=0)], None, "migrating",
         ["登记为未上云，云上却有项目 lab-health"], []),
        ("health", {"migration": "planned", "state": "planned"}, [place("health")], None, "unknown",
         ["登记为计划上云，云上却有项目 lab-health"], ["不在上云率统计范围，不探测"]),
        ("health", {"migration": "off"}, [], None, "off", [], []),
        ("health", {"state": "retired"}, [place("health", running=0)], None, "retired", [], []),
        ("health", {}, [place("health", department="justice")], ANSWERS, "on_cloud",
         ["项目标签的部门为 justice，登记为 health-commission"], []),
        ("e-document", {}, [place("e-document")], None, "unknown",
         ["登记为未上云，云上却有项目 lab-e-document", "涉密系统，云上却有项目"],
         ["不在上云率统计范围，不探测"]),
    ],
)  # fmt: skip
def test_what_is_said_against_what_is_seen(
    system, register, places, seen, observed, contradictions, remarks
):
    found = row(system, places, seen, **register)
    assert found.observed == observed
    assert list(found.contradictions) == contradictions
    assert list(found.remarks) == remarks


def test_only_the_region_that_systems_live_in_counts():
    there = Place("lab-health", "i", "health", "health-commission", {"dr": Holding(1, 1, 1, 1)})
    assert row("health", [there]).contradictions == ("登记为已上云，没有一台运行中的服务器",)


def test_a_project_that_the_register_does_not_know_is_a_contradiction():
    other = Place("scratch-health", "x", "health", "health-commission")  # of another city
    mine, odd = place("forgotten"), Place("lab-by-hand", "y", "", "")
    found = judge(CITY, [other, mine, odd], {})
    assert found.foreign == (mine,)


rows = st.builds(
    lambda migration, state, seen, running, there: row(
        "health", [place("health", running=running)] if there else [], seen,
        migration=migration, state=state,
    ),
    st.sampled_from(["planned", "migrating", "on_cloud", "off"]),
    st.sampled_from(["building", "live"]),
    st.none() | st.builds(Seen, st.none() | st.sampled_from(RUNGS), st.booleans()),
    st.integers(0, 2),
    st.booleans(),
)  # fmt: skip


@given(rows)
def test_nothing_is_on_the_cloud_that_was_not_seen_there(found):
    if found.observed == "on_cloud":
        assert found.rung == "answering"
        assert found.place.holdings["primary"].running
    if found.place is None:
        assert (found.observed, found.rung) == ("off", "declared")
    said = found.system.migration
    if said in ("off", "planned"):
        assert bool(found.contradictions) == (found.place is not None)
    if said == "on_cloud" and not found.contradictions:
        assert RUNGS.index(found.rung) >= RUNGS.index("provisioned")


# ---------------------------------------------------------------------------- evidence
def rate(*missing, interval=(0.5, 1.0)):
    names = ("subject", "state", "because")
    told = [dict(zip(names, one, strict=True)) for one in missing]
    return [
        {"rate": "ipv6-systems", "interval": None, "missing": []},
        {"rate": "cloud-adoption", "interval": interval, "oldest": 1.0, "missing": told},
    ]


def test_evidence_is_read_from_who_is_missing_and_why():
    found = evidence(CITY, rate(
        ("health", "no", "not answering"), ("open-data", "no", "not provisioned"),
        ("smart-water", "unknown", "evidence expired"),
    ))  # fmt: skip
    assert found["health"] == Seen("reachable", True, "not answering")
    assert found["open-data"] == Seen("declared", True, "not provisioned")
    assert found["smart-water"] == Seen(None, False, "evidence expired")
    assert found["e-license"] == ANSWERS
    assert "e-document" not in found, "classified: nobody looks at it"
    assert evidence(CITY, []) == evidence(CITY, rate(interval=None)) == {}


def test_the_reasons_that_rates_give_are_those_that_are_read_here():
    from gaoling.evidence import SYSTEM_RUNGS

    assert SYSTEM_RUNGS[: len(RUNGS)] == RUNGS


# ---------------------------------------------------------------------------- the command
def cloud(*projects, servers=()):
    def listed(rows):
        return lambda **_: list(rows)

    return SimpleNamespace(
        identity=SimpleNamespace(projects=listed(projects)),
        compute=SimpleNamespace(servers=listed(servers)),
        block_storage=SimpleNamespace(volumes=listed([])),
        network=SimpleNamespace(networks=listed([SimpleNamespace(project_id="1")])),
    )


def test_a_region_that_cannot_be_asked_is_named():
    with pytest.raises(AdoptionError, match=r"^dr: AttributeError: .*; nothing is said without it"):
        look({"dr": SimpleNamespace()})


@pytest.mark.parametrize(("with_health", "code"), [(True, 0), (False, 3)])
def test_the_command_ends_with_3_when_something_contradicts(monkeypatch, with_health, code):
    from gaoling.cli import cloud_bill
    from gaoling.cli.main import app

    on_cloud = [s for s in CITY.systems if s.migration in ("on_cloud", "migrating")]
    mine = [
        SimpleNamespace(id=s.id, name=f"lab-{s.id}",
                        tags=["gaoling", f"system={s.id}", f"department={s.department}"])
        for s in on_cloud if with_health or s.id != "health"
    ]  # fmt: skip
    running = [SimpleNamespace(project_id=p.id, status="ACTIVE") for p in mine]
    region = cloud(*mine, servers=running)
    monkeypatch.setattr(cloud_bill, "connections", lambda city: {"primary": region})
    arguments = ["--city", "lab", "cloud", "adoption", "--no-evidence"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == code, done.output
    found = json.loads(done.stdout)
    told = {s["system"]: s["contradictions"] for s in found["systems"] if s["contradictions"]}
    assert told == ({} if with_health else {"health": ["登记为已上云，云上没有它的项目"]})
    assert {s["observed"] for s in found["systems"]} == {"unknown", "off"}
    table = CliRunner().invoke(app, arguments)
    assert table.exit_code == code
    assert ("没有矛盾" in table.stdout) == with_health
    assert ("矛盾：登记为已上云" in table.stdout) == (not with_health)


def test_look_counts_what_each_project_has_in_each_region():
    project = SimpleNamespace(id="1", name="lab-x", tags=["gaoling", "system=x", "department=d"])
    servers = [SimpleNamespace(project_id="1", status=s) for s in ("ACTIVE", "SHUTOFF")]
    found = look({"primary": cloud(project, servers=servers), "dr": cloud(project)})
    assert found == [adoption.Place("lab-x", "1", "x", "d", {
        "primary": Holding(2, 1, 0, 1), "dr": Holding(0, 0, 0, 1)})]  # fmt: skip
