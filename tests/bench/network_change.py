"""The IPv6 change on all routers, against Ansible's network_cli on a sample of them, same run.

network_cli does the same backup, push and verification: from IPv4 alone it saves the running
configuration, types the same lines, waits until every adjacency of both families is full and every
route of the route set is in the kernel, has the router pinged by the NOC, and saves. It does no
semantic diff, no guard, arms no rollback and keeps no journal. It is spared what it can be: modules
run in its own process, all questions of a round are one task, expected values are given to it.
Bare netmiko and the bare SSH handshake stand beside it as floors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gaoling.addressing.plan import Plan
from gaoling.city import Role
from gaoling.cli import context
from gaoling.network.change import FLUSHED_SECONDS, Job, change_device
from gaoling.network.diff import Line, difference
from gaoling.network.intent import changeable
from gaoling.network.journal import open_journal, state_folder
from gaoling.network.render import render
from gaoling.network.session import Session
from gaoling.network.settings import load_plan
from gaoling.network.verify import NOC, expect
from lab.inventory import CITY

NEEDS = ("extranet",)
SAMPLE = 20
REST = FLUSHED_SECONDS + 5  # after a rollback: no router is to find what it said before
THREADS = 20
BIN = Path(sys.executable).parent
PLAY = r"""
- hosts: routers
  gather_facts: false
  tasks:
    - name: backup and push
      ansible.netcommon.cli_config:
        config: "{{ push }}"
        backup: true
        backup_options: {dir_path: "{{ backups }}"}
    - name: verify adjacencies and routes
      cisco.ios.ios_command:
        commands:
          - show ip ospf neighbor json
          - show ipv6 ospf6 neighbor json
          - show ipv6 route
      register: seen
      until: >-
        seen.stdout[0] | regex_findall('"nbrState":"Full') | length >= adjacencies | int
        and seen.stdout[1] | regex_findall('"state":"Full') | length >= adjacencies | int
        and routes | difference(seen.stdout[2] | regex_findall('(?m)^[A-Z]>\*\s+(\S+/\d+)')) == []
      retries: 60
      delay: 1
    - name: verify by a ping
      ansible.builtin.raw: "fping -6 -q -r3 -t500 {{ loopback }}"
      delegate_to: noc
    - name: save
      ansible.netcommon.cli_command: {command: write memory}
