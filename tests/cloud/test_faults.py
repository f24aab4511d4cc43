"""A service at fault in the middle of a run: said in a line, and the next run goes on."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
import yaml

from tests.cloud.small_city import NEUTRON, SYSTEM, small_city, until

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.pulumi,
    pytest.mark.after_city,
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def bench(landing_zones, tmp_path_factory):
    """Nothing of the city is in the cloud at first, nor after the last test."""
    with small_city(tmp_path_factory.mktemp("faults"), "faults") as made:
        yield made


def test_a_service_that_answers_badly_is_named_and_the_next_run_goes_on(bench):
    """Each run gets as far as the next fault; the last one is whole, and nothing is there twice."""
    proxy = bench.proxy
    at = f"POST http://127.0.0.1:{proxy.ports[NEUTRON]}/v2.0"
    taken = "was made by a run that was cut off: taken into the state"

    def broken(*faults):
        """Run with faults, each (method, path, what, line); return what was said."""
        with ExitStack() as stack:
            met = [stack.enter_context(proxy.fault(m, p, **what)) for m, p, what, _ in faults]
            text = bench.up(code=1)
        for fault, (_, _, _, line) in zip(met, faults, strict=True):
            assert fault.met, text
            assert line in text, text
        assert "what was done stays done; run it again to go on" in text
        return text

    broken(
        ("POST", r"/v2.0/networks$", {"code": 500},
         f"create Network {SYSTEM}: the networking service answered 500: Internal Server Error"),
        ("POST", r"/v2.0/routers$", {"code": 429, "headers": {"Retry-After": "1"}},
         f"create Router {SYSTEM}: the networking service answered 429: Too many requests"),
        # the work is done and the answer lost: the connection is cut
        ("POST", r"/volumes$", {"code": 0, "after": True}, "/volumes was not answered: EOF"),
    )  # fmt: skip
    text = broken(
        ("POST", r"/v2.0/subnets$", {"code": 409, "times": 2},
         f"create Subnet {SYSTEM}-ipv4: {at}/subnets answered 409: injected"),
    )  # fmt: skip
    assert re.findall(rf"(\w+) {SYSTEM}\S* \S+ {taken}", text) == ["Volume"]
    broken(  # the same, by a gateway whose time was out
        ("POST", r"/v2.0/ports$", {"code": 504, "after": True},
         f"create Port {SYSTEM}-1: the networking service answered 504: Gateway Timeout"),
    )  # fmt: skip
    text = bench.up()
    assert re.findall(rf"(\w+) {SYSTEM}\S* \S+ {taken}", text) == ["Port"]
    bench.whole()


def test_a_silent_service_is_said_and_the_run_is_stopped(full):
    """It takes the request and never answers; the run says so and what it waits for."""
    bench = full
    _delete_volume(bench)
    bench.run("refresh")
    with bench.proxy.fault("POST", r"/volumes$", after=True, code=0, hold=300):
        text = bench.run("up", "--yes", "--patience", "8", code=1)
    assert f"waiting for create Volume {SYSTEM}-data-1" in text
    assert "stopped; see whether the service answers, then run it again" in text
    text = bench.up()
    assert "was made by a run that was cut off: taken into the state" in text
    bench.whole()


def _delete_volume(bench):
    ((_, _, volume),) = [one for one in bench.there() if one[0] == "volume"]
    ((_, _, server),) = [one for one in bench.there() if one[0] == "server"]
    bench.api.compute.delete_volume_attachment(server, volume)
    until(lambda: bench.api.block_storage.get_volume(volume).status == "available")
    bench.api.block_storage.delete_volume(volume)
    until(lambda: not [one for one in bench.there() if one[0] == "volume"])


def test_a_quota_that_is_exceeded_is_said_in_the_services_words(full):
    bench = full
    _delete_volume(bench)
    bench.run("refresh")
    (project,) = bench.projects()
    before = bench.api.block_storage.get(f"/os-quota-sets/{project}").json()["quota_set"]
    path = f"/os-quota-sets/{project}"
    bench.api.block_storage.put(path, json={"quota_set": {"volumes": 0}})
    text = bench.up(code=1)
    assert f"create Volume {SYSTEM}-data-1: POST " in text
    assert "Maximum number of volumes allowed (0) exceeded" in text
    bench.api.block_storage.put(path, json={"quota_set": {"volumes": before["volumes"]}})
    bench.up()
    bench.whole()


def test_the_passwords_of_the_cloud_stand_in_no_log(bench):
    given = yaml.safe_load(bench.given.read_text())["clouds"]["primary"]["auth"]["password"]
    for path in (bench.state / "pulumi/logs").iterdir():
        assert given not in path.read_text(errors="replace"), path
