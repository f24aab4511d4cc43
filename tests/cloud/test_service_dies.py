"""A service that dies in the middle of a run; no other run is there, for it would meet it too."""

from __future__ import annotations

import pytest

from tests.cloud.small_city import NEUTRON, SYSTEM, answers, small_city, stop_neutron, until

pytestmark = [pytest.mark.cloud, pytest.mark.pulumi, pytest.mark.timeout(900)]


@pytest.fixture
def bench(landing_zones, tmp_path):
    """Nothing of the city is in the cloud at first, nor after the test."""
    with small_city(tmp_path, "faults") as made:
        yield made


def test_a_service_that_dies_in_the_middle_is_said_and_a_rerun_completes(bench):
    """The supervisor of the lab starts it again; so would that of a cloud.

    While Neutron has made the port and its answer is on the way, Neutron dies.
    """
    with bench.proxy.fault("POST", r"/v2.0/ports$", after=True, code=0, hold=1) as met:
        process = bench.start("up", "--yes")
        until(lambda: met.met)
        stop_neutron()
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert f"create Port {SYSTEM}-1: POST " in said
    assert "was not answered" in said
    until(lambda: answers(NEUTRON), 120)
    bench.up()
    bench.whole()
