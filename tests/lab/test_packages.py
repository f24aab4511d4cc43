"""Installing starts nothing and leaves the machine's policy as it was."""

from pathlib import Path

import pytest

from lab import packages


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(packages, "SAVED", tmp_path / "policy-rc.d.gaoling-saved")
    return tmp_path / "policy-rc.d"


def test_services_are_forbidden_only_while_installing(policy: Path):
    with packages._no_services():
        assert policy.read_text() == packages.DENY
    assert not policy.exists()


def test_the_policy_that_was_there_comes_back(policy: Path):
    policy.write_text("#!/bin/sh\nexit 104\n")
    with packages._no_services():
        assert policy.read_text() == packages.DENY
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"


def test_a_killed_installation_is_cleaned_up_by_the_next(policy: Path):
    policy.write_text("mine")
    manager = packages._no_services()
    manager.__enter__()  # and killed: never left
    packages._put_back()
    assert policy.read_text() == "mine"
    assert not packages.SAVED.exists()


def test_what_is_missing_is_what_dpkg_does_not_have():
    assert packages.missing(["dpkg", "no-such-package-gaoling"]) == ["no-such-package-gaoling"]
