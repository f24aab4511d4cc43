"""Accounts and keys that exist only inside the lab: bound over /etc by `ip netns exec`.

Nobody on a router is uid 0 but its daemons: `netadmin` has the CLI and the rollback helper,
`monitor` may only `show`. On a vantage `probe` has a plain shell; `bastion` may only pass through.
"""

from __future__ import annotations

import grp
import pwd
import shutil
from pathlib import Path

from lab.extranet.topology import Topology, namespace
from lab.extranet.wires import run
from lab.paths import LabPaths

NETNS_ETC = Path("/etc/netns")
UIDS = {"netadmin": 61001, "monitor": 61002, "probe": 61003, "bastion": 61004}
KEYS = ("operator", "exporter")
# which keys open which account
OPENS = {
    "netadmin": ("operator",),
    "monitor": ("exporter",),
    "probe": KEYS,
    "bastion": KEYS,
}
_PAM_FRR = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"


def _passwd(names: tuple[str, ...], shells: dict[str, str], home: Path) -> str:
    lines = []
    for name in ("root", "sshd", "frr", "nobody"):
        p = pwd.getpwnam(name)
        shell = "/usr/sbin/nologin"
        lines.append(f"{p.pw_name}:x:{p.pw_uid}:{p.pw_gid}:{p.pw_gecos}:{p.pw_dir}:{shell}")
    for name in names:
        lines.append(f"{name}:x:{UIDS[name]}:{UIDS[name]}:lab:{home / name}:{shells[name]}")
    return "\n".join(lines) + "\n"


def _group(names: tuple[str, ...]) -> str:
    lines = []
    for entry in grp.getgrall():
        members = list(entry.gr_mem)
        if entry.gr_name in ("frr", "frrvty"):
            members += [n for n in names if n in ("netadmin", "monitor")]
        lines.append(f"{entry.gr_name}:x:{entry.gr_gid}:{','.join(members)}")
    lines += [f"{name}:x:{UIDS[name]}:" for name in names]
    return "\n".join(lines) + "\n"


def _shadow(names: tuple[str, ...]) -> str:
    # `*`: no password opens it; `!` would lock it for keys too where sshd does without PAM
    return "".join(f"{n}:*:19700:0:99999:7:::\n" for n in ("root", "sshd", "frr", "nobody", *names))


def write(topology: Topology, paths: LabPaths) -> None:
    """Write passwd, group, shadow and PAM's frr for routers and for vantages, and their homes."""
    tools, home = paths.state / "device", paths.state / "home"
    kinds = {
        "router": (("netadmin", "monitor"), {n: str(tools / n) for n in ("netadmin", "monitor")}),
        "vantage": (("probe", "bastion"), {"probe": "/bin/bash", "bastion": "/usr/sbin/nologin"}),
    }
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    for kind, (names, shells) in kinds.items():
        folder = paths.state / "accounts" / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "passwd").write_text(_passwd(names, shells, home))
        (folder / "group").write_text(_group(names))
        (folder / "shadow").write_text(_shadow(names))
        (folder / "shadow").chmod(0o600)
        for name in names:
            (home / name).mkdir(exist_ok=True)
            shutil.chown(home / name, UIDS[name], UIDS[name])
            (home / name).chmod(0o700)
    pam = paths.state / "accounts" / "router" / "pam.d"
    if not pam.exists():
        shutil.copytree("/etc/pam.d", pam)
    (pam / "frr").write_text(_PAM_FRR)  # else vtysh complains when it is not root
    vantages = [h.namespace for h in topology.hosts if h.vantage]
    for where, kind in [(namespace(d.name), "router") for d in topology.routers] + [
        (v, "vantage") for v in vantages
    ]:
        _bind(paths.state / "accounts" / kind, NETNS_ETC / where)


def _bind(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        link = target / entry.name
        if not link.is_symlink():
            link.symlink_to(entry)


def make_keys(paths: LabPaths) -> None:
    """Make the two client keys where they are missing, and the files that let them in."""
    keys = paths.state / "keys"
    keys.mkdir(exist_ok=True)
    keys.chmod(0o711)
    for name in KEYS:
        if not (keys / f"{name}.pub").exists():
            (keys / name).unlink(missing_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(keys / name)])
    for account, names in OPENS.items():
        allowed = "".join((keys / f"{name}.pub").read_text() for name in names)
        (keys / f"{account}.authorized").write_text(allowed)


def remove() -> None:
    """Remove the bindings of every namespace of this part."""
    for folder in NETNS_ETC.glob("gx-*"):
        shutil.rmtree(folder)
    if NETNS_ETC.is_dir() and not any(NETNS_ETC.iterdir()):
        NETNS_ETC.rmdir()
