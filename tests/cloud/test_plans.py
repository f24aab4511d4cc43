"""An update plan saved at review and enforced by Pulumi's own engine; no cloud is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gaoling.city import read_city
from gaoling.cloud import plans
from gaoling.cloud.home import Home
from gaoling.cloud.run import Runner
from gaoling.cloud.stacks import Stack

pytestmark = [pytest.mark.pulumi]

ROOT = Path(__file__).resolve().parents[2]
ONE = Stack("plan-test", "primary", "platform", 0, 0)
REVIEWED = "import pulumi\npulumi.ComponentResource('a:b:C', 'reviewed')\n"


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """A runner whose program is one of components only."""
    project = tmp_path / "project"
    (project / "infra").mkdir(parents=True)
    (project / "Pulumi.yaml").write_text("name: gaoling\nruntime: python\nmain: infra/\n")
    monkeypatch.setattr("gaoling.cloud.run.ROOT", project)
    monkeypatch.setattr("gaoling.cloud.home.POLICY_PACK", ROOT / "infra/policy")
    given = tmp_path / "clouds.yaml"
    given.write_text("clouds: {primary: {auth: {}}}")
    made = Runner(Home(tmp_path / "state", given), read_city(ROOT / "inventories/lab"), print)
    made.prepare([ONE])
    return made


def program(runner, text):
    import gaoling.cloud.run

    (gaoling.cloud.run.ROOT / "infra/__main__.py").write_text(text)


def test_what_the_plan_has_is_done_and_nothing_beside_it(runner, tmp_path):
    folder = tmp_path / "review"
    plans.begin(folder)
    plan = str(plans.path_of(folder, ONE))
    program(runner, REVIEWED)
    found = runner.all("preview", [ONE], "--save-plan", plan)
    assert [o.why() for o in found if not o.ok] == []
    plans.seal(folder, "lab", found)
    (seen,) = plans.reviewed(folder, "lab", [ONE])
    assert sorted(c.name for c in seen.changes) == ["gaoling-plan-test", "reviewed"]

    (outcome,) = runner.all("up", [ONE], "--plan", plan)
    assert outcome.ok, outcome.why()
    assert any(urn.endswith("::reviewed") for urn in runner.resources(ONE.name))

    again = tmp_path / "again"
    plans.begin(again)
    plan = str(plans.path_of(again, ONE))
    plans.seal(again, "lab", runner.all("preview", [ONE], "--save-plan", plan))
    program(runner, REVIEWED + "pulumi.ComponentResource('a:b:C', 'later')\n")
    (outcome,) = runner.all("up", [ONE], "--plan", plan)
    assert plans.refused(outcome)
    assert outcome.why() == (
        "change C later: create is not allowed by the plan: no steps were expected for this "
        "resource"
    )
    assert not [urn for urn in runner.resources(ONE.name) if urn.endswith("::later")]


def test_a_review_of_another_city_is_refused(runner, tmp_path):
    folder = tmp_path / "review"
    plans.begin(folder)
    program(runner, REVIEWED)
    found = runner.all("preview", [ONE], "--save-plan", str(plans.path_of(folder, ONE)))
    plans.seal(folder, "lab", found)
    with pytest.raises(plans.PlanError, match="found a plan for the city lab, expected other"):
        plans.reviewed(folder, "other", [ONE])
    with pytest.raises(plans.PlanError, match="holds plans of plan-test, expected one of"):
        plans.reviewed(folder, "lab", [Stack("x", "primary", "0", 1, 1)])
    shutil.rmtree(folder)
    with pytest.raises(plans.PlanError, match=r"review\.json: .* No such file"):
        plans.reviewed(folder, "lab", [ONE])
