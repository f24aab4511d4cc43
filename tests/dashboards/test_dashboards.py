"""Dashboards and rules: generated, linted, every alert tested, with a page that says what to do."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards import lint
from dashboards.__main__ import DASHBOARDS, GOLDEN, check, generate

HERE = Path(lint.__file__).parent
RULES = sorted((HERE / "rules").glob("*.yml"))
TESTS = sorted((HERE / "tests").glob("*.yml"))
promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here")


def alerts() -> set[str]:
    return {rule["alert"] for rule in lint.all_rules(RULES) if "alert" in rule}


def test_dashboards_and_rules_are_right():
    assert check() == []


def test_the_same_source_makes_the_same_json():
    assert all(generate(module) == generate(module) for module in DASHBOARDS.values())


def test_the_overview_shows_both_rates_with_both_bounds():
    board = json.loads((HERE / "overview.json").read_text())
    assert board["title"] == "总览"
    titles = {p["title"]: p for p in lint.panels(board)}
    for title in ("上云率", "接入率（市县乡）", "IPv6 接入点", "IPv6 系统"):
        exprs = [t["expr"] for t in titles[title]["targets"]]
        assert ['bound="lower"' in exprs[0], 'bound="upper"' in exprs[1]] == [True, True]
    assert {"目标", "恢复点", "数据时效（最旧证据）"} <= titles.keys()


def test_every_alert_has_a_test_that_fires_it():
    fired = set()
    for path in TESTS:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for one in case.get("alert_rule_test", []):
                if one["exp_alerts"]:
                    fired.add(one["alertname"])
    assert alerts() - fired == set()


def test_every_recording_rule_has_a_test():
    tested = set()
    for path in TESTS:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for one in case.get("promql_expr_test", []):
                tested |= lint.metrics_of(one["expr"])
    recorded = {rule["record"] for rule in lint.all_rules(RULES) if "record" in rule}
    assert recorded - tested == set()


def test_no_runbook_without_an_alert():
    assert {p.stem for p in (HERE / "runbooks").glob("*.md")} == alerts()


@promtool
def test_promtool_takes_the_rules():
    done = subprocess.run(["promtool", "check", "rules", *RULES], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_promtool_tests_pass():
    done = subprocess.run(
        ["promtool", "test", "rules", *TESTS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


class TestLint:
    """The linter finds what it is there for."""

    @pytest.fixture
    def board(self):
        return copy.deepcopy(json.loads((HERE / "overview.json").read_text()))

    def wrong(self, board):
        return "\n".join(lint.dashboard("x", board, lint.known_metrics(GOLDEN, RULES)))

    def panel(self, board):
        return next(p for p in board["panels"] if p["type"] == "stat")

    def test_it_is_content_as_it_is(self, board):
        assert self.wrong(board) == ""

    def test_a_panel_without_unit(self, board):
        del self.panel(board)["fieldConfig"]["defaults"]["unit"]
        assert "expected a unit" in self.wrong(board)

    def test_a_title_that_is_not_chinese(self, board):
        self.panel(board)["title"] = "Adoption"
        assert "panel 2 'Adoption': expected a Chinese title" in self.wrong(board)

    def test_no_id_and_the_same_id_twice(self, board):
        board["panels"][0]["id"] = 0
        board["panels"][2]["id"] = board["panels"][1]["id"]
        assert self.wrong(board).count("expected an id of its own") == 2

    def test_an_unknown_metric(self, board):
        self.panel(board)["targets"][0]["expr"] = "rate(gaoling_nothing[5m])"
        assert "unknown metric gaoling_nothing" in self.wrong(board)

    def test_what_is_not_promql(self, board):
        self.panel(board)["targets"][0]["expr"] = "sum(gaoling_systems"
        assert "not PromQL" in self.wrong(board)

    def test_a_dashboard_that_hides_how_old_its_data_is(self, board):
        board["panels"] = [
            p for p in board["panels"]
            if not any("evidence" in t["expr"] for t in p.get("targets", []))
        ]  # fmt: skip
        assert "expected the age of the data" in self.wrong(board)

    def test_metrics_are_found_everywhere_in_an_expression(self):
        expr = "-(sum by (a) (x{b='c'}) / on (a) max_over_time(y[$__rate_interval:1m]) > bool 3)"
        assert lint.metrics_of(expr) == {"x", "y"}
