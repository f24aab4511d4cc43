"""`gaoling status`: what people and programs read, with data and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gaoling.city import read_city
from gaoling.cli import context, status

GOLDEN = Path(__file__).with_name("golden.prom").read_text()
CITY = read_city(Path(__file__).parents[2] / "inventories" / "lab")
NOTHING = '# TYPE gaoling_exporter_info gauge\ngaoling_exporter_info{city="lab"} 1\n'


@pytest.fixture
def run(monkeypatch):
    """Run the command on a page of metrics."""
    app = typer.Typer()
    app.command()(status.status)
    monkeypatch.setattr(context, "city", lambda quiet=False: CITY)
    monkeypatch.setattr(status.time, "time", lambda: 1_795_000_030.0)

    def ask(page, *words):
        missing = [{"subject": "police-general", "name": "警综平台", "owner": "police",
                    "state": "no", "because": "not provisioned"}]  # fmt: skip
        rates = [{"rate": "cloud-adoption", "level": "", "missing": missing}]
        pages = {"/metrics": page, "/rates.json": json.dumps(rates)}
        monkeypatch.setattr(status, "_get", lambda url: pages[url.removeprefix(status.EXPORTER)])
        return CliRunner().invoke(app, list(words))

    return ask


def line(text, start):
    return next(x for x in text.splitlines() if x.strip().startswith(start))


def test_both_rates_stand_beside_their_targets(run):
    done = run(GOLDEN)
    assert done.exit_code == 0, done.output
    adoption = line(done.output, "上云率")
    assert adoption.split() == ["上云率", "80", "%", "8/10", "2/0/0", "80", "%",
                                "2024-12-31（假定）", "已达到", "30", "s"]  # fmt: skip
    assert "逾期未达" in line(done.output, "接入率 村级")


def test_an_interval_shows_both_bounds(run):
    assert "50–58.3 %" in line(run(GOLDEN).output, "接入率 村级")


def test_recovery_points_by_the_systems_names(run):
    assert line(run(GOLDEN).output, "电子证照系统").split()[1:] == ["2", "min", "60", "min", "达标"]


def test_who_is_missing_and_whose_it_is(run):
    row = next(x for x in run(GOLDEN, "--missing").output.splitlines() if "警综平台" in x)
    assert row.split() == ["上云率", "警综平台", "police-general", "市公安局", "not", "provisioned"]


def test_english(run):
    assert "cloud adoption" in run(GOLDEN, "--lang", "en").output


def test_json_for_programs(run):
    found = json.loads(run(GOLDEN, "--json").stdout)
    adoption = found["rates"][0]
    assert (adoption["lower"], adoption["upper"], adoption["target_ratio"]) == (0.8, 0.8, 0.8)
    assert (adoption["state"], adoption["assumed"], adoption["age"]) == ("met", True, 30)
    assert adoption["definition"] == "cloud-adoption/1"
    assert adoption["missing"][0]["subject"] == "police-general"


def looked(sites, systems, rates):
    """Return a page of metrics: when each collector's last collection began and ended."""
    lines = ["# TYPE gaoling_collector_duration_seconds gauge"]
    each = {"extranet_sites": sites, "systems": systems, "rates": rates}
    lines += [f'gaoling_collector_duration_seconds{{collector="{c}"}} {end - begin}'
              for c, (begin, end) in each.items()]  # fmt: skip
    lines.append("# TYPE gaoling_collector_last_success_timestamp_seconds gauge")
    lines += [f'gaoling_collector_last_success_timestamp_seconds{{collector="{c}"}} {end}'
              for c, (_, end) in each.items()]  # fmt: skip
    kept = (x for x in GOLDEN.splitlines(keepends=True) if "gaoling_collector_" not in x)
    return status.Metrics("".join(kept) + "\n".join(lines) + "\n")


@pytest.mark.parametrize(("sites", "systems", "rates", "expected"), [
    ((101, 108), (102, 104), (108, 109), True),
    ((99, 108), (102, 104), (108, 109), False),  # it began before: it saw what is no longer so
    ((101, 108), (99, 104), (108, 109), False),
    ((101, 108), (102, 104), (107, 109), False),  # the rates were counted before it had ended
])  # fmt: skip
def test_waiting_is_for_looks_that_began_after_the_question(sites, systems, rates, expected):
    assert status.measured_since(looked(sites, systems, rates), 100) is expected


def test_waiting_does_not_end_without_a_look():
    assert not status.measured_since(status.Metrics(NOTHING), 100)


def test_without_data_it_says_so_and_ends_with_1(run):
    done = run(NOTHING)
    assert done.exit_code == 1
    assert "无数据" in line(done.output, "上云率")
    assert " 0 " not in line(done.output, "上云率")


def test_without_an_exporter_it_says_how_to_start_it(monkeypatch):
    monkeypatch.setattr(context, "city", lambda quiet=False: CITY)
    app = typer.Typer()
    app.command()(status.status)
    done = CliRunner().invoke(app, ["--exporter", "http://127.0.0.1:9"])
    assert done.exit_code == 1
    assert "sudo gaoling lab up monitoring" in done.output
