"""clouds.yaml: an entry for every project, the secrets to nobody else, one line when it is bad."""

from __future__ import annotations

import stat
import threading

import pytest
import yaml

from gaoling.cloud.access import AccessError, ensure_access, projects, write_access

GIVEN = {
    "clouds": {
        "primary": {
            "auth": {
                "auth_url": "http://127.0.0.1:1/v3",
                "username": "admin",
                "password": "secret of the tests",
                "project_name": "admin",
                "project_id": "x",
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": "primary",
        }
    }
}


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "given.yaml"
    path.write_text(yaml.safe_dump(GIVEN))
    return path


def test_each_project_has_an_entry_of_its_own(given, tmp_path):
    target = tmp_path / "out" / "clouds.yaml"
    write_access(given, target, ["primary"], {"lab-health"})
    clouds = yaml.safe_load(target.read_text())["clouds"]
    assert clouds["primary"] == GIVEN["clouds"]["primary"]
    scoped = clouds["primary:lab-health"]
    assert scoped["region_name"] == "primary"
    assert scoped["auth"]["project_name"] == "lab-health"
    assert "project_id" not in scoped["auth"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_entries_are_kept_when_the_register_loses_a_row(given, tmp_path):
    target = tmp_path / "clouds.yaml"
    write_access(given, target, ["primary"], {"lab-health"})
    write_access(given, target, ["primary"], {"lab-water"})
    assert {"primary:lab-health", "primary:lab-water"} <= set(
        yaml.safe_load(target.read_text())["clouds"]
    )


def test_a_run_on_one_region_keeps_the_entries_of_the_other(given, tmp_path):
    both = {**GIVEN["clouds"], "dr": {**GIVEN["clouds"]["primary"], "region_name": "dr"}}
    given.write_text(yaml.safe_dump({"clouds": both}))
    target = tmp_path / "clouds.yaml"
    write_access(given, target, ["primary", "dr"], {"lab-health"})
    before = target.read_text()
    write_access(given, target, ["primary"], {"lab-health"})
    assert target.read_text() == before


def test_many_at_once_lose_nothing(given, tmp_path):
    target = tmp_path / "clouds.yaml"
    threads = [
        threading.Thread(target=write_access, args=(given, target, ["primary"], {f"lab-{n}"}))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clouds = yaml.safe_load(target.read_text())["clouds"]
    assert {f"primary:lab-{n}" for n in range(8)} <= set(clouds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file, expected the clouds.yaml of an administrator"),
        ("a: [", ":1: not YAML, expected a clouds.yaml"),
        ("a: 1", "found no `clouds`, expected a clouds.yaml"),
        ("clouds: {other: {}}", "found other, expected an entry 'primary'"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, text, message):
    source = tmp_path / "clouds.yaml"
    if text is not None:
        source.write_text(text)
    with pytest.raises(AccessError) as error:
        write_access(source, tmp_path / "out.yaml", ["primary"], set())
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.yaml").exists()


def test_the_program_adds_what_is_missing_only_to_our_file(given, tmp_path, monkeypatch):
    target = tmp_path / "clouds.yaml"
    write_access(given, target, ["primary"], set())
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(target))
    ensure_access("primary", {"lab-health"})
    assert "primary:lab-health" in yaml.safe_load(target.read_text())["clouds"]
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(given))
    with pytest.raises(AccessError, match="has no entries for projects"):
        ensure_access("primary", {"lab-health"})
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE")
    with pytest.raises(AccessError, match="OS_CLIENT_CONFIG_FILE: not set"):
        ensure_access("primary", {"lab-health"})


def test_a_cloud_that_does_not_answer_is_one_line_without_the_password(given):
    with pytest.raises(AccessError) as error:
        projects("primary", given)
    assert "the Identity service does not answer" in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret of the tests" not in str(error.value)
