"""What capacity reads and writes: capacity.yaml, the history, the order, the command."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from gaoling.city import RegisterError, read_city
from gaoling.cloud.capacity import Host, Inventory, Observed
from gaoling.cloud.capacity_history import file_of, read, record
from gaoling.cloud.capacity_settings import Planning, read_planning

ROOT = Path(__file__).resolve().parents[2]
TODAY = dt.date(2026, 11, 25)
SEEN = Observed("primary", (Host("a", {"vcpus": Inventory(64, used=7)}),))


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(ROOT / "inventories" / "lab", tmp_path / "lab"))


# ---------------------------------------------------------------------- capacity.yaml
def test_a_city_without_the_file_has_the_documented_defaults(folder):
    (folder / "capacity.yaml").unlink()
    planning = read_planning(read_city(folder))
    assert planning == Planning()
    assert (planning.headroom, planning.least_days, planning.horizon_days) == (0.2, 14, 365)
    assert planning.basis == "assumed"


def test_a_file_that_somebody_confirmed_is_not_assumed(folder):
    path = folder / "capacity.yaml"
    path.write_text(path.read_text() + "confirmed_by: 王某\nconfirmed_on: 2026-01-05\n")
    assert read_planning(read_city(folder)).basis == "confirmed"


FAULTS = {
    "headroom: 1.5": ["headroom（余量比例）: found 1.5, expected less than 1"],
    "spare: 3": ["spare: found 3, expected no such field"],
    "kinds: [{id: big, name: 大, vcpus: 8}]": [
        "kinds.0: found {'id': 'big', 'name': '大', 'vcpus': 8}, expected a compute kind (vcpus "
        "and memory_gb) or a storage kind (volume_gb)"
    ],
    "hosts: [{name: a, region: mars, kind: huge}]": [
        "hosts.0.kind（机型）: found huge, expected a kind of this file",
        "hosts.0.region（云区域）: found mars, expected one of primary, dr",
    ],
    "kinds: [{id: aa, name: 甲, volume_gb: 8}, {id: aa, name: 乙, volume_gb: 9}]": [
        "kinds.id（机型标识）: found aa, expected each id once"
    ],
}


@pytest.mark.parametrize("text", FAULTS)
def test_every_fault_of_the_file_is_named(folder, text):
    (folder / "capacity.yaml").write_text(text + "\n")
    with pytest.raises(RegisterError) as raised:
        read_planning(read_city(folder))
    assert str(raised.value).splitlines() == [f"capacity.yaml: {line}" for line in FAULTS[text]]


def test_what_is_no_yaml_is_named_with_its_line(folder):
    (folder / "capacity.yaml").write_text("headroom: [\n")
    with pytest.raises(RegisterError) as raised:
        read_planning(read_city(folder))
    assert str(raised.value) == "capacity.yaml:2: file: found not YAML, expected YAML in UTF-8"


# ---------------------------------------------------------------------- history
def test_a_day_is_kept_once(tmp_path):
    path = file_of(tmp_path, "lab")
    assert record(path, "lab", TODAY, SEEN)
    assert not record(path, "lab", TODAY, SEEN)
    assert record(path, "lab", TODAY + dt.timedelta(1), SEEN)
    assert read(path, "lab").of("primary", "vcpus") == {TODAY: 7, TODAY + dt.timedelta(1): 7}
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_declared_or_seen_in_part_is_no_sample(tmp_path):
    path = file_of(tmp_path, "lab")
    assert not record(path, "lab", TODAY, Observed("primary", SEEN.hosts, measured=False))
    assert not record(path, "lab", TODAY, Observed("primary", SEEN.hosts, wrong=("cinder",)))
    assert not path.exists()


def test_another_citys_samples_are_not_ours(tmp_path):
    path = file_of(tmp_path, "lab")
    record(path, "elsewhere", TODAY, SEEN)
    assert read(path, "lab").used == {}
    assert record(path, "lab", TODAY, SEEN)


def test_half_a_line_of_a_writer_that_was_killed_costs_that_line_only(tmp_path):
    path = file_of(tmp_path, "lab")
    record(path, "lab", TODAY, SEEN)
    path.write_bytes(path.read_bytes() + b'{"city": "lab", "reg')
    record(path, "lab", TODAY + dt.timedelta(1), SEEN)
    found = read(path, "lab")
    assert (len(found.of("primary", "vcpus")), found.damaged) == (2, 1)


DAMAGE = ["x", "[]", "3", '{"city": "lab"}', '{"city":"lab","region":"primary","day":"2026-13-01",'
          '"used":{}}', '{"city":"lab","region":"primary","day":"2026-11-01","used":{"vcpus":-1}}',
          '{"city":"lab","region":"primary","day":"2026-11-01","used":{"vcpus":NaN}}',
          '{"city":"lab","region":"primary","day":"2026-11-01","used":{"vcpus":"7"}}',
          '{"city":"lab","region":"primary","day":"2026-11-01","used":[]}',
          '{"city":"lab","region":"primary","day":7,"used":{}}']  # fmt: skip


@pytest.mark.parametrize("line", DAMAGE)
def test_a_damaged_line_is_counted_and_passed_over(tmp_path, line):
    path = tmp_path / "h.jsonl"
    record(path, "lab", TODAY, SEEN)
    path.write_text(line + "\n" + path.read_text())
    found = read(path, "lab")
    assert (found.of("primary", "vcpus"), found.damaged) == ({TODAY: 7}, 1)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("history") / "h.jsonl"
    path.write_bytes(junk)
    record(path, "lab", TODAY, SEEN)
    assert read(path, "lab").of("primary", "vcpus") == {TODAY: 7}


def test_the_newest_400_days_are_looked_at(tmp_path):
    path = tmp_path / "h.jsonl"
    lines = [
        {"city": "lab", "region": "primary", "day": str(TODAY - dt.timedelta(n)),
         "used": {"vcpus": n}} for n in range(500)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    days = read(path, "lab").of("primary", "vcpus")
    assert (len(days), min(days), max(days)) == (400, TODAY - dt.timedelta(399), TODAY)


# ---------------------------------------------------------------------- the command
def gaoling(*arguments, city="lab", **env):
    return subprocess.run(
        [Path(sys.executable).parent / "gaoling", "--city", str(city), "capacity", *arguments],
        env={**os.environ, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_offline_the_real_city_fits_and_says_what_it_does_not_know():
    done = gaoling("--offline", city="jingdezhen")
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("主数据中心 primary 容量", "切换预留", "（假定）", "无数据", "N+1 未计",
                  "dr：容量够用，目前不需要下单"):  # fmt: skip
        assert words in done.stdout


def test_offline_the_lab_has_to_order_storage_and_the_order_is_written(tmp_path):
    rows = {}
    for name in ("order.csv", "order.xlsx"):
        done = gaoling("--offline", "--region", "primary", "--as-of", "2026-11-25", "--order",
                       str(tmp_path / name))  # fmt: skip
        assert done.returncode == 3, done.stdout + done.stderr
    with (tmp_path / "order.csv").open(encoding="utf-8-sig") as file:
        rows["csv"] = list(csv.reader(file))
    sheet = load_workbook(tmp_path / "order.xlsx").active
    rows["xlsx"] = [[c or "" for c in row] for row in sheet.iter_rows(values_only=True)]
    assert rows["csv"] == rows["xlsx"]
    assert rows["csv"][1:] == [
        ["primary", "lab-shelf", "实验存储", "1", "2026-11-25", "2026-10-26", "是",
         "云盘（GiB）", "假定"],
    ]  # fmt: skip


def test_json_is_one_object_and_nothing_else():
    told = json.loads(gaoling("--offline", "--json").stdout)
    assert [r["region"] for r in told["regions"]] == ["primary", "dr"]
    dr = {r["resource"]: r for r in told["regions"][1]["resources"]}
    assert (dr["vcpus"]["failover"], dr["vcpus"]["pending"], dr["vcpus"]["used"]) == (6, 1, None)
    assert told["regions"][1]["planned"][0]["system"] == "city-brain"


BAD = {
    ("--region", "mars"): "gaoling: --region: found 'mars', expected one of primary, dr\n",
    ("--as-of", "soon"): "gaoling: --as-of: found 'soon', expected a day as YYYY-MM-DD\n",
    ("--order", "order.pdf"): "gaoling: --order: found 'order.pdf', expected a name that ends with "
    ".csv or .xlsx\n",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_named_and_ends_with_2(arguments):
    done = gaoling("--json", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", BAD[arguments])


def test_a_day_that_has_passed_cannot_be_asked_of_the_cloud_of_today():
    done = gaoling("--as-of", "2020-01-01")
    assert done.returncode == 2
    assert "--as-of: found 2020-01-01, expected " in done.stderr


def test_a_cloud_that_cannot_be_asked_ends_with_1(tmp_path):
    done = gaoling("--json", GAOLING_ACCESS=str(tmp_path), GAOLING_STATE=str(tmp_path / "state"))
    assert done.returncode == 1
    missing = f"{tmp_path}/cloud/clouds.yaml is not there: expected an administrator's access"
    told = json.loads(done.stdout)
    assert told["regions"] == []
    assert told["wrong"] == [f"primary: {missing}", f"dr: {missing}"]


def test_an_api_that_does_not_answer_ends_with_1_and_names_the_region(tmp_path):
    (tmp_path / "cloud").mkdir()
    entry = {"auth": {"auth_url": "http://127.0.0.1:9/v3", "username": "x", "password": "x",
                      "project_name": "x"}, "region_name": "primary"}  # fmt: skip
    clouds = tmp_path / "cloud" / "clouds.yaml"
    clouds.write_text(json.dumps({"clouds": {"primary": entry}}))
    done = gaoling("--json", "--region", "primary", GAOLING_ACCESS=str(tmp_path),
                   GAOLING_STATE=str(tmp_path / "state"))  # fmt: skip
    assert done.returncode == 1
    (wrong,) = json.loads(done.stdout)["wrong"]
    assert wrong.startswith("primary: identity: ")
    assert not (tmp_path / "state" / "capacity").exists()
