"""A volume that never came to be needs no leave to go; one that may hold something does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from keystoneauth1.exceptions import ConnectFailure

from gaoling.cloud.unborn import HOST, unborn

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


def test_what_no_backend_ever_had_is_unborn():
    assert unborn([VOLUME], rows(), cinder(NEVER)) == {VOLUME: "v1"}


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
    assert unborn([VOLUME], rows(), cinder(said)) == {}


def test_what_the_cloud_does_not_answer_for_is_not():
    def away(entry):
        raise ConnectFailure("no route")

    assert unborn([VOLUME], rows(), away) == {}
    assert unborn([VOLUME], rows(), cinder(NEVER, status=404)) == {}
    assert unborn([VOLUME], rows()[1:], cinder(NEVER)) == {}  # whose provider nobody knows


def test_only_what_was_asked_for_and_is_held_is_looked_at():
    assert unborn([], rows(), cinder(NEVER)) == {}
    assert unborn([VOLUME], [], cinder(NEVER)) == {}
    assert unborn([VOLUME], rows(delete=True), cinder(NEVER)) == {}
    assert (
        unborn([VOLUME], rows(type="openstack:objectstorage/container:Container"), cinder(NEVER))
        == {}
    )
