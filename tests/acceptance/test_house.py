"""The house itself: only the lab needs root, and the tree stays clean."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gaoling.cli import context
from tests.conftest import ROOT

PLAIN = pwd.getpwnam("nobody").pw_uid  # OpenSSH refuses a user without an entry in passwd


def _no_sockets(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if (Path(folder) / name).is_socket()}


@pytest.fixture
def plain_user() -> Iterator[Path]:
    """A home of a user who is not root, with a copy of the credentials of the lab."""
    home = Path("/run") / f"gaoling-plain-{os.getpid()}"
    home.mkdir(mode=0o700)
    for part in ("cloud", "extranet"):
        if context.access(part).is_dir():
            shutil.copytree(context.access(part), home / "access" / part, ignore=_no_sockets)
    for path in (home, *home.rglob("*")):
        os.chown(path, PLAIN, PLAIN)
    for config in (home / "access").rglob("ssh_config"):
        text = config.read_text().replace(str(context.access("extranet")), str(config.parent))
        config.write_text(text)
    yield home
    shutil.rmtree(home)


def as_plain_user(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
           "GAOLING_CITY": "lab", "GAOLING_ACCESS": str(home / "access"),
           "GAOLING_STATE": str(home / "state")}  # fmt: skip
    return subprocess.run(
        ["setpriv", "--reuid", str(PLAIN), "--regid", str(PLAIN), "--clear-groups",
         str(Path(sys.executable).parent / "gaoling"), *command],
        env=env, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.root
def test_a_plain_user_checks_the_register(plain_user: Path):
    done = as_plain_user(plain_user, "check")
    assert done.returncode == 0, done.stderr


@pytest.mark.root
def test_a_plain_user_is_told_that_the_lab_needs_root(plain_user: Path):
    for action in ("up", "down"):
        done = as_plain_user(plain_user, "lab", action)
        assert done.returncode == 1
        assert "not root" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.extranet
@pytest.mark.monitoring
@pytest.mark.cloud
@pytest.mark.usefixtures("city_at_work")
def test_a_plain_user_sees_the_rates(plain_user: Path):
    done = as_plain_user(plain_user, "status")
    assert done.returncode == 0, done.stderr
    assert "上云率" in done.stdout


@pytest.mark.last
def test_git_status_is_as_it_was(tree_at_start: str):
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == tree_at_start
