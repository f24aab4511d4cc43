"""`gaoling doctor`: what is missing on this machine, and how to get it."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from gaoling.cli import context


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, what was found, and the mend where it is not."""

    what: str
    ok: bool
    found: str
    mend: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Say what this machine has and lacks: versions, rights, credentials, reachability.

    Exit code 1 when something is missing. Example: `gaoling doctor --json`
    """
    findings = [*_machine(), *_pulumi(), *_packages(), *_credentials(), *_reachability()]
    if as_json:
        print(json.dumps([asdict(f) for f in findings], ensure_ascii=False, indent=1))
    else:
        for f in findings:
            print(f"{'有' if f.ok else '缺'}  {f.what:<28} {f.found}")
            if not f.ok:
                print(f"    → {f.mend}")
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


def _machine() -> list[Finding]:
    from lab.host import DISK_GB, MEMORY_GB, os_release

    system = os_release().get("PRETTY_NAME", "unknown")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    free = shutil.disk_usage("/").free / 1e9
    return [
        Finding("Python 3.11", sys.version_info[:2] == (3, 11), platform.python_version(),
                "tools/setup makes the environment from uv.lock"),
        Finding("Debian 12 (for the lab)", "Debian GNU/Linux 12" in system, system,
                "the lab runs Debian 12's packages; everything else runs elsewhere too"),
        Finding("root (for the lab)", os.geteuid() == 0, f"uid {os.geteuid()}",
                "sudo gaoling lab up"),
        Finding("memory", memory >= MEMORY_GB, f"{memory:.0f} GB", f"the lab needs {MEMORY_GB} GB"),
        Finding("free disk", free >= DISK_GB, f"{free:.0f} GB", f"the lab needs {DISK_GB} GB"),
    ]  # fmt: skip


def _pulumi() -> list[Finding]:
    from gaoling.cloud import toolchain

    try:
        found = toolchain.tools()
    except toolchain.ToolchainError as error:
        return [Finding("Pulumi", False, str(error).splitlines()[0], "make toolchain")]
    return [Finding(f"Pulumi {t.part}", True, f"{t.path} ({t.source})") for t in found]


def _packages() -> list[Finding]:
    from lab import packages

    found = []
    for part, module in (("cloud", "lab.openstack.part"), ("extranet", "lab.extranet.part"),
                         ("monitoring", "lab.monitoring.part")):  # fmt: skip
        need = packages.missing(list(importlib.import_module(module).PACKAGES))
        found.append(
            Finding(f"packages of lab {part}", not need,
                    "all installed" if not need else f"{len(need)} missing: {' '.join(need[:6])} …",
                    f"sudo gaoling lab up {part} installs them")
        )  # fmt: skip
    return found


def _credentials() -> list[Finding]:
    mend = "sudo gaoling lab up, or set GAOLING_ACCESS to a folder with cloud/ and extranet/"
    return [
        _file("credentials of the cloud", context.access("cloud") / "clouds.yaml", mend),
        _file("way into the routers", context.access("extranet") / "ssh_config", mend),
    ]


def _file(what: str, path: Path, mend: str) -> Finding:
    try:
        ok = os.access(path, os.R_OK)
    except OSError:
        ok = False
    return Finding(what, ok, str(path) if ok else f"cannot read {path}", mend)


def _reachability() -> list[Finding]:
    found = []
    for what, port in (("Prometheus", 9090), ("Alertmanager", 9093), ("exporters", 9464)):
        with socket.socket() as probe:
            probe.settimeout(1)
            ok = probe.connect_ex(("127.0.0.1", port)) == 0
        found.append(Finding(what, ok, f"127.0.0.1:{port} {'answers' if ok else 'is silent'}",
                             "sudo gaoling lab up monitoring"))  # fmt: skip
    return found
