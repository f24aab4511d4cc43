"""A service account plans a change: no home, no login shell, no right but its access folder."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.extranet import ssh

ACCOUNT = pwd.getpwnam("nobody")
DEVICE = "town-360281112"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the socket of the way to the bastion is in it."""
    found = Path("/run") / f"gaoling-nobody-{os.getpid()}"
    (found / "state").mkdir(parents=True)
    ssh.write_access(found / "access" / "extranet", "operator", ACCOUNT.pw_uid)
    for path in (found, found / "access", found / "state"):
        os.chown(path, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    yield found
    config = str(found / "access" / "extranet" / "ssh_config")
    subprocess.run(["ssh", "-F", config, "-O", "exit", "bastion"], capture_output=True, check=False)
    shutil.rmtree(found)


@pytest.mark.root
@pytest.mark.extranet
def test_a_service_account_plans_a_change(folder):
    assert not Path(ACCOUNT.pw_dir).exists()
    assert ACCOUNT.pw_shell.endswith("nologin")
    env = {"HOME": ACCOUNT.pw_dir, "SHELL": ACCOUNT.pw_shell, "USER": ACCOUNT.pw_name,
           "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "GAOLING_CITY": "lab",
           "GAOLING_ACCESS": str(folder / "access"),
           "GAOLING_STATE": str(folder / "state")}  # fmt: skip
    done = subprocess.run(
        ["setpriv", "--reuid", str(ACCOUNT.pw_uid), "--regid", str(ACCOUNT.pw_gid),
         "--clear-groups", str(Path(sys.executable).parent / "gaoling"), "network", "plan",
         "--limit", DEVICE, "--json"],
        env=env, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stdout + done.stderr  # 3: there is something to change
    said = json.loads(done.stdout)
    assert (said["changed"], said["same"]) in (([DEVICE], 0), ([], 1))
    assert said["failed"] == {}
