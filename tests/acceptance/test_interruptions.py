"""Ctrl-C at any point: nothing is lost, the same command goes on from there.

On a fresh lab the steps of the main job were interrupted in the middle before they were run to
their end (tests/conftest.py): that they came to it is what every other test here stands on.
"""

from __future__ import annotations

import pytest

from tests.conftest import Interrupted, Lab, press_ctrl_c

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.extranet,
    pytest.mark.monitoring,
    pytest.mark.usefixtures("city_at_work"),
]
STEPS = ("lab up", "cloud up", "network apply")


@pytest.fixture
def interrupted(lab: Lab) -> dict[str, Interrupted]:
    """What the steps of a fresh lab said when they were interrupted.

    Nothing is left to interrupt on a lab that somebody runs, and it is not taken down for a test:
    `.ci/run` begins with `make down`, and there none of these is left out.
    """
    if not lab.fresh:
        pytest.skip("the lab ran before: nothing was left to interrupt; `make down` first")
    return lab.interrupted


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_step_says_so_and_that_it_can_be_run_again(
    interrupted: dict[str, Interrupted], step: str
):
    found = interrupted[step]
    assert found.reached, found.output
    assert found.code == 130, found.output
    assert "Traceback" not in found.output
    assert "run it again to go on" in found.output


def test_a_start_that_was_interrupted_waited_for_nothing_more(interrupted: dict[str, Interrupted]):
    assert "cloud: both regions are healthy" not in interrupted["lab up"].output


def test_make_demo_interrupted_ends_its_step_and_names_the_way_on():
    found = press_ctrl_c(("demo",), after="^城市")
    assert found.reached, found.output
    assert found.code == 130, found.output
    assert "`make demo` goes on from there" in found.output
    assert "Traceback" not in found.output
