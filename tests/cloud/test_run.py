"""Runs of many stacks, and the refusals, with a stand-in for the CLI."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import threading
import time
from types import SimpleNamespace

import pytest
import yaml

from gaoling.cloud import guard, locks
from gaoling.cloud.events import Change, EventLog, Progress
from gaoling.cloud.home import stack_config, write_config
from gaoling.cloud.stacks import stacks
from tests.cloud.stand_in import CITY, URN, VOLUME, calls, gaoling, holds, play, runner, step


def test_preparing_makes_stacks_once_and_keeps_secrets_to_their_owner(stand_in):
    made = runner(stand_in)
    made.prepare(stacks(CITY))
    passphrase = made.home.passphrase.read_text()
    made.prepare(stacks(CITY))
    assert made.home.passphrase.read_text() == passphrase
    for path in (made.home.passphrase, made.home.sync_secret, made.home.clouds):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = made.home.sync_secret.read_text()
    assert not any(secret in str(call["arguments"]) for call in calls(stand_in))
    assert not any(passphrase in str(call["arguments"]) for call in calls(stand_in))
    assert not any("OS_PASSWORD" in call["names"] for call in calls(stand_in))
    config = yaml.safe_load(made.home.config_file("lab-primary-0").read_text())
    assert config["encryptionsalt"] == "v1:salt"
    assert config["config"]["gaoling:city"] == "lab"
    assert config["config"]["openstack:cloud"] == "primary"


def test_up_refuses_to_lose_data_that_is_not_named(stand_in):
    holds(stand_in, "lab-primary-0")
    play(stand_in, "preview-lab-primary-0", step("replace"))
    result = gaoling("up", "--yes")
    assert isinstance(result.exception, guard.Refused)
    assert URN in str(result.exception)
    assert "nothing was changed" in str(result.exception)
    assert not [c for c in calls(stand_in) if c["arguments"][0] == "up"]


def test_what_is_named_needs_a_reason_and_the_journal_has_it(stand_in):
    holds(stand_in, "lab-primary-0")
    play(stand_in, "preview-lab-primary-0", step("replace"))
    play(stand_in, "up-lab-primary-0", step("replace"))
    result = gaoling("up", "--yes", "--allow-delete", URN)
    assert "found no --reason" in str(result.exception)
    result = gaoling("up", "--yes", "--allow-delete", URN, "--reason", "moved to a new volume type")
    assert result.exit_code == 0, result.output
    lines = (stand_in / "state/journal/cloud.jsonl").read_text().splitlines()
    entry = next(e for e in map(json.loads, lines) if e["stack"] == "lab-primary-0")
    assert entry["gone"] == [URN]
    assert entry["reason"] == "moved to a new volume type"
    assert entry["who"]


PROTECTED = {
    "diagnosticEvent": {
        "severity": "error",
        "message": f'resource "{URN}" cannot be deleted\nbecause it is protected.',
    }
}


def test_what_is_protected_is_refused_by_name(stand_in):
    holds(stand_in, "lab-primary-0")
    play(stand_in, "preview-lab-primary-0", PROTECTED, {"code": 255})
    result = gaoling("up", "--yes")
    assert isinstance(result.exception, guard.Refused)
    assert URN in str(result.exception)
    assert not [c for c in calls(stand_in) if c["arguments"][:2] == ["state", "unprotect"]]


def test_preview_tells_pending_changes_by_its_code(stand_in):
    assert gaoling("preview", "--expect-no-changes").exit_code == 0
    play(stand_in, "preview-lab-dr-0", step("create"))
    assert gaoling("preview").exit_code == 0
    assert gaoling("preview", "--expect-no-changes").exit_code == 3


def test_destructive_steps_are_shown_first(stand_in):
    other = URN.replace("health-data-1", "water-data-1")
    play(stand_in, "preview-lab-primary-0", step("create", other), step("delete"))
    lines = gaoling("preview").output.splitlines()
    first = lines.index("lab-primary-0") + 1
    assert lines[first].split()[:2] == ["!", "delete"]
    assert lines[first + 1].split()[0] == "create"


def test_json_says_what_failed(stand_in):
    play(stand_in, "preview-lab-dr-0", PROTECTED, {"code": 255})
    result = gaoling("preview", "--json", "--region", "dr")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [(r["stack"], r["ok"]) for r in rows] == [("lab-dr-platform", True), ("lab-dr-0", False)]


def test_bad_names_and_credentials_end_with_2(stand_in):
    assert gaoling("preview", "--region", "north").exit_code == 2
    assert gaoling("preview", "--stack", "lab-north-0").exit_code == 2
    (stand_in / "access/cloud/clouds.yaml").unlink()
    result = gaoling("preview")
    assert result.exit_code == 2
    assert "no such file, expected the clouds.yaml" in result.output


def test_a_shrunken_register_is_refused(tmp_path):
    memory = tmp_path / "register.json"
    guard.remember(CITY, memory)
    guard.refuse_shrunken(CITY, memory, force=False)
    fewer = CITY.with_systems(CITY.systems[2:])
    with pytest.raises(guard.Refused, match=r"has lost 2 of 13 systems .*e-license, one-window"):
        guard.refuse_shrunken(fewer, memory, force=False)
    guard.refuse_shrunken(fewer, memory, force=True)


def lock(folder, pid, host):
    path = folder / ".pulumi/locks/organization/gaoling/s/1.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"pid": pid, "hostname": host, "username": "ops"}))
    return path


def test_the_lock_of_a_dead_run_goes(tmp_path):
    path = lock(tmp_path, 2**22 + 1, socket.gethostname())
    assert locks.clear(tmp_path, "s")
    assert not path.exists()
    assert not locks.clear(tmp_path, "s")


def test_the_lock_of_another_machine_stays(tmp_path):
    path = lock(tmp_path, 1, "another")
    with pytest.raises(locks.Locked, match=r"ops@another .*pulumi cancel --stack s"):
        locks.clear(tmp_path, "s")
    assert path.exists()


def test_another_process_with_the_number_of_the_dead_does_not_hold_a_lock(tmp_path):
    lock(tmp_path, os.getpid(), socket.gethostname())
    assert locks.clear(tmp_path, "s")


def test_events_are_taken_as_they_are_written(tmp_path):
    path = tmp_path / "events"
    log, progress = EventLog(path), Progress()
    assert list(log.new()) == []
    whole = json.dumps(step("create")) + "\n"
    path.write_text(whole + whole[:10])
    for event in log.new():
        progress.take(event)
    assert progress.counts == {"create": 1}
    path.write_text(whole + whole)
    assert len(list(log.new())) == 1
    assert progress.changes == [Change("create", VOLUME, URN)]


def test_a_stack_file_keeps_its_salt_and_secrets(tmp_path):
    path = tmp_path / "Pulumi.s.yaml"
    held = {"encryptionsalt": "v1:x", "config": {"a:b": {"secure": "v1:y"}, "a:old": "gone"}}
    path.write_text(yaml.safe_dump(held))
    write_config(path, stack_config(CITY, stacks(CITY)[2]))
    found = yaml.safe_load(path.read_text())
    assert found["encryptionsalt"] == "v1:x"
    assert found["config"]["a:b"] == {"secure": "v1:y"}
    assert "a:old" not in found["config"]


def run(folder):
    return [
        (c["arguments"][0], c["arguments"][c["arguments"].index("--stack") + 1])
        for c in calls(folder)
        if "--event-log" in c["arguments"]
    ]


ALL = ("lab-primary-platform", "lab-dr-platform", "lab-primary-0", "lab-dr-0")


def test_a_new_stack_is_made_without_a_preview_when_nobody_looks(stand_in):
    holds(stand_in, "lab-primary-platform", "lab-dr-platform")
    assert gaoling("up", "--yes").exit_code == 0
    previews = sorted(name for operation, name in run(stand_in) if operation == "preview")
    assert previews == ["lab-dr-platform", "lab-primary-platform"]
    assert [n for o, n in run(stand_in) if o == "up"] == ["lab-primary-0", "lab-dr-0"]


def test_without_yes_every_stack_is_previewed(stand_in):
    play(stand_in, "preview-lab-dr-0", step("create"))
    assert gaoling("up").exit_code == 1  # nobody is there to ask
    assert sorted(run(stand_in)) == sorted(("preview", name) for name in ALL)


def test_a_stack_in_which_nothing_changes_is_not_run(stand_in):
    holds(stand_in, *ALL)
    play(stand_in, "preview-lab-primary-0", step("create"))
    result = gaoling("up", "--yes", "--json")
    assert result.exit_code == 0, result.output
    # those of later waves are: what the changed one gives to them may be another afterwards
    assert [n for o, n in run(stand_in) if o == "up"] == ["lab-primary-0", "lab-dr-0"]
    rows = json.loads(result.stdout)
    assert {r["stack"] for r in rows} == set(ALL)
    assert {r["operation"] for r in rows} == {"up"}


def test_other_outputs_alone_are_a_reason_to_run(stand_in):
    holds(stand_in, *ALL)
    about = {"op": "same", "urn": "u", "type": "pulumi:pulumi:Stack"}
    sides = {"old": {"outputs": {}}, "new": {"outputs": {"a": 1}}}
    play(stand_in, "preview-lab-dr-0", {"resOutputsEvent": {"metadata": about | sides}})
    assert gaoling("up", "--yes").exit_code == 0
    assert [n for o, n in run(stand_in) if o == "up"] == ["lab-dr-0"]


def test_a_department_is_its_landing_zones_and_what_is_in_them(stand_in):
    zone = "urn:pulumi:{}::gaoling::gaoling:cloud:LandingZone::health"
    department = CITY.system["health"].department
    assert gaoling("preview", "--department", department).exit_code == 0
    chosen = [c["arguments"] for c in calls(stand_in) if c["arguments"][0] == "preview"]
    assert chosen
    for arguments in chosen:
        stack = arguments[arguments.index("--stack") + 1]
        targets = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--target"]
        assert zone.format(stack) in targets
        assert "--target-dependents" in arguments
        systems = {target.rpartition("::")[2] for target in targets}
        assert {CITY.system[s].department for s in systems} == {department}


def test_a_department_that_there_is_not_is_bad_input(stand_in):
    result = gaoling("up", "--yes", "--department", "nobody")
    assert result.exit_code == 2
    assert "department 'nobody': expected one of" in " ".join(result.output.split())
    assert not (stand_in / "calls").exists()


def test_a_destroy_of_a_department_names_only_what_the_state_has(stand_in):
    department = CITY.system["health"].department
    result = gaoling("destroy", "--yes", "--department", department)
    assert result.exit_code == 0, result.output
    assert run(stand_in) == []


def test_a_truncated_state_stops_everything_before_it_begins(stand_in):
    made = runner(stand_in)
    made.prepare(stacks(CITY))
    path = made.home.backend / ".pulumi/stacks/gaoling/lab-dr-0.json"
    path.write_text("{")
    (stand_in / "calls").unlink()
    result = gaoling("up", "--yes")
    assert result.exit_code == 2
    assert f"{path}: found 1 bytes that are not a whole state" in result.output
    assert not (stand_in / "calls").exists()
    assert path.read_text() == "{"


def test_a_run_without_a_word_is_stopped_and_says_what_it_waited_for(stand_in, monkeypatch):
    monkeypatch.setattr("gaoling.cloud.run.GRACE_SECONDS", 0.3)
    made = runner(stand_in)
    made.patience = 0.5
    made.prepare(stacks(CITY))
    play(stand_in, "up-lab-primary-0", step("create"), {"sleep": 60})
    (outcome,) = made.all("up", [s for s in stacks(CITY) if s.name == "lab-primary-0"])
    assert not outcome.ok
    assert re.fullmatch(
        r"nothing came for \d+ s, waiting for create Volume health-data-1: stopped; "
        "see whether the service answers, then run it again",
        outcome.why(),
    )


def test_a_plan_that_was_touched_after_the_review_is_refused(stand_in, tmp_path):
    folder = tmp_path / "review"
    assert gaoling("preview", "--save-plan", str(folder)).exit_code == 0
    assert gaoling("up", "--yes", "--plan", str(folder)).exit_code == 0
    with_plans = [c["arguments"] for c in calls(stand_in) if "--plan" in c["arguments"]]
    assert len(with_plans) == len(ALL)
    plan = folder / "lab-dr-0.plan.json"
    plan.write_text(plan.read_text() + " ")
    result = gaoling("up", "--yes", "--plan", str(folder))
    assert str(result.exception).startswith(f"{plan}: is not the one that was reviewed")
    result = gaoling("preview", "--save-plan", str(folder))
    assert "of an earlier review, expected an empty folder" in str(result.exception)


def test_a_reviewed_loss_of_data_has_to_be_named_too(stand_in, tmp_path):
    folder = tmp_path / "review"
    steps = {"resourcePlans": {URN: {"steps": ["delete"]}}}
    (stand_in / "plan-lab-primary-0.json").write_text(json.dumps(steps))
    assert gaoling("preview", "--save-plan", str(folder)).exit_code == 0
    result = gaoling("up", "--yes", "--plan", str(folder))
    assert isinstance(result.exception, guard.Refused)
    assert URN in str(result.exception)


def test_the_backend_may_be_elsewhere_and_has_no_password(stand_in, monkeypatch):
    monkeypatch.setenv("GAOLING_PULUMI_BACKEND", "postgres://gaoling@db.example/state")
    made = runner(stand_in)
    assert made.home.variables()["PULUMI_BACKEND_URL"] == "postgres://gaoling@db.example/state"
    assert made.home.local is None
    monkeypatch.setenv("GAOLING_PULUMI_BACKEND", "postgres://gaoling:geheim@db.example/state")
    result = gaoling("preview")
    assert result.exit_code == 2
    assert "found a password in the URL" in result.output
    assert "geheim" not in result.output


def test_ctrl_c_names_what_is_in_hand_and_what_was_not_begun(stand_in):
    holds(stand_in, *ALL)
    play(stand_in, "preview-lab-primary-0", step("create"))
    play(stand_in, "up-lab-primary-0", step("create"), {"sleep": 60})

    def interrupt():
        while not list((stand_in / "state/pulumi/logs").glob("lab-primary-0-up-*.events.jsonl")):
            time.sleep(0.1)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    result = gaoling("up", "--yes")
    assert result.exit_code == 130
    said = result.output.splitlines()
    hand = "interrupted, waiting for create Volume health-data-1; finishing that"
    assert f"lab-primary-0: {hand}" in said
    assert "not begun: lab-dr-0; run it again to go on" in said
    assert (
        result.stderr.splitlines()[-1]
        == "interrupted: 0 operations were done; run it again to go on"
    )
    entries = (stand_in / "state/journal/cloud.jsonl").read_text()
    assert '"stack": "lab-primary-0", "ok": false' in entries


def test_a_killed_run_is_settled_before_the_next(stand_in, monkeypatch):
    """The whole way, with a cloud that has what was being made."""
    network = "openstack:networking/network:Network"
    urn = f"urn:pulumi:lab-primary-0::gaoling::{network}::health"
    provider = "urn:pulumi:lab-primary-0::gaoling::pulumi:providers:openstack::p"
    created = {
        "urn": urn, "type": network, "custom": True, "provider": f"{provider}::i",
        "inputs": {"name": "health"},
    }  # fmt: skip
    held = {
        "urn": provider, "type": "pulumi:providers:openstack", "id": "i", "custom": True,
        "inputs": {"cloud": "primary"},
    }  # fmt: skip
    pending = [{"type": "creating", "resource": created}]
    holds(stand_in, "lab-primary-0", pending=pending, resources=[held])
    api = SimpleNamespace(
        current_project_id="x",
        network=SimpleNamespace(networks=lambda **_: iter([SimpleNamespace(id="n1")])),
    )
    monkeypatch.setattr("gaoling.cloud.resume.connect", lambda path, entry: api)
    result = gaoling("up", "--yes", "--stack", "lab-primary-0")
    assert result.exit_code == 0, result.output
    assert (
        "lab-primary-0: Network health n1 was made by a run that was cut off: taken into the state"
    ) in result.output.splitlines()
    assert run(stand_in) == [
        ("refresh", "lab-primary-0"),
        ("preview", "lab-primary-0"),
    ]
    refresh = next(c["arguments"] for c in calls(stand_in) if c["arguments"][0] == "refresh")
    assert refresh[refresh.index("--target") + 1] == urn
    (stand_in / "calls").unlink()
    assert gaoling("up", "--yes", "--stack", "lab-primary-0").exit_code == 0
    assert run(stand_in) == [("preview", "lab-primary-0")]
