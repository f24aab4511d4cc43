"""Folders of Debian's packages under /run: made where a machine without systemd has none."""

from __future__ import annotations

import pytest

from lab import paths
from lab.paths import LabPaths


@pytest.fixture
def part(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    found = LabPaths("extranet")
    found.state.mkdir(parents=True)
    return found


@pytest.fixture
def user():
    import getpass

    return getpass.getuser()


def test_what_was_missing_is_made_and_given_back(part, user, tmp_path):
    folder = tmp_path / "frr"
    part.borrow(folder, user)
    part.borrow(folder, user)  # a second start finds it there
    assert folder.stat().st_mode & 0o777 == 0o755
    part.give_back()
    assert not folder.exists()


def test_what_was_there_stays(part, user, tmp_path):
    folder = tmp_path / "sshd"
    folder.mkdir()
    part.borrow(folder, user)
    part.give_back()
    assert folder.is_dir()


def test_what_somebody_else_keeps_there_stays(part, user, tmp_path):
    folder = tmp_path / "frr"
    part.borrow(folder, user)
    (folder / "zebra.pid").write_text("1")
    part.give_back()
    assert (folder / "zebra.pid").exists()
