"""Changes on the routers of the lab, and what happens when they are cut off in the middle."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gaoling.city import read_city
from gaoling.network import verify
from gaoling.network.change import ChangeFailed, Job, change_device
from gaoling.network.diff import difference
from gaoling.network.engine_frr import EngineError, FrrEngine, Patch, read_plan
from gaoling.network.guard import Refused
from gaoling.network.journal import Journal
from gaoling.network.session import Session, SessionError, from_vantage
from gaoling.network.settings import access_folder, city_folder, load_plan

pytestmark = pytest.mark.extranet
DEVICE = "town-360281114"
TIMER = 12  # seconds until the router restores itself


@pytest.fixture(scope="module")
def access():
    return access_folder()


@pytest.fixture(scope="module")
def real_plan():
    return load_plan(city_folder("lab"))


@pytest.fixture
def engine(access):
    with Session(DEVICE, access) as session:
        yield FrrEngine(session)


@pytest.fixture
def job(real_plan, access, tmp_path):
    return Job(
        plan=real_plan,
        device=DEVICE,
        access=access,
        state=tmp_path,
        journal=Journal(tmp_path / "journal.jsonl", {}),
        change="test",
        families=frozenset({4}),
        confirm_seconds=TIMER,
    )


def described(running: str) -> str:
    """The same configuration with another description on the LAN."""
    assert " description LAN " in running
    return running.replace(" description LAN ", " description test LAN ")


def cutting_patch() -> Patch:
    """Take the router's own adjacencies away: the guard would never let it pass."""
    return read_plan(
        "interface lan0\n description half way\n"
        "interface ge0\n no ip ospf area 0.0.0.4\ninterface ge1\n no ip ospf area 0.0.0.4\n"
    )


def restored(access, seconds: float = 60) -> str:
    """Wait until the router can be reached and its timer is over; return how it ended."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with Session(DEVICE, access) as session:
                said = session.run("commit-confirm status").text.strip()
            if said != "armed":
                return said
        except SessionError:
            pass
        assert time.monotonic() < deadline, "the router did not come back"
        time.sleep(0.5)


def running_now(access) -> str:
    with Session(DEVICE, access) as session:
        return FrrEngine(session).running()


def test_a_change_and_its_way_back(job, engine):
    before = engine.running()
    there = change_device(replace(job, target=described(before), allow_deletions=True))
    assert there.changed
    assert engine.running() == described(before)
    again = change_device(replace(job, target=described(before)))
    assert not again.changed
    back = change_device(replace(job, target=before, allow_deletions=True))
    assert back.changed
    assert engine.running() == before
    events = [e["event"] for e in job.journal.entries()]
    assert events.count("confirmed") == 2
    assert job.journal.unfinished() == []


def test_check_changes_nothing(job, engine):
    before = engine.running()
    outcome = change_device(
        replace(job, target=described(before), check=True, allow_deletions=True)
    )
    assert outcome.changed
    assert "test LAN" in outcome.diff
    assert engine.running() == before
    assert list(job.journal.entries()) == []


def test_another_patch_than_the_reviewed_one_is_refused(job, engine):
    before = engine.running()
    with pytest.raises(Refused, match="plan again"):
        change_device(replace(job, target=described(before), reviewed="0" * 64))
    assert engine.running() == before


def test_armed_and_let_fire_it_restores_to_the_byte(access, engine):
    before = engine.running()
    engine.arm(3, before)
    engine.apply(engine.patch(described(before)))
    assert engine.running() != before
    assert restored(access) == "restored identical"
    assert running_now(access) == before


def test_a_change_that_cuts_us_off_comes_back(access, engine):
    before = engine.running()
    engine.arm(TIMER, before)
    _, after = engine.apply(cutting_patch())
    assert difference(before, after)
    address = engine.session.device and read_city(city_folder("lab")).device[DEVICE].management
    deadline = time.monotonic() + TIMER - 2
    while from_vantage(access, "vantage-noc", f"fping -q -r0 -t300 {address}").code == 0:
        assert time.monotonic() < deadline, "the router stayed reachable: the test tests nothing"
        time.sleep(0.3)
    assert restored(access) == "restored identical"
    assert running_now(access) == before


def test_ssh_cut_while_the_patch_is_sent_applies_nothing(access, engine):
    before = engine.running()
    engine.arm(TIMER, before)
    patch = cutting_patch()
    transport = engine.session._netmiko.remote_conn_pre.get_transport()
    channel = transport.open_session()
    channel.exec_command(f"commit-confirm apply {patch.digest}")
    channel.sendall(patch.text[: len(patch.text) // 2].encode())
    engine.session.close()
    time.sleep(1)
    assert running_now(access) == before  # half a patch is not the reviewed one
    assert restored(access) == "restored identical"
    assert running_now(access) == before


def test_ssh_cut_in_the_middle_of_a_change(access, job, engine, monkeypatch):
    """Our side dies after the patch is applied: nobody confirms, the router goes back."""
    before = engine.running()

    def cut(engine, *_others, **_more):
        engine.session._proxy.kill()
        engine.running()

    monkeypatch.setattr(verify, "verify", cut)
    with pytest.raises(ChangeFailed, match="the router restores itself"):
        change_device(replace(job, target=described(before), allow_deletions=True))
    assert running_now(access) == described(before)  # applied, not confirmed
    assert restored(access) == "restored identical"
    assert running_now(access) == before


def test_a_run_that_died_is_cleaned_up_by_the_next(access, job, engine):
    before = engine.running()
    engine.arm(120, before)
    engine.apply(engine.patch(described(before)))
    engine.session.close()  # the controller is gone; the rollback is armed for two minutes
    outcome = change_device(replace(job, target=before))
    assert not outcome.changed
    assert running_now(access) == before
    assert next(e["event"] for e in job.journal.entries()) == "rolled-back"


def test_a_second_writer_is_refused(access, engine):
    before = engine.running()
    engine.arm(30, before)
    with Session(DEVICE, access) as other, pytest.raises(EngineError, match="already armed"):
        FrrEngine(other).arm(30, before)
    assert engine.roll_back() == "restored identical"


def test_nothing_is_applied_unless_armed(engine):
    before = engine.running()
    with pytest.raises(EngineError, match="not armed: nothing is applied"):
        engine.apply(cutting_patch())
    assert engine.running() == before


def test_a_backup_that_is_not_the_devices_is_noticed(engine):
    before = engine.running()
    with pytest.raises(EngineError, match="somebody else is at work"):
        engine.arm(30, before + "!\n")
    assert engine.session.run("commit-confirm status").text.strip() == "restored identical"
    assert engine.running() == before


def test_a_wrong_host_key_is_refused(access, tmp_path):
    lines = (access / "known_hosts").read_text().splitlines()
    keys = {x.split()[0]: x.split(" ", 1)[1] for x in lines}
    other = next(v for k, v in keys.items() if k.startswith("core-1,"))
    forged = [f"{n} {other if n.startswith(DEVICE) else v}" for n, v in keys.items()]
    (tmp_path / "known_hosts").write_text("\n".join(forged) + "\n")
    config = (access / "ssh_config").read_text()
    config = config.replace(str(access / "known_hosts"), str(tmp_path / "known_hosts"))
    (tmp_path / "ssh_config").write_text(config)
    with pytest.raises(SessionError, match=r"[Hh]ost key"):
        Session(DEVICE, tmp_path)
