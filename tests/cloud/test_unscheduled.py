"""A volume that Cinder never scheduled needs no leave to go; one that may hold something does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from keystoneauth1.exceptions import ConnectFailure

from gaoling.cloud.settle import Unsettled
from gaoling.cloud.unscheduled import HOST, unscheduled

ZONE = "urn:pulumi:s::gaoling::gaoling:cloud:LandingZone"
PROVIDER = f"{ZONE}$pulumi:providers:openstack::health"
VOLUME = f"{ZONE}$openstack:blockstorage/volume:Volume::health-data-1"
NEVER = {"status": "error", "attachments": [], HOST: None}


def rows(**volume):
    return [
        {"urn": PROVIDER, "type": "pulumi:providers:openstack", "inputs": {"cloud": "primary:x"}},
        {"urn": VOLUME, "type": "openstack:blockstorage/volume:Volume", "id": "v1",
         "provider": f"{PROVIDER}::p1", **volume},
    ]  # fmt: skip


def cinder(said, status=200):
    def get(path):
        assert path == "/volumes/v1"
        return SimpleNamespace(ok=status == 200, json=lambda: {"volume": said})

    def connection(entry):
        assert entry == "primary:x"
        return SimpleNamespace(block_storage=SimpleNamespace(get=get))

    return connection


def test_what_no_backend_ever_had_is_unscheduled():
    assert unscheduled([VOLUME], rows(), cinder(NEVER)) == {VOLUME: "v1"}


@pytest.mark.parametrize(
    "said",
    [
        {**NEVER, "status": "available"},
        {**NEVER, "status": "error_extending"},
        {**NEVER, "attachments": [{"server_id": "s1"}]},
        {**NEVER, HOST: "cinder@files#files"},
        {k: v for k, v in NEVER.items() if k != HOST},  # shown to administrators only
        {},
    ],
    ids=["whole", "grown", "attached", "on a backend", "host not shown", "nothing said"],
)
def test_what_may_hold_something_is_not(said):
    assert unscheduled([VOLUME], rows(), cinder(said)) == {}


def test_of_what_the_cloud_does_not_know_nothing_is_said():
    assert unscheduled([VOLUME], rows(), cinder(NEVER, status=404)) == {}


def test_a_cloud_that_does_not_answer_is_an_error_and_no_answer():
    def away(entry):
        raise ConnectFailure("no route")

    with pytest.raises(ConnectFailure, match="no route"):
        unscheduled([VOLUME], rows(), away)
    with pytest.raises(Unsettled, match=r"names no entry of clouds\.yaml"):
        unscheduled([VOLUME], rows()[1:], cinder(NEVER))


def test_only_what_was_asked_for_and_is_held_is_looked_at():
    assert unscheduled([], rows(), cinder(NEVER)) == {}
    assert unscheduled([VOLUME], [], cinder(NEVER)) == {}
    assert unscheduled([VOLUME], rows(delete=True), cinder(NEVER)) == {}
    assert (
        unscheduled(
            [VOLUME], rows(type="openstack:objectstorage/container:Container"), cinder(NEVER)
        )
        == {}
    )
