"""`gaoling cloud drift`: what it says and writes, and how it ends."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from gaoling.cloud.home import Home
from tests.cloud.drift_world import (
    SECRET,
    World,
    rule,
    write_state,
)


@pytest.fixture
def world():
    return World()


class TestCommand:
    @pytest.fixture
    def run(self, world, tmp_path, clouds, monkeypatch):
        monkeypatch.setattr("gaoling.cli.context.read_city", lambda _: world.city)
        monkeypatch.setattr(
            "gaoling.cloud.connect.connect", lambda clouds, entry, *_: getattr(world, entry)
        )
        home = Home(tmp_path / "state", clouds).make()
        home.sync_secret.write_text(SECRET)
        for region in ("primary", "dr"):
            write_state(home.backend, region)

        def command(*arguments):
            from gaoling.cli.cloud import app

            given = [
                "drift",
                *(arguments if "--note" in arguments else ("--probe-only", *arguments)),
            ]
            return CliRunner().invoke(app, given, catch_exceptions=False)

        return command

    def test_none_is_0(self, run):
        done = run()
        assert done.exit_code == 0
        assert "漂移 景德镇市（实验）：未发现；已比对 25 项" in done.output

    def test_drift_is_3_under_chinese_headings(self, run, world):
        world.primary.rules.append(rule("r2"))
        world.dr.quotas["network"][0]["port"] = 99
        done = run()
        assert done.exit_code == 3
        lines = done.output.splitlines()
        assert any("2 处（已变更 1，外来 1）" in line for line in lines)
        assert lines.index("已变更") < lines.index("外来（无人声明）")
        assert "QuotaV2 health  port：声明 12，实际 99" in done.output

    def test_json_has_counts_findings_and_how_well_it_was_looked(self, run, world):
        world.primary.rules.append(rule("r2"))
        found = json.loads(run("--json").stdout)
        assert found["counts"] == {"changed": 0, "missing": 0, "foreign": 1, "orphan": 0}
        assert found["drift"]
        assert found["whole"]
        (one,) = found["findings"]
        assert (one["kind"], one["source"], one["observed"]) == ("foreign", "probe", "r2")
        assert [r["compared"] for r in found["regions"]] == [15, 10]
        assert found["seconds"]["all"] >= 0

    def test_a_region_that_could_not_be_asked_is_1_and_the_rest_is_printed(self, run, world):
        world.dr.broken = {"all"}
        world.primary.rules.append(rule("r2"))
        done = run()
        assert done.exit_code == 1
        assert "SecGroupRule health" in done.output
        assert "dr 未能问全，以上不是全部：" in done.output
        assert "dr: ConnectionError: token: no answer" in done.output

    def test_a_region_alone_and_a_department_alone(self, run, world):
        world.primary.rules.append(rule("r2"))
        assert run("--region", "dr").exit_code == 0
        assert run("--department", "data-bureau").exit_code == 0
        assert run("--department", "health-commission").exit_code == 3

    def test_to_note_what_is_held_asks_no_cloud(self, run, world, tmp_path):
        path = tmp_path / "state/pulumi/lab.declared.json"
        done = run("--note")
        assert (done.exit_code, path.exists()) == (0, True)
        assert f"25 resources: {path}" in done.output.replace("\n", "")
        assert world.primary.calls == []

    def test_bad_input_is_2(self, run, tmp_path):
        done = run("--region", "north")
        assert done.exit_code == 2
        assert "--region north: expected of primary, dr" in done.output
        done = run("--department", "nobody")
        assert done.exit_code == 2
        (tmp_path / "access/cloud/clouds.yaml").write_text("clouds: {primary: {}}")
        done = run()
        assert done.exit_code == 2
        assert "found primary, expected an entry 'dr'" in done.output
