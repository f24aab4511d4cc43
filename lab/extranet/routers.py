"""The routers: FRR's configuration, one supervised process a daemon, and their SSH servers."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from gaoling.city import Device, Role
from gaoling.network.intent import intent_of
from gaoling.network.render import render
from lab.extranet import accounts
from lab.extranet.ssh import BASTION_PORT
from lab.extranet.topology import PREFIX, Topology, namespace
from lab.paths import LabPaths
from lab.supervise import Service

FRR_ETC, FRR_RUN = Path("/etc/frr"), Path("/run/frr")
# FRR 8.4 writes these outside the path space: shared by all routers, useful to none
STRAY = ("ospfd-gr.json", "ospf6d-gr.json", "ospf6d-at-seq-no.dat")
# netlink receive buffer: a router learns some hundred routes at once
ZEBRA_OPTIONS = ("-s", "1048576")


def install_tools(paths: LabPaths) -> None:
    """Copy the devices' programs to where the accounts inside can read them."""
    target = paths.state / "device"
    target.mkdir(exist_ok=True)
    target.chmod(0o755)
    for package, folder in (("lab.extranet", "device"), ("gaoling.network", "device")):
        for entry in resources.files(package).joinpath(folder).iterdir():
            if "." not in entry.name:
                (target / entry.name).write_bytes(entry.read_bytes())
                (target / entry.name).chmod(0o755)


def first_configuration(topology: Topology, device: Device) -> str:
    """Return what a router starts with: IPv4 alone; the province has both, and waits for us."""
    families = (4, 6) if device.role is Role.PEER else (4,)
    return render(topology.plan, device.name, families)


def configure(topology: Topology, paths: LabPaths) -> None:
    """Write each router's saved configuration where there is none yet."""
    frr = pwd.getpwnam("frr")
    paths.borrow(FRR_RUN, "frr")
    for device in topology.routers:
        space = namespace(device.name)
        etc, run = FRR_ETC / space, FRR_RUN / space
        for folder, mode in ((etc, 0o775), (run, 0o755)):
            folder.mkdir(exist_ok=True)
            os.chown(folder, frr.pw_uid, frr.pw_gid)
            folder.chmod(mode)
        uid = accounts.UIDS["netadmin"]
        (run / "commit").mkdir(exist_ok=True, mode=0o700)
        os.chown(run / "commit", uid, uid)
        name = f"service integrated-vtysh-config\nhostname {device.name}\n"
        (etc / "vtysh.conf").write_text(name)
        saved = etc / "frr.conf"
        if not saved.exists():
            fresh = etc / "frr.conf.new"
            fresh.write_text(first_configuration(topology, device))
            os.chown(fresh, frr.pw_uid, frr.pw_gid)
            fresh.chmod(0o664)
            fresh.replace(saved)


def services(topology: Topology, paths: LabPaths) -> list[Service]:
    """Return every process of the part: daemons, SSH servers, the bastion."""
    found = [_bastion(topology, paths)]
    for device in topology.routers:
        found += [
            _daemon(device, daemon, paths)
            for daemon in intent_of(topology.plan, device.name).daemons
        ]
        found.append(_sshd(device.name, namespace(device.name), "router", paths))
    found += [_sshd(h.vantage, h.namespace, "vantage", paths) for h in topology.hosts if h.vantage]
    return found


def _daemon(device: Device, daemon: str, paths: LabPaths) -> Service:
    space = namespace(device.name)
    options = ZEBRA_OPTIONS if daemon == "zebra" else ()
    loader = str(paths.state / "device" / "run-daemon")
    return Service(
        name=f"{device.name}.{daemon}",
        argv=("unshare", "--uts", loader, device.name, space, daemon, *options),
        wave=0 if daemon == "zebra" else 1,  # the others look for zebra, then wait 10 s
        netns=space,
        stop_seconds=5,
        ready=_loaded(FRR_RUN / space / f"{daemon}.loaded"),
    )


def _loaded(mark: Path) -> Callable[[], str | None]:
    return lambda: None if mark.exists() else "its configuration is not loaded yet"


def _sshd(name: str, netns: str, kind: str, paths: LabPaths) -> Service:
    conf = str(paths.etc / "ssh" / f"{name}.conf")
    runner = str(paths.state / "device" / "run-sshd")
    return Service(
        name=f"{name}.sshd",
        argv=(runner, str(accounts.etc(paths, kind)), conf, "-D"),
        netns=netns,
        stop_seconds=5,
    )


def _bastion(topology: Topology, paths: LabPaths) -> Service:
    inside = (
        str(paths.state / "device" / "run-sshd"),
        str(accounts.etc(paths, "vantage")),
        str(paths.etc / "ssh" / "bastion.conf"),
        "-i",
    )
    door = ("-m", "lab.extranet.bastion", str(BASTION_PORT), topology.noc.namespace, *inside)
    return Service(name="bastion", argv=(sys.executable, *door), stop_seconds=5)


def remove() -> None:
    """Remove what the routers keep outside the state folder."""
    for base in (FRR_ETC, FRR_RUN):
        for folder in base.glob(f"{PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)
    for name in STRAY:
        (FRR_RUN / name).unlink(missing_ok=True)
