"""What the monitoring part writes for the programs that it starts, checked by their own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lab.monitoring import config, courier, part

RULES = part.ROOT / "dashboards" / "rules"
PORTS = {"prometheus": 9090, "alertmanager": 9093, "exporter": 9464}


def needs(tool: str):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"no {tool} here")


@needs("promtool")
def test_promtool_takes_the_configuration(tmp_path):
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    path = tmp_path / "prometheus.yml"
    path.write_text(config.prometheus(rules, PORTS, "lab"))
    done = subprocess.run(["promtool", "check", "config", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs("amtool")
def test_amtool_takes_the_configuration_and_routes_by_severity(tmp_path):
    path = tmp_path / "alertmanager.yml"
    path.write_text(config.alertmanager())

    def amtool(*words):
        done = subprocess.run(["amtool", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    amtool("check-config", str(path))
    route = ("config", "routes", "test", f"--config.file={path}")
    assert amtool(*route, "severity=standing", "alertname=TargetOverdue") == "standing"
    assert amtool(*route, "severity=critical", "alertname=CountyDead") == "operations"


def test_inhibition_names_alerts_that_exist():
    rules = [r for p in RULES.glob("*.yml") for g in yaml.safe_load(p.read_text())["groups"]
             for r in g["rules"]]  # fmt: skip
    alerts = {r["alert"] for r in rules if "alert" in r}
    for rule in yaml.safe_load(config.alertmanager())["inhibit_rules"]:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            for name in matcher.split('"')[1].split("|"):
                assert any(a.startswith(name.removesuffix(".*")) for a in alerts), name


def test_everything_listens_on_loopback_and_keeps_400_days():
    services = {s.name: s for s in part._services(None)}
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"].argv
    assert "--storage.tsdb.retention.time=400d" in services["prometheus"].argv
    assert "--cluster.listen-address=" in services["alertmanager"].argv
    assert "127.0.0.1:9464" in services["exporter"].argv


def test_each_has_a_user_of_its_own():
    uids = [s.uid for s in part._services(None) if s.name not in ("courier", "exporter")]
    assert len(set(uids)) == len(uids)
    assert all(uid >= 61300 for uid in uids)


def test_grafana_lets_nobody_in_without_a_password(tmp_path):
    text = config.grafana(tmp_path, tmp_path, tmp_path, 3000, tmp_path / "admin-password")
    assert "[auth.anonymous]\nenabled = false" in text
    assert f"admin_password = $__file{{{tmp_path}/admin-password}}" in text
    assert "http_addr = 127.0.0.1" in text


def test_no_secret_is_on_a_command_line():
    words = " ".join(w for s in part._services(None) for w in s.argv)
    assert "password" not in words


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
class TestCourier:
    def test_it_carries_what_changed_and_nothing_else(self, tmp_path):
        source, target = tmp_path / "a", tmp_path / "b"
        source.write_text("one")
        assert courier.carry(source, target, 65534)
        assert not courier.carry(source, target, 65534)
        found = target.stat()
        assert (target.read_text(), found.st_uid, found.st_mode & 0o777) == ("one", 65534, 0o400)
        source.write_text("two")
        assert courier.carry(source, target, 65534)
        assert target.read_text() == "two"

    def test_what_is_gone_is_gone_there_too(self, tmp_path):
        target = tmp_path / "b"
        target.write_text("old")
        assert courier.carry(tmp_path / "nothing", target, 65534)
        assert not target.exists()


class TestStacksAreNoted:
    @pytest.fixture
    def ran(self, tmp_path, monkeypatch):
        found = []
        monkeypatch.setattr(courier, "STATES", tmp_path)
        monkeypatch.setattr(courier.subprocess, "run", lambda argv, **_: found.append(argv))
        return found

    def test_once_when_they_are_quiet(self, ran, tmp_path):
        state = tmp_path / "gaoling" / "lab-primary-0.json"
        state.parent.mkdir()
        state.write_text("{}")
        assert courier.note_stacks(0.0) == 0.0  # it is being written
        assert ran == []
        os.utime(state, (1000, 1000))
        assert courier.note_stacks(0.0) == 1000
        assert courier.note_stacks(1000) == 1000
        assert [argv[-5:] for argv in ran] == [["--city", "lab", "cloud", "drift", "--note"]]

    def test_without_stacks_nothing_is_run(self, ran):
        assert courier.note_stacks(0.0) == 0.0
        assert ran == []


@pytest.mark.monitoring
class TestRunning:
    """In the lab: what runs is healthy, and a second `up` restarts nothing."""

    def test_it_is_healthy(self):
        assert [s.name for s in part.status() if s.state != "RUNNING"] == []

    def test_a_second_up_restarts_nothing(self):
        from lab.progress import Progress

        before = {s.name: s.pid for s in part.status()}
        part.up(Progress("monitoring"))
        assert {s.name: s.pid for s in part.status()} == before

    def test_only_the_exporters_account_reads_its_credentials(self):
        folder = Path(part.PATHS.state / "exporter")
        assert folder.stat().st_mode & 0o077 == 0
