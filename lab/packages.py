"""Debian packages that the lab runs: installed without starting, enabling or upgrading any."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.errors import LabError
from lab.progress import Progress

POLICY = Path("/usr/sbin/policy-rc.d")
SAVED = Path("/usr/sbin/policy-rc.d.gaoling-saved")
DENY = "#!/bin/sh\n# gaoling: for this one installation; put back afterwards\nexit 101\n"
_LINKS = ("/etc/systemd/system", "/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d")


def missing(packages: Sequence[str]) -> list[str]:
    """Return those of the packages that are not installed."""
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    states = dict(line.split(" ", 1) for line in query.stdout.splitlines())
    return [p for p in packages if states.get(p) != "installed"]


def ensure(packages: Sequence[str], progress: Progress) -> None:
    """Install what is missing and say what. Raises LabError with apt's own words."""
    need = missing(sorted(set(packages)))
    _put_back()  # a run that was killed in the middle may have left its policy behind
    if not need:
        return
    progress.note(f"installing {len(need)} Debian packages: {' '.join(need)}")
    before = _enabled()
    with _no_services():
        _apt("update", "-q")
        _apt(
            "install", "-y", "-q", "--no-install-recommends", "--no-upgrade",
            "-o", "DPkg::Lock::Timeout=600",
            "-o", "Dpkg::Options::=--force-unsafe-io",
            "-o", "Dpkg::Options::=--force-confdef",
            "-o", "Dpkg::Options::=--force-confold",
            *need,
        )  # fmt: skip
    for link in sorted(_enabled() - before):
        link.unlink(missing_ok=True)  # what the packages enabled at boot, nothing else
    progress.note(f"{len(need)} packages installed; no service started or enabled")


def _apt(*arguments: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["apt-get", *arguments],
        env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise LabError(f"apt-get {arguments[0]} failed ({done.returncode}):\n{tail}")


def _enabled() -> set[Path]:
    """Return the links that start something at boot."""
    found: set[Path] = set()
    for folder in map(Path, _LINKS):
        if folder.is_dir():
            found |= {p for p in folder.rglob("*") if p.is_symlink() and _starts(p)}
    return found


def _starts(link: Path) -> bool:
    return link.parent.name.endswith((".wants", ".requires")) or link.name.startswith("S")


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Forbid maintainer scripts to start services; what was there before comes back."""
    if POLICY.exists() or POLICY.is_symlink():
        POLICY.rename(SAVED)
    POLICY.write_text(DENY)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        _put_back()


def _put_back() -> None:
    if POLICY.exists() and not POLICY.is_symlink() and POLICY.read_text() == DENY:
        POLICY.unlink()
    if SAVED.exists() or SAVED.is_symlink():
        SAVED.rename(POLICY)