"""


def _gaoling(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [BIN / "gaoling", "network", *words, "--yes", "--json"],
        env={**os.environ, "GAOLING_CITY": "lab"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"gaoling network {words}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


def _ipv4(name: str) -> None:
    """Take a router back to IPv4, whoever took it to dual stack: of network_cli's there is no
    backup that `gaoling network rollback` would go back to."""
    plan, access = load_plan(CITY), context.access("extranet")
    journal, state = open_journal(plan.city, access=access), state_folder(plan.city)
    change_device(
        Job(plan, name, access, state, journal, "bench", frozenset({4}), allow_deletions=True)
    )


def _typed(lines: Iterable[Line]) -> str:
    """Return lines as a person types them: each under its contexts, each context once."""
    text: list[str] = []
    context: Line = ()
    for *where, word in lines:
        if (*where,) != context:
            text += [f"{' ' * n}{header}" for n, header in enumerate(where)
                     if text[-1:] != [header]]  # fmt: skip
            context = (*where,)
        text.append(f"{' ' * len(where)}{word}")
    return "\n".join(text) + "\n"


def _host(plan: Plan, name: str, running: str, in_service: set[str]) -> dict[str, Any]:
    wanted = expect(plan, name, in_service)
    assert wanted.reached_by_noc
    return {
        "ansible_host": str(plan.city.device[name].management),
        "push": _typed(difference(running, render(plan, name)).added),
        "adjacencies": len(wanted.adjacencies),
        "routes": sorted(map(str, wanted.routes)),
        "loopback": str(plan.loopback(name)),
    }


def _network_cli(access: Path, plan: Plan, hosts: dict[str, dict[str, Any]]) -> float:
    """Return the seconds that a play of network_cli takes. Raises RuntimeError when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "play.yml").write_text(PLAY)
        proxy = f"ssh -F {access / 'ssh_config'} -W %h:%p bastion"
        variables = {
            "ansible_connection": "ansible.netcommon.network_cli",
            "ansible_network_os": "cisco.ios.ios",
            "ansible_user": "netadmin",
            "ansible_ssh_private_key_file": str(access / "operator"),
            "ansible_network_cli_ssh_type": "paramiko",
            "ansible_paramiko_proxy_command": proxy,
            "ansible_network_import_modules": True,
            "backups": str(base / "backups"),
        }
        noc = {
            "ansible_connection": "ssh",
            "ansible_host": str(plan.city.device[NOC].management),
            "ansible_user": "probe",
            "ansible_ssh_common_args": f"-F {access / 'ssh_config'}",
        }
        (base / "ansible.cfg").write_text("[defaults]\n")  # and not the project's
        inventory = {
            "all": {
                "hosts": {"noc": noc},
                "children": {"routers": {"hosts": hosts, "vars": variables}},
            }
        }
        (base / "hosts.json").write_text(json.dumps(inventory))
        env = {**os.environ, "ANSIBLE_FORKS": str(THREADS), "ANSIBLE_HOST_KEY_CHECKING": "False",
               "ANSIBLE_CONFIG": str(base / "ansible.cfg")}  # fmt: skip
        start = time.monotonic()
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", base / "hosts.json", base / "play.yml"],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        spent = time.monotonic() - start
        kept = len(list((base / "backups").glob("*")))
        if done.returncode or kept != len(hosts):
            raise RuntimeError(f"network_cli: {done.stdout[-3000:]}{done.stderr[-1000:]}")
        return spent


def run() -> list[dict[str, Any]]:
    plan, access = load_plan(CITY), context.access("extranet")
    ours = [d.name for d in changeable(plan.city)]
    sample = [d.name for d in plan.city.devices if d.role is Role.TOWNSHIP][:SAMPLE]
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
    with ProcessPoolExecutor(THREADS) as others:
        list(others.map(_ipv4, sample))
    time.sleep(REST)
    start = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        running = dict(zip(sample, pool.map(login, sample), strict=True))
    netmiko = time.monotonic() - start
    hosts = {n: _host(plan, n, running[n], set(ours)) for n in sample}
    peer = _network_cli(access, plan, hosts)
    # what network_cli did is what we would have done: nothing is left to do
    left = _gaoling("apply", "--limit", ",".join(sample))
    assert left["changed"] == [], left
    with ProcessPoolExecutor(THREADS) as others:
        list(others.map(_ipv4, sample))
    time.sleep(REST)
    _gaoling("apply")
    _gaoling("rollback")
    time.sleep(REST)
    start = time.monotonic()
    done = _gaoling("apply")
    whole = time.monotonic() - start
    assert len(done["changed"]) == len(ours), done
    each, other = whole / len(ours), peer / len(sample)
    return [
        _row("IPv6 change of all routers, verified", whole, "s", f"{len(ours)} routers, {load}"),
        _row("the same, a router", each, "s", f"{len(ours)} routers, {load}"),
        _row("network_cli, the same of a sample", peer, "s", f"{len(sample)} routers"),
        _row("network_cli, a router", other, "s", f"{len(sample)} routers, forks {THREADS}"),
        _row("network_cli / ours", other / each, "ratio", "target: at least 5"),
        _row("bare netmiko, login and show running-config, a router", netmiko / len(sample), "s",
             f"{len(sample)} routers, {THREADS} threads"),
        _row("bare ssh and show version, a router", shook / len(sample), "s",
             f"{len(sample)} routers, {THREADS} at once"),
    ]  # fmt: skip


def _row(what: str, value: float, unit: str, conditions: str) -> dict[str, Any]:
    return {"what": what, "value": round(value, 2), "unit": unit, "conditions": conditions}
