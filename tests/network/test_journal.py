"""The journal: append-only, readable after a crash, void for a device that was replaced."""

from __future__ import annotations

import datetime as dt
import json
import stat
import threading
import time
from dataclasses import replace

import pytest

from gaoling.network.change import FLUSHED_SECONDS, Job, _rest, backup_before_ipv6, save_backup
from gaoling.network.journal import Journal, families_in_service, fingerprints, open_journal
from gaoling.network.review import ReviewError, patch_of, read_review, write_review


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl", {"core-1": "k1", "core-2": "k2"})


def test_before_any_change_ipv4_is_in_service(city, journal):
    found = families_in_service(city, journal)
    assert set(map(frozenset, found.values())) == {frozenset({4})}
    assert "province-1" not in found


def test_the_last_confirmed_change_counts(city, journal):
    journal.write("confirmed", "core-1", "c1", families=[4, 6])
    journal.write("rolled-back", "core-1", "c2")
    assert families_in_service(city, journal)["core-1"] == {4, 6}
    journal.write("confirmed", "core-1", "c3", families=[4])
    assert families_in_service(city, journal)["core-1"] == {4}


def test_an_entry_says_who_when_what(journal):
    journal.write("armed", "core-1", "c1", patch="abc")
    (entry,) = journal.entries()
    assert entry["operator"]
    assert entry["time"].endswith("+00:00")
    assert (entry["change"], entry["patch"], entry["key"]) == ("c1", "abc", "k1")
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_after_a_crash_it_says_where_to_go_on(city, journal):
    journal.write("confirmed", "core-1", "c1", families=[4, 6])
    journal.write("armed", "core-2", "c1")
    journal.write("applied", "core-2", "c1")
    with journal.path.open("a") as half:
        half.write('{"device": "core-2", "ev')  # the line that was being written
    assert journal.unfinished() == ["core-2"]
    assert families_in_service(city, journal)["core-2"] == {4}
    journal.write("rolled-back", "core-2", "c2")


def test_a_line_after_a_half_line_is_not_lost(journal):
    journal.path.write_text('{"device": "core-2", "ev')
    journal.write("confirmed", "core-1", "c1", families=[4, 6])
    assert [e["device"] for e in journal.entries()] == ["core-1"]


def test_a_device_that_was_replaced_starts_at_ipv4(city, journal):
    journal.write("confirmed", "core-1", "c1", families=[4, 6])
    replaced = Journal(journal.path, {"core-1": "another"})
    assert families_in_service(city, replaced)["core-1"] == {4}


def test_a_wave_is_waited_for_by_what_the_journal_says(journal):
    journal.write("applied", "core-1", "c1")
    journal.write("confirmed", "core-2", "c0", families=[4])
    assert journal.wait({"core-1", "core-2"}, {4, 6}, 0.3) == {"core-2"}

    def later() -> None:
        time.sleep(0.3)
        journal.write("armed", "core-2", "c1")
        journal.write("applied", "core-2", "c1")
        journal.write("confirmed", "core-2", "c1", families=[4, 6])

    thread = threading.Thread(target=later)
    thread.start()
    began = time.monotonic()
    assert journal.wait({"core-1", "core-2"}, {4, 6}, 20) == set()
    assert 0.2 < time.monotonic() - began < 5
    thread.join()


def test_a_device_that_went_back_is_not_there(journal):
    journal.write("applied", "core-1", "c1")
    journal.write("rolled-back", "core-1", "c1")
    assert journal.wait({"core-1", "core-2"}, {4, 6}, 0) == {"core-1", "core-2"}


def test_routers_that_return_together_wait_until_their_flush_is_forgotten(plan, journal, tmp_path):
    job = Job(plan, "core-1", tmp_path, tmp_path, journal, "c", frozenset({4, 6}),
              together=frozenset({"core-1", "core-2"}))  # fmt: skip
    assert _rest(job) == 0  # it never had IPv6
    journal.write("confirmed", "core-1", "c1", families=[4, 6])
    assert _rest(job) == 0
    journal.write("confirmed", "core-1", "c2", families=[4])
    assert FLUSHED_SECONDS - 5 < _rest(job) <= FLUSHED_SECONDS
    assert _rest(replace(job, together=frozenset({"core-1"}))) == 0
    assert _rest(replace(job, families=frozenset({4}))) == 0
    journal.write("rolled-back", "core-1", "c3")
    assert _rest(job) > FLUSHED_SECONDS - 5
    entry = json.loads(journal.path.read_text().splitlines()[-1])
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=FLUSHED_SECONDS + 1)
    journal.path.write_text(json.dumps(entry | {"time": past.isoformat()}) + "\n")
    assert _rest(job) == 0


def test_fingerprints_are_those_of_known_hosts(tmp_path, city):
    blob = "AAAAC3NzaC1lZDI1NTE5AAAAIKMHTW6ABqqL7YoTF09MXHIrPHoSoPZXBMAbZWYxuoIu"
    (tmp_path / "known_hosts").write_text(f"core-1,10.255.0.1 ssh-ed25519 {blob}\n")
    found = fingerprints(tmp_path)
    assert found["core-1"] == found["10.255.0.1"]
    assert len(found["core-1"]) == 43
    assert open_journal(city, tmp_path / "state", tmp_path).keys == found


def test_the_way_back_is_the_backup_before_ipv6(journal, tmp_path):
    kept = save_backup(tmp_path, "core-1", "frr version 8.4.4\nend\n")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert backup_before_ipv6(journal, "core-1") is None
    journal.write("confirmed", "core-1", "c1", families=[4, 6], backup=str(kept))
    assert backup_before_ipv6(journal, "core-1") == kept
    journal.write("confirmed", "core-1", "c2", families=[4], backup="later")
    assert backup_before_ipv6(journal, "core-1") is None


def test_what_was_reviewed_is_what_is_sent(tmp_path):
    change = write_review(tmp_path, "ipv6", {"core-1": "abc"})
    assert read_review(tmp_path, change) == ("ipv6", {"core-1": "abc"})
    assert patch_of(tmp_path, change, "core-2") == ""
    path = tmp_path / "reviewed" / f"{change}.json"
    path.write_text(json.dumps({"kind": "ipv6", "patches": {"core-1": "xyz"}}))
    with pytest.raises(ReviewError, match="was edited after the review"):
        patch_of(tmp_path, change, "core-1")
    with pytest.raises(ReviewError, match="plan first"):
        patch_of(tmp_path, "0" * 16, "core-1")
