"""The inventory and the playbooks, by plain Ansible: without `gaoling`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gaoling.city import read_city
from gaoling.network.waves import waves

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def ansible(*words: str, city: str = "lab", **env: str) -> subprocess.CompletedProcess[str]:
    kept = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GAOLING_CITY": city, **env}
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]], cwd=ROOT, env=kept, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def inventory():
    done = ansible("ansible-inventory", "--list")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_groups_are_those_of_the_register(inventory):
    city = read_city(ROOT / "inventories" / "lab")
    for number, names in enumerate(waves(city), 1):
        assert sorted(inventory[f"wave_{number}"]["hosts"]) == sorted(names)
    here = [d.name for d in city.devices if city.county_of(city.site[d.site]) == "360222"]
    assert sorted(inventory["county_360222"]["hosts"]) == sorted(here)
    assert inventory["role_core"]["hosts"] == ["core-1", "core-2"]
    assert "province-1" not in inventory["routers"]["hosts"]
    assert "vantage-noc" in inventory["platform_linux"]["hosts"]
    assert "level_village" in inventory


def test_routers_stand_in_the_order_of_their_waves(inventory):
    order = [inventory["_meta"]["hostvars"][n]["gaoling_wave"] for n in
             inventory["routers"]["hosts"]]  # fmt: skip
    assert order == sorted(order)


def test_a_wrong_register_is_said(tmp_path):
    done = ansible("ansible-playbook", "playbooks/ipv6.yml", "--check", city=f"{tmp_path}/none")
    assert done.returncode != 0
    assert "a folder with city.yaml" in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["ipv6.yml", "rollback_ipv6.yml"])
def test_playbooks_are_short_and_hold_no_logic(name):
    text = (ROOT / "playbooks" / name).read_text()
    assert len(text.splitlines()) <= 20
    (play,) = yaml.safe_load(text)
    assert len(play["tasks"]) == 1
    assert play["any_errors_fatal"] is True


@pytest.mark.extranet
def test_check_mode_shows_and_changes_nothing(tmp_path):
    state = {"GAOLING_STATE": str(tmp_path)}
    words = ("playbooks/ipv6.yml", "--limit", "town-360281112", "--check", "--diff")
    done = ansible("ansible-playbook", *words, **state)
    assert done.returncode == 0, done.stdout
    again = ansible("ansible-playbook", *words, **state)
    assert ("changed=1" in done.stdout) == ("changed=1" in again.stdout)
    assert not (tmp_path / "network" / "lab" / "journal.jsonl").exists()
