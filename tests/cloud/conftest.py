"""What tests of runs have in common."""

from __future__ import annotations

import os

import pytest

from tests.cloud import stand_in as programs


@pytest.fixture
def clouds(tmp_path, monkeypatch):
    """Return the clouds.yaml of a state and an access of the test's own."""
    access = tmp_path / "access" / "cloud"
    access.mkdir(parents=True)
    path = access / "clouds.yaml"
    path.write_text("clouds: {primary: {auth: {}}, dr: {auth: {}}}")
    monkeypatch.setenv("GAOLING_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("GAOLING_ACCESS", str(tmp_path / "access"))
    monkeypatch.setenv("GAOLING_CITY", "lab")
    return path


@pytest.fixture
def stand_in(tmp_path, clouds, monkeypatch):
    """A stand-in for Pulumi's programs, and a state and a cloud's access of its own."""
    folder = tmp_path / "bin"
    programs.install(folder)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    monkeypatch.setenv("OS_PASSWORD", "of another cloud")
    monkeypatch.setattr("gaoling.cloud.access.projects", lambda cloud, path: {})
    return tmp_path


@pytest.fixture
def full(bench):
    """All of the module's small city is in the cloud."""
    bench.write()
    bench.up()
    return bench
