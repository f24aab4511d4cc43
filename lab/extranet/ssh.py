"""SSH into the lab as in production: own host keys, checked; one way in, through the bastion."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gaoling.city import Role
from lab.extranet.topology import Topology, namespace
from lab.extranet.wires import run
from lab.paths import STATE, LabPaths

BASTION_PORT = 25022
ACCESS = STATE / "access" / "extranet"
_COMMON = """\
HostKey {keys}/host/{name}
AuthorizedKeysFile {keys}/%u.authorized
AuthenticationMethods publickey
PermitRootLogin no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
AllowAgentForwarding no
X11Forwarding no
PermitTunnel no
PermitUserRC no
MaxStartups 200
LogLevel ERROR
PidFile none
"""
_ROUTER = """\
AllowUsers netadmin monitor
AllowTcpForwarding no
SetEnv PATHSPACE={space} COMMIT_CONFIRM_DIR=/run/frr/{space}/commit
"""
_VANTAGE = "AllowUsers probe\nAllowTcpForwarding no\nMaxSessions 100\n"
_BASTION = """\
AllowUsers bastion
AllowTcpForwarding local
AllowStreamLocalForwarding no
PermitOpen *:22
PermitTTY no
ForceCommand /usr/sbin/nologin
"""


def names(topology: Topology) -> list[str]:
    """Return the names of all that has an SSH server: bastion, routers, vantages."""
    return ["bastion", *(d.name for d in topology.city.devices)]


def write(topology: Topology, paths: LabPaths) -> None:
    """Make missing host keys and write every server's configuration."""
    keys, conf = paths.state / "keys", paths.etc / "ssh"
    for folder in (keys / "host", conf):
        folder.mkdir(parents=True, exist_ok=True)

    def host_key(name: str) -> None:
        target = keys / "host" / name
        if not (keys / "host" / f"{name}.pub").exists():
            target.unlink(missing_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(target)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(host_key, names(topology)))
    own = {"bastion": _BASTION}
    for device in topology.city.devices:
        router = _ROUTER.format(space=namespace(device.name))
        own[device.name] = _VANTAGE if device.role is Role.VANTAGE else router
    for name, text in own.items():
        (conf / f"{name}.conf").write_text(_COMMON.format(keys=keys, name=name) + text)
    paths.borrow(Path("/run/sshd"))  # empty, for privilege separation


def write_access(folder: Path, key: str, uid: int) -> None:
    """Write what is needed to reach every device with `key` (operator or exporter) into `folder`.

    ssh_config, the key and known_hosts, all of them `uid`'s own and closed to others.
    """
    from lab.extranet.topology import read_topology

    topology, paths = read_topology(), LabPaths("extranet")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    texts = {
        key: (paths.state / "keys" / key).read_text(),
        f"{key}.pub": (paths.state / "keys" / f"{key}.pub").read_text(),
        "known_hosts": _known_hosts(topology, paths),
        "ssh_config": _ssh_config(topology, folder, key),
    }
    for name, text in texts.items():
        target = folder / name
        if not target.exists() or target.read_text() != text:
            fresh = folder / f"{name}.new"
            fresh.touch(mode=0o600)
            fresh.write_text(text)
            fresh.replace(target)
        os.chown(target, uid, uid)
    os.chown(folder, uid, uid)


def _known_hosts(topology: Topology, paths: LabPaths) -> str:
    where = {"bastion": f"[127.0.0.1]:{BASTION_PORT}"}
    where |= {d.name: f"{d.name},{d.management}" for d in topology.city.devices}
    lines = []
    for name, patterns in where.items():
        kind, public = (paths.state / "keys/host" / f"{name}.pub").read_text().split()[:2]
        lines.append(f"{patterns} {kind} {public}\n")
    return "".join(lines)


def _ssh_config(topology: Topology, folder: Path, key: str) -> str:
    router = "netadmin" if key == "operator" else "monitor"
    text = f"""\
Host bastion
  HostName 127.0.0.1
  Port {BASTION_PORT}
  User bastion
  ControlMaster auto
  ControlPath {folder}/cm-%h
  ControlPersist 60
"""
    for device in topology.city.devices:
        user = "probe" if device.role is Role.VANTAGE else router
        text += f"Host {device.name} {device.management}\n"
        text += f"  HostName {device.management}\n  User {user}\n  ProxyJump bastion\n"
    return (
        text
        + f"""\
Host *
  IdentityFile {folder}/{key}
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  HostKeyAlgorithms ssh-ed25519
  KexAlgorithms curve25519-sha256
  PreferredAuthentications publickey
  ConnectTimeout 10
  ServerAliveInterval 5
  ServerAliveCountMax 3
  LogLevel ERROR
"""
    )


def remove() -> None:
    """Remove the access folder."""
    shutil.rmtree(ACCESS, ignore_errors=True)
