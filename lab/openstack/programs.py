"""Programs that run once, while the cloud is prepared: output to a log, and they die with us."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab import sweep
from lab.errors import LabError
from lab.openstack import common
from lab.openstack.topology import PYTHON, Cloud
from lab.supervise import base_env

LINES = 25


def environment(uid: int | None = None, **more: str) -> dict[str, str]:
    return {**base_env(uid), **common.ENV, sweep.MARK: "cloud", **more}


def mortal(*words: str | Path, uid: int | None = None) -> list[str]:
    """Return the command line such that it is killed when the thread that starts it ends."""
    rights = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid is not None else []
    return ["setpriv", "--pdeathsig", "KILL", *rights, *(str(word) for word in words)]


def run(
    cloud: Cloud,
    log: str,
    *words: str | Path,
    uid: int | None = None,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> None:
    """Run to the end. Raises LabError with the end of log/LOG.log when it fails."""
    path = cloud.paths.log / f"{log}.log"
    line = mortal(*words, uid=uid)
    with path.open("a") as out:
        path.chmod(0o600)
        done = subprocess.run(
            line,
            input=stdin,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(uid, **(env or {})),
            text=True,
            check=False,
            cwd="/",
        )
    if done.returncode:
        tail = path.read_text(errors="replace").splitlines()[-LINES:]
        said = "\n".join([f"--- end of {path}", *tail])
        raise LabError(f"{_name(words)} failed ({done.returncode})\n{said}")


def _name(words: Iterable[str | Path]) -> str:
    shown = [str(word) for word in words if str(word) not in (PYTHON, "-P")]
    return " ".join(shown[:4])


def manage(cloud: Cloud, log: str, target: str, *words: str | Path) -> None:
    """Run an OpenStack `manage` command from Debian's libraries."""
    name = target.split(".", 1)[0]
    run(cloud, log, *cloud.python(f"{name}-manage", target, *words))
