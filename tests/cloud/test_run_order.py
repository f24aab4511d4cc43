"""In which order stacks are run, and when the next may begin."""

from __future__ import annotations

import json

import pytest

from gaoling.cloud import guard
from gaoling.cloud.stacks import Stack, stacks
from tests.cloud.stand_in import CITY, URN, gaoling, play, runner, step


def test_waves_are_run_in_order_and_backwards(stand_in):
    made = runner(stand_in)
    wanted = stacks(CITY)
    made.prepare(wanted)
    assert [o.stack.wave for o in made.all("up", wanted)] == [0, 0, 1, 2]
    assert [o.stack.wave for o in made.all("destroy", wanted, backwards=True)] == [2, 1, 0, 0]


def test_after_a_failure_later_waves_are_not_begun(stand_in):
    made = runner(stand_in)
    wanted = stacks(CITY)
    made.prepare(wanted)
    error = {"diagnosticEvent": {"severity": "error", "message": "<{%fg 1%}>no quota<{%reset%}>"}}
    play(stand_in, "up-lab-dr-platform", error, {"code": 255})
    found = made.all("up", wanted)
    assert [(o.stack.name, o.ok) for o in found] == [
        ("lab-primary-platform", True),
        ("lab-dr-platform", False),
    ]
    assert found[1].why() == "no quota"


def made(urn):
    return {"resOutputsEvent": {"metadata": {"op": "create", "urn": urn, "type": urn}}}


def ended(folder, *events):
    """Run `up` with these events and a second more in the first region; return who ended when."""
    play(folder, "up-lab-primary-0", *events, {"sleep": 1.0})
    said, made = [], runner(folder)
    made.say = said.append
    wanted = stacks(CITY)
    made.prepare(wanted)
    assert all(o.ok for o in made.all("up", wanted))
    return [line.split()[0] for line in said if " up: ok" in line][2:]


HOME = next(s for s in stacks(CITY) if s.name == "lab-primary-0")


def test_the_other_region_begins_as_soon_as_its_projects_are_there(stand_in):
    assert len(HOME.anchors) == 8
    events = [made(urn) for urn in sorted(HOME.anchors)]
    assert ended(stand_in, *events) == ["lab-dr-0", "lab-primary-0"]


@pytest.mark.parametrize("missing", range(8))
def test_one_project_that_is_not_there_keeps_the_other_region_back(stand_in, missing):
    there = [made(urn) for n, urn in enumerate(sorted(HOME.anchors)) if n != missing]
    assert ended(stand_in, *there) == ["lab-primary-0", "lab-dr-0"]


def test_what_was_begun_before_a_failure_goes_on(stand_in):
    made_ = [made(urn) for urn in HOME.anchors]
    play(stand_in, "up-lab-primary-0", *made_, {"sleep": 1.0}, {"code": 255})
    one = runner(stand_in)
    one.prepare(stacks(CITY))
    found = {o.stack.name: o.ok for o in one.all("up", stacks(CITY))}
    assert found["lab-dr-0"]
    assert not found["lab-primary-0"]


def left_behind(folder):
    """Lay out the state of a stack of which the register has nothing left."""
    path = folder / "state/pulumi/state/.pulumi/stacks/gaoling/lab-primary-7.json"
    path.parent.mkdir(parents=True)
    latest = {"manifest": {}, "resources": [{"urn": "urn:a", "type": "pulumi:pulumi:Stack"}]}
    path.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    return path


def test_a_stack_whose_last_row_is_gone_is_refused_like_a_row(stand_in):
    left_behind(stand_in)
    play(stand_in, "preview-lab-primary-7", step("delete", URN.replace("-0::", "-7::")))
    result = gaoling("up", "--yes")
    assert isinstance(result.exception, guard.Refused)
    assert "1 resources that may hold data would be deleted or replaced" in str(result.exception)


def test_a_stack_that_holds_nothing_more_is_forgotten(stand_in):
    path = left_behind(stand_in)
    assert "lab-primary-7" in gaoling("stacks").stdout
    path.write_text('{"version": 3, "checkpoint": {"latest": {"manifest": {}}}}')
    assert "lab-primary-7" not in gaoling("stacks").stdout


def test_what_is_no_longer_in_the_cloud_is_said_with_the_way_on(stand_in):
    said = (
        "Resource not found: [POST http://api/servers/1/os-volume_attachments], error message: {}"
    )
    error = {"diagnosticEvent": {"severity": "error", "message": said}}
    play(stand_in, "up-lab-dr-0", error, {"code": 255})
    result = gaoling("up", "--yes")
    assert result.exit_code == 1
    assert "gaoling cloud refresh first" in result.output


def shard(region, number, wave):
    return Stack(f"lab-{region}-{number}", region, str(number), wave, 1)


MANY = [shard("primary", n, 1) for n in range(4)] + [shard("dr", n, 2) for n in range(4)]


def begun(folder, wanted=MANY, **options):
    """Run `up` on stacks, two at once; return their names as they began."""
    made = runner(folder)
    made.jobs = 2
    made.prepare(wanted)
    return [o.stack.name for o in made.all("up", wanted, **options)]


def test_two_regions_have_work_at_once(stand_in):
    """Each region's services are its own: two shards in one of them would wait for each other."""
    names = begun(stand_in)
    assert sorted(names) == sorted(s.name for s in MANY)
    assert names[:2] == ["lab-primary-0", "lab-primary-1"]
    # whichever of the first two ended first, or both at once: one of each region follows
    assert {name.split("-")[1] for name in names[2:4]} == {"primary", "dr"}
    for n in range(4):
        assert names.index(f"lab-primary-{n}") < names.index(f"lab-dr-{n}")


def test_what_goes_backwards_begins_in_the_last_region(stand_in):
    names = begun(stand_in, backwards=True)
    for n in range(4):
        assert names.index(f"lab-dr-{n}") < names.index(f"lab-primary-{n}")


def test_a_shard_that_fails_holds_back_its_own_and_no_other(stand_in):
    play(stand_in, "up-lab-primary-1", {"code": 255})
    names = begun(stand_in)
    assert set(names) == {s.name for s in MANY} - {"lab-dr-1"}
