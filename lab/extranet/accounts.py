"""Accounts and keys that exist only inside the lab: each SSH server has an /etc of its own.

Nobody on a router is uid 0 but its daemons: `netadmin` has the CLI and the rollback helper,
`monitor` may only `show`. On a vantage `probe` has a plain shell; `bastion` may only pass through.
"""

from __future__ import annotations

import grp
import pwd
import shutil
from pathlib import Path

from lab.extranet.wires import run
from lab.paths import LabPaths

UIDS = {"netadmin": 61001, "monitor": 61002, "probe": 61003, "bastion": 61004}
KEYS = ("operator", "exporter")
# which keys open which account
OPENS = {
    "netadmin": ("operator",),
    "monitor": ("exporter",),
    "probe": KEYS,
    "bastion": KEYS,
}
# what programs need to find in /etc beside the accounts
_FROM_MACHINE = (
    "alternatives", "bash.bashrc", "ca-certificates", "host.conf", "hosts", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "localtime", "nsswitch.conf", "profile", "protocols", "services",
    "ssl/certs", "ssl/openssl.cnf",
)  # fmt: skip
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


def write(paths: LabPaths) -> None:
    """Write the folder that routers, and the one that vantages, see as /etc; and the homes."""
    tools, home = paths.state / "device", paths.state / "home"
    kinds = {
        "router": (("netadmin", "monitor"), {n: str(tools / n) for n in ("netadmin", "monitor")}),
        "vantage": (("probe", "bastion"), {"probe": "/bin/bash", "bastion": "/usr/sbin/nologin"}),
    }
    home.mkdir(exist_ok=True)
    home.chmod(0o711)
    for kind, (names, shells) in kinds.items():
        folder = etc(paths, kind)
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FROM_MACHINE:
            _copy(Path("/etc") / name, folder / name)
        (folder / "passwd").write_text(_passwd(names, shells, home))
        (folder / "group").write_text(_group(names))
        (folder / "shadow").write_text(_shadow(names))
        (folder / "shadow").chmod(0o600)
        for name in names:
            (home / name).mkdir(exist_ok=True)
            shutil.chown(home / name, UIDS[name], UIDS[name])
            (home / name).chmod(0o700)
    router = etc(paths, "router")
    (router / "frr").mkdir(exist_ok=True)  # the real one is bound here
    (router / "pam.d").mkdir(exist_ok=True)
    (router / "pam.d" / "frr").write_text(_PAM_FRR)  # else vtysh complains when it is not root


def etc(paths: LabPaths, kind: str) -> Path:
    """Return the folder that a kind of device (router, vantage) sees as /etc."""
    return paths.state / "accounts" / kind


def _copy(source: Path, target: Path) -> None:
    if target.exists() or target.is_symlink() or not source.exists():
        return
    target.parent.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


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
