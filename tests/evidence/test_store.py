"""Evidence outlives the exporter, with its age; damage to the file loses lines and no more."""

from __future__ import annotations

import dataclasses

import pytest

from gaoling.evidence import Observation, Store, read_expiry

SEEN = Observation("site", "360202001", "reachable", 4, True, 100.0, "fping", "vantage-noc", "x")


def at(time, **change):
    return dataclasses.replace(SEEN, time=time, **change)


def test_the_newer_replaces_the_older_and_never_the_other_way():
    store = Store()
    store.record([at(100.0), at(200.0, value=False), at(150.0)])
    assert store.all() == [at(200.0, value=False)]


def test_families_and_vantages_are_kept_apart():
    store = Store()
    store.record([SEEN, at(100.0, family=6), at(100.0, vantage="vantage-360202001")])
    assert len(store.all()) == 3


def test_a_restart_keeps_evidence_and_its_age(tmp_path):
    store = Store(tmp_path)
    store.record([SEEN])
    store.save()
    assert Store(tmp_path).all() == [SEEN]
    assert (tmp_path / "evidence.jsonl").stat().st_mode & 0o777 == 0o600


def test_damaged_lines_are_left_out_and_counted(tmp_path):
    store = Store(tmp_path)
    store.record([SEEN])
    store.save()
    with (tmp_path / "evidence.jsonl").open("a") as file:
        file.write('{"kind": "site", "subj\n[1]\n{"kind": 3}\n')
    again = Store(tmp_path)
    assert (again.all(), again.damaged) == ([SEEN], 3)


def test_its_size_is_bounded_and_the_oldest_go_first():
    store = Store(most=3)
    store.record([at(float(n), subject=str(n)) for n in range(10)])
    assert sorted(o.subject for o in store.all()) == ["7", "8", "9"]


def test_subjects_that_left_the_register_are_forgotten():
    store = Store()
    store.record([SEEN, at(1.0, subject="gone")])
    assert store.forget([("site", "360202001")]) == 1
    assert store.all() == [SEEN]


def test_expiry_is_data_and_refuses_nonsense(tmp_path):
    path = tmp_path / "methods.yaml"
    path.write_text("default: 60\nmethods: {curl: 5}\n")
    expiry = read_expiry(path)
    assert (expiry.seconds("curl"), expiry.seconds("other")) == (5, 60)
    path.write_text("default: 60\nmethods: {curl: soon}\n")
    with pytest.raises(ValueError, match=r"methods.yaml: curl: found 'soon', expected seconds"):
        read_expiry(path)
