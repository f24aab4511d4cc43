"""The IPv6 change on all routers, against Ansible's network_cli on a sample of them, same run.

network_cli does the least of what we do: backup, push of the same kind of lines, verification that
they are there; no diff, no rollback armed, no adjacencies, no routes. Bare netmiko and the bare SSH
handshake stand beside it as floors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gaoling.city import Role, read_city
from gaoling.cli import context
from gaoling.network.intent import changeable
from gaoling.network.session import Session
from lab.inventory import CITY

NEEDS = ("extranet",)
SAMPLE = 10
THREADS = 20
BIN = Path(sys.executable).parent
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: backup
      ansible.netcommon.cli_command: {command: show running-config}
    - name: push
      ansible.netcommon.cli_config:
        config: "{{ lookup('file', playbook_dir ~ '/' ~ inventory_hostname ~ '.cfg') }}"
    - {name: verify, ansible.netcommon.cli_command: {command: show running-config}, register: after}
    - ansible.builtin.assert: {that: "'ipv6 address' in after.stdout", quiet: true}
"""


def _gaoling(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [BIN / "gaoling", "network", *words, "--yes", "--json"],
        env={**os.environ, "GAOLING_CITY": "lab"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def _ipv6_lines(running: str) -> str:
    """Return the IPv6 lines of a configuration under their interfaces: what a push would type."""
    wanted = ("interface ", " ipv6 address", " ipv6 ospf6")
    lines = [line for line in running.splitlines() if line.startswith(wanted)]
    return "\n".join(lines) + "\n"


def _network_cli(access: Path, names: list[str], configs: dict[str, str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "play.yml").write_text(PLAY)
        for name in names:
            (base / f"{name}.cfg").write_text(configs[name])
        city = read_city(CITY)
        proxy = f"ssh -F {access / 'ssh_config'} -W %h:%p bastion"
        variables = {
            "ansible_connection": "ansible.netcommon.network_cli",
            "ansible_network_os": "cisco.ios.ios",
            "ansible_user": "netadmin",
            "ansible_ssh_private_key_file": str(access / "operator"),
            "ansible_network_cli_ssh_type": "paramiko",
            "ansible_paramiko_proxy_command": proxy,
            "ansible_network_import_modules": True,
        }
        (base / "ansible.cfg").write_text("[defaults]\n")  # and not the project's
        hosts = {n: {"ansible_host": str(city.device[n].management)} for n in names}
        inventory = {"all": {"hosts": hosts, "vars": variables}}
        (base / "hosts.json").write_text(json.dumps(inventory))
        env = {**os.environ, "ANSIBLE_FORKS": str(THREADS), "ANSIBLE_HOST_KEY_CHECKING": "False",
               "ANSIBLE_CONFIG": str(base / "ansible.cfg")}  # fmt: skip
        start = time.monotonic()
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", base / "hosts.json", base / "play.yml"],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"network_cli: {done.stdout[-3000:]}{done.stderr[-1000:]}")
        return time.monotonic() - start


def run() -> list[dict[str, Any]]:
    city, access = read_city(CITY), context.access("extranet")
    ours = [d.name for d in changeable(city)]
    sample = [d.name for d in city.devices if d.role is Role.TOWNSHIP][:SAMPLE]
    load = f"load {os.getloadavg()[0]:.1f} before"

    def login(name: str) -> str:
        with Session(name, access) as session:
            return session.show("show running-config")

    def handshake(name: str) -> None:
        subprocess.run(["ssh", "-F", access / "ssh_config", name, "show version"],
                       capture_output=True, check=True)  # fmt: skip

    _gaoling("apply")
    start = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(handshake, sample))
    shook = time.monotonic() - start
    start = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        configs = dict(zip(sample, map(_ipv6_lines, pool.map(login, sample)), strict=True))
    netmiko = time.monotonic() - start
    peer = _network_cli(access, sample, configs)
    _gaoling("rollback")
    start = time.monotonic()
    done = _gaoling("apply")
    whole = time.monotonic() - start
    assert len(done["changed"]) == len(ours), done
    each, other = whole / len(ours), peer / len(sample)
    return [
        _row("IPv6 change of all routers, verified", whole, "s", f"{len(ours)} routers, {load}"),
        _row("the same, a router", each, "s", f"{len(ours)} routers, {load}"),
        _row("network_cli, a router", other, "s", f"{len(sample)} routers, forks {THREADS}"),
        _row("network_cli / ours", other / each, "ratio", "target: at least 5"),
        _row("bare netmiko, login and show running-config, a router", netmiko / len(sample), "s",
             f"{len(sample)} routers, {THREADS} threads"),
        _row("bare ssh and show version, a router", shook / len(sample), "s",
             f"{len(sample)} routers, {THREADS} at once"),
    ]  # fmt: skip


def _row(what: str, value: float, unit: str, conditions: str) -> dict[str, Any]:
    return {"what": what, "value": round(value, 2), "unit": unit, "conditions": conditions}
