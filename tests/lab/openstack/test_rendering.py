"""What the cloud half writes and starts, without starting it: configuration, passwords, stamps.

After a change that is meant: GAOLING_GOLDEN=write pytest tests/lab/openstack/test_rendering.py
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.openstack import (
    clouds,
    database,
    heartbeats,
    part,
    rabbitmq,
    swift,
    topology,
    wires,
)
from lab.openstack.passwords import Passwords
from lab.openstack.render import File, ini, merged
from lab.openstack.topology import Cloud
from lab.paths import LabPaths

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """Return a cloud half whose passwords can be told apart and are the same every time."""
    here = Cloud(LabPaths("cloud"))
    made = Passwords(tmp_path / "passwords.json", lambda: "unused")
    monkeypatch.setattr(made, "_known", _Named())
    here.__dict__["passwords"] = made
    program = Path("/usr/lib/rabbitmq/lib/rabbitmq_server-0/sbin/rabbitmq-server")
    monkeypatch.setattr(rabbitmq, "program", lambda: program)
    return here


class _Named(dict):
    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return f"SECRET.{name}"


def _files(cloud):
    return [f for module in part._MODULES for f in module.files(cloud)]


def test_configuration_is_what_the_golden_files_say(cloud):
    written = {}
    for file in _files(cloud):
        name = str(file.path.relative_to(cloud.etc)).replace("/", ".")
        if not name.startswith("dr.") and "paste" not in name:  # dr differs by names and ports
            written[name] = file.text
    if os.environ.get("GAOLING_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        for stale in GOLDEN.iterdir():
            stale.unlink()
        for name, text in written.items():
            GOLDEN.joinpath(name).write_text(text)
    assert written == {p.name: p.read_text() for p in sorted(GOLDEN.iterdir())}


def test_regions_differ_in_names_and_ports_only(cloud):
    def shape(region):
        base = cloud.region_etc(topology.region(region))
        return {
            str(f.path.relative_to(base)): len(f.text.splitlines())
            for f in _files(cloud)
            if f.path.is_relative_to(base)
        }

    assert shape("primary") == shape("dr")


def test_no_service_has_a_password_in_its_arguments_or_environment(cloud):
    for service in part.services(cloud):
        said = " ".join([*service.command(), *service.env.values()])
        assert "SECRET" not in said, service.name


def test_only_what_makes_namespaces_or_opens_volumes_is_root(cloud):
    root = {s.name for s in part.services(cloud) if s.uid is None}
    expected = {f"{k}-{r}" for k in ("linuxbridge", "l3", "dhcp") for r in ("primary", "dr")}
    expected |= {f"{k}-{r}" for k in ("nova", "cinder") for r in ("primary", "dr")}
    expected |= {"relay", "watch"}
    assert root == expected


def test_files_with_passwords_are_for_one_user(cloud):
    for file in _files(cloud):
        if "SECRET" in file.text:
            assert file.uid in (
                0,
                topology.UID_API,
                topology.UID_RABBITMQ,
                topology.UID_MARIADB,
            ), file.path


def test_agents_and_compute_share_one_host_name(cloud):
    texts = {f.path: f.text for f in _files(cloud)}
    for region in topology.REGIONS:
        etc = cloud.region_etc(region)
        for name in ("nova.conf", "neutron.conf", "agent.ini"):
            assert f"host = {region.host}\n" in texts[etc / name]


def test_every_service_waits_for_health_and_knows_its_wave(cloud):
    services = part.services(cloud)
    assert len({s.name for s in services}) == len(services)
    assert [s.name for s in services if s.ready is None] == ["relay", "watch"]
    waves = {s.name: s.wave for s in services}
    for region in ("primary", "dr"):
        assert waves["keystone"] < waves[f"neutron-{region}"] < waves[f"l3-{region}"]


def test_agents_leave_dnsmasq_alone_when_they_restart(cloud):
    for service in part.services(cloud):
        agent = service.name.split("-")[0] in ("linuxbridge", "l3", "dhcp")
        if agent or service.name in ("nova-primary", "nova-dr"):
            assert not service.kill_group, service.name


def test_ports_are_unique_and_named():
    numbers = list(part.PORTS.values())
    assert len(set(numbers)) == len(numbers)
    assert part.PORTS["swift-proxy-dr"] == 27080


def test_an_unknown_region_is_named():
    with pytest.raises(LabError, match="region 'west': expected one of primary, dr"):
        topology.region("west")


def test_a_file_is_written_once(tmp_path):
    file = File(tmp_path / "a" / "b.conf", "x = 1\n", os.getuid())
    assert file.write()
    assert not file.write()
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.path.write_text("spoiled")
    assert file.write()
    assert [p.name for p in file.path.parent.iterdir()] == ["b.conf"]


def test_ini_writes_what_oslo_config_reads():
    text = ini({"a": {"yes": True, "none": "", "many": ["1", "2"]}, "empty": {}})
    assert text == "[a]\nyes = true\nnone =\nmany = 1\nmany = 2\n\n[empty]\n"


def test_merged_sections_keep_both_sides():
    assert merged({"a": {"x": 1, "y": 1}}, {"a": {"y": 2}}) == {"a": {"x": 1, "y": 2}}


def test_passwords_are_made_once_and_kept(tmp_path):
    counter = itertools.count()
    path = tmp_path / "passwords.json"
    first = Passwords(path, lambda: f"p-{next(counter)}_")
    assert first["a"] != first["b"]
    assert path.stat().st_mode & 0o777 == 0o600
    again = Passwords(path, lambda: "other")
    assert again["a"] == first["a"]
    assert set(json.loads(path.read_text())) == {"a", "b"}
    assert first["a"].isalnum()  # it stands in URLs, SQL and INI files


def test_the_brokers_password_is_salted_and_the_same_twice():
    one = rabbitmq.password_hash("secret")
    assert one == rabbitmq.password_hash("secret") != rabbitmq.password_hash("other")
    assert "secret" not in one


def test_accounts_are_made_again_when_a_password_or_an_endpoint_changes(cloud, monkeypatch):
    before = database.accounts_key(cloud)
    assert before == database.accounts_key(cloud)
    monkeypatch.setattr(database, "CATALOGUE", database.CATALOGUE[:-1])
    assert database.accounts_key(cloud) != before


def test_schemas_depend_on_package_versions(monkeypatch):
    class Done:
        returncode, stderr = 0, ""

        def __init__(self, version):
            self.stdout = f"python3-nova={version}\n"

    keys = []
    for version in ("1", "1", "2"):
        monkeypatch.setattr(database.subprocess, "run", lambda *a, v=version, **k: Done(v))
        keys.append(database.schema_key())
    assert keys[0] == keys[1] != keys[2]


def test_other_package_versions_under_a_running_lab_are_refused(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "schema_key", lambda: "new")
    monkeypatch.setattr(database, "_stamp", lambda _, name: "old")
    monkeypatch.setattr(database.mariadb, "data", lambda _: tmp_path)
    with pytest.raises(LabError, match="other package versions"):
        database.prepare(cloud, None)


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    usage = part.shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(part.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(LabError, match=r"found 1\.0 GB free, expected at least 3 GB"):
        part._room(tmp_path)


@pytest.mark.parametrize(
    "text", ["2026-11-23 19:09:43", "2026-11-23T19:09:43.000000", "2026-11-23T19:09:43Z"]
)
def test_times_of_heartbeats_are_utc(text):
    assert heartbeats._time(text) == 1795460983.0


def test_an_old_heartbeat_does_not_count(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(Cloud, "born", property(lambda _: tmp_path))
    record = {"state": "up", "updated_at": "2020-01-01T00:00:00"}
    assert heartbeats._fresh(cloud, "x", {"b": record}, ["b"]) == "has not started yet"
    (tmp_path / "x").touch()
    said = heartbeats._fresh(cloud, "x", {"b": record}, ["b"])
    assert said == "b has not reported since it started"
    record["updated_at"] = "2999-01-01T00:00:00"
    assert heartbeats._fresh(cloud, "x", {"b": record}, ["b"]) is None
    assert heartbeats._fresh(cloud, "x", {}, ["b"]) == "b has not reported yet"


def test_both_clusters_know_each_other_and_one_key(cloud):
    texts = [
        swift.configuration(cloud, region)["container-sync-realms.conf"]
        for region in topology.REGIONS
    ]
    assert texts[0] == texts[1]
    assert "cluster_dr = http://127.0.0.1:27080/v1/" in texts[0]


def test_clouds_yaml_has_a_cloud_a_region(cloud):
    entries = clouds.clouds(cloud, "someone", "pw", "project")
    assert {n: e["region_name"] for n, e in entries.items()} == {"primary": "primary", "dr": "dr"}


def test_attaching_to_a_namespace_that_is_not_there_says_so(monkeypatch):
    monkeypatch.setattr(wires, "exists", lambda name: name == "gl-primary")
    with pytest.raises(LabError, match="no network namespace gx-dc1; is its part up"):
        wires.attach("primary", "gx-dc1", "dc0")
