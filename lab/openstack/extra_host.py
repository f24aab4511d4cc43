"""A further compute host of a region, for as long as somebody wants to see what it changes.

It is no service of the part: no supervisor keeps it, `gaoling lab up` does not bring it. It is born
disabled and its process dies with the one that started it. It has no Linux bridge agent: a server
that is scheduled there finds no port and goes back to the region's own host.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.openstack import programs
from lab.openstack.render import File, Folder, ini
from lab.openstack.topology import Cloud, Region

SECONDS = 90.0  # until it has registered itself, was found by the scheduler, or is gone


@dataclass
class ExtraHost:
    """`name` is that of the host; `api` is an administrator's connection to the region."""

    cloud: Cloud
    region: Region
    name: str
    api: Any
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def home(self) -> Path:
        return self.cloud.region_data(self.region) / self.name

    @property
    def log(self) -> Path:
        return self.cloud.paths.log / f"nova-compute-{self.name}.log"

    @property
    def _own(self) -> Path:
        return self.cloud.region_etc(self.region) / f"nova-{self.name}.conf"

    def configuration(self) -> str:
        """Return what is read after the region's nova.conf. Nothing is promised twice here: a
        processor of this host is one, memory is memory."""
        return ini(
            {
                "DEFAULT": {
                    "host": self.name,
                    "state_path": self.home,
                    "enable_new_services": False,
                    "cpu_allocation_ratio": 1.0,
                    "ram_allocation_ratio": 1.0,
                    "disk_allocation_ratio": 1.0,
                },
                "netns": {"state_dir": self.home / "guests"},
                "oslo_concurrency": {"lock_path": self.home / "locks"},
            }
        )

    def start(self) -> None:
        """Start it and wait until placement and the scheduler know it. Raises LabError."""
        if self.name == self.region.host:
            raise LabError(f"host {self.name!r}: expected another name than the region's own host")
        for folder in (self.home, self.home / "guests", self.home / "locks"):
            Folder(folder).make()
        File(self._own, self.configuration()).write()
        etc = self.cloud.region_etc(self.region)
        words = self.cloud.python(
            "nova-compute", "nova-compute", "--config-file", etc / "nova.conf",
            "--config-file", self._own,
        )  # fmt: skip
        with self.log.open("a") as out:
            self.log.chmod(0o600)
            self._process = subprocess.Popen(
                programs.mortal(*words), stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, cwd="/",
                env=programs.environment(GAOLING_SERVICE=f"nova-compute-{self.name}"),
            )  # fmt: skip
        self._wait("registered", lambda: bool(self.service() and self.provider()))
        self._wait("found by the scheduler", self._mapped)

    def enable(self, wanted: bool) -> None:
        """Let servers be scheduled there, or no longer."""
        service = self.service()
        if service is None:
            raise LabError(f"{self.name}: no compute service of that name in {self.region.name}")
        status = "enabled" if wanted else "disabled"
        answer = self.api.compute.put(
            f"/os-services/{service['id']}", json={"status": status}, microversion="2.53"
        )
        if answer.status_code >= 300:
            raise LabError(f"{self.name}: {status}: HTTP {answer.status_code} {answer.text[:200]}")

    def remove(self) -> None:
        """End it and take away service, provider, mapping and files. May be called again."""
        with contextlib.suppress(LabError):
            self.enable(False)
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None
        if service := self.service():
            answer = self.api.compute.delete(f"/os-services/{service['id']}", microversion="2.53")
            if answer.status_code >= 300:
                raise LabError(
                    f"{self.name}: its service stays: HTTP {answer.status_code} {answer.text[:200]}"
                )
        self._wait("gone", lambda: not self.service() and not self.provider())
        shutil.rmtree(self.home, ignore_errors=True)
        self._own.unlink(missing_ok=True)

    def service(self) -> dict[str, Any] | None:
        """Return Nova's record of it; None when there is none."""
        answer = self.api.compute.get(
            f"/os-services?binary=nova-compute&host={self.name}", microversion="2.53"
        )
        rows: list[dict[str, Any]] = answer.json().get("services", [])
        return rows[0] if rows else None

    def provider(self) -> dict[str, Any] | None:
        """Return placement's record of it; None when there is none."""
        answer = self.api.placement.get(f"/resource_providers?name={self.name}")
        rows: list[dict[str, Any]] = answer.json().get("resource_providers", [])
        return rows[0] if rows else None

    def _mapped(self) -> bool:
        """Whether a cell knows the host: only then it is listed among the hypervisors."""
        answer = self.api.compute.get("/os-hypervisors", microversion="2.53")
        rows = answer.json().get("hypervisors", [])
        return any(row["hypervisor_hostname"] == self.name for row in rows)

    def _wait(self, what: str, true: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not true():
            if self._process and self._process.poll() is not None:
                raise LabError(f"{self.name} ended ({self._process.returncode}){self._tail()}")
            if time.monotonic() > end:
                raise LabError(f"{self.name} is not {what} after {SECONDS:.0f} s{self._tail()}")
            time.sleep(0.5)

    def _tail(self) -> str:
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()[-programs.LINES :]
            return "\n".join(["", f"--- end of {self.log}", *lines])
        return ""
