"""The page: compared as a whole with a golden file, clean by promtool, steady in the background.

GAOLING_UPDATE_GOLDEN=1 writes the golden file anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from exporters.base import Result, Sample
from exporters.extranet_routers import ExtranetRouters
from exporters.extranet_sites import ExtranetSites
from exporters.families import HELP, render
from exporters.rates import RatesCollector
from exporters.recovery import Recovery
from exporters.schedule import Schedule, Turn, pause
from exporters.systems import Systems
from exporters.targets import Targets
from tests.cloud.drift_world import World as DriftWorld

GOLDEN = Path(__file__).with_name("golden.prom")


def whole(world) -> Schedule:
    world.grow()
    collectors = [ExtranetSites(), Systems(), Recovery(), ExtranetRouters(world.script),
                  world.capacity(), DriftWorld().collector(), RatesCollector(),
                  Targets()]  # fmt: skip
    return Schedule(world.context, collectors)


def steady(page: bytes) -> str:
    """Return the page without what differs from run to run: durations."""
    return "".join(
        line for line in page.decode().splitlines(keepends=True)
        if not line.startswith("gaoling_collector_duration_seconds{")
    )  # fmt: skip


def test_the_whole_page_is_the_golden_one(world):
    # a township's router is dead, and a village behind it cannot be seen
    world.script.silent = {"10.14.1.1", "10.255.4.11", "10.14.101.1", "10.255.4.201"}
    schedule = whole(world)
    for turn in schedule.turns:  # one after the other: the same page each time
        schedule.run(turn)
    found = steady(schedule.page)
    if os.environ.get("GAOLING_UPDATE_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here")
def test_promtool_finds_nothing_wrong(world):
    schedule = whole(world)
    schedule.once()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=schedule.page, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_metric_of_the_table_is_on_the_golden_page():
    text = GOLDEN.read_text()
    assert [name for name in HELP if f"# TYPE {name} gauge" not in text] == []


def test_labels_are_escaped():
    page = render([Sample("gaoling_exporter_info", 1, {"city": 'a"b\\c\nd'})])
    assert page.endswith(b'gaoling_exporter_info{city="a\\"b\\\\c\\nd"} 1\n')


def test_one_series_twice_is_refused():
    with pytest.raises(ValueError, match="is there twice"):
        render([Sample("gaoling_evidence_observations", 1)] * 2)


class Broken:
    name, interval, deadline = "systems", 60.0, 60.0

    def collect(self, context):
        raise RuntimeError("nothing works")


def test_a_broken_collector_says_so_and_takes_nothing_from_the_others(world):
    schedule = Schedule(world.context, [ExtranetSites(), Broken(), RatesCollector()])
    schedule.once()
    page = schedule.page.decode()
    assert 'gaoling_collector_success{collector="systems"} 0' in page
    assert 'gaoling_collector_success{collector="extranet_sites"} 1' in page
    assert 'last_success_timestamp_seconds{collector="systems"}' not in page
    assert 'gaoling_extranet_access_ratio{bound="lower",level="county"} 1' in page
    assert "gaoling_cloud_adoption_ratio" not in page


@pytest.mark.parametrize(("interval", "success", "seconds", "expected"), [
    (60.0, True, 4.0, 56.0),
    (60.0, True, 59.0, 6.0),  # never without a rest
    (60.0, False, 4.0, 6.0),
    (600.0, False, 4.0, 60.0),  # a tenth of the interval
    (5.0, False, 1.0, 4.0),  # never later than after a success
])  # fmt: skip
def test_what_failed_is_looked_at_again_soon(interval, success, seconds, expected):
    turn = Turn(Broken(), interval, success=success)
    assert pause(turn, seconds) == expected


class Slow:
    name, interval, deadline = "systems", 0.05, 0.05

    def __init__(self):
        self.go = threading.Event()

    def collect(self, context):
        self.go.wait(10)
        return Result()


def test_a_collection_over_its_deadline_is_a_failure_while_it_still_runs(world):
    slow = Slow()
    schedule = Schedule(world.context, [slow])
    schedule.start()
    time.sleep(0.3)
    schedule.publish()
    assert b'gaoling_collector_success{collector="systems"} 0' in schedule.page
    assert schedule.state() == {"ok": False, "stuck": ["systems"]}
    slow.go.set()
    schedule.stop()
