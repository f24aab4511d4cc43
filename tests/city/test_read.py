"""The register is read whole or refused whole, with every fault at its place."""

import csv
import datetime as dt
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaoling.city import City, RegisterError, read_city
from gaoling.city.values import code, date, mlps_class, yes_no

INVENTORIES = Path(__file__).parents[2] / "inventories"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(INVENTORIES / "lab", tmp_path / "lab"))


def edit(folder: Path, table: str, **changes: dict[str, str]) -> None:
    """Change cells: edit(folder, "systems", health={"mlps": "9"})."""
    path = folder / f"{table}.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    key = next(iter(rows[0]))
    for row in rows:
        row.update(changes.get(row[key].replace("-", "_"), {}))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def faults(folder: Path) -> list[str]:
    with pytest.raises(RegisterError) as caught:
        read_city(folder)
    return [str(fault) for fault in caught.value.faults]


def real() -> City:
    return read_city(INVENTORIES / "jingdezhen")


def test_the_real_register_holds_what_the_plan_names():
    city = real()
    kinds = Counter(site.kind for site in city.sites)
    assert (len(city.systems), len(city.departments), len(city.targets)) == (81, 28, 32)
    assert kinds["county"] == 4
    assert sum(kinds[k] for k in ("subdistrict", "town", "township", "unit")) == 59
    assert Counter(s.tier for s in city.systems) == {
        "municipal": 71, "provincial": 7, "provincial_branch": 3
    }  # fmt: skip


def test_the_real_register_claims_nothing_about_devices():
    assert real().devices == ()
    assert real().links == ()


def test_what_the_plan_does_not_state_is_assumed():
    city = real()
    assert city.basis("systems", "health", "name") == "stated"
    assert city.basis("systems", "health", "department") == "assumed"
    assert city.basis("sites", "360202001", "ipv4") == "assumed"


def test_the_lab_leaves_room_on_both_sides_of_every_rate():
    city = read_city(INVENTORIES / "lab")
    counted = [s for s in city.systems if s.counted]
    assert len([s for s in counted if not s.has_landing_zone]) >= 2
    assert len([s for s in city.systems if s.classified]) == 1
    villages = [s for s in city.sites if s.kind == "village"]
    assert {bool(v.device) for v in villages} == {True, False}


def test_the_denominator_of_cloud_adoption():
    city = read_city(INVENTORIES / "lab")
    out = {s.id for s in city.systems if not s.counted}
    assert out == {"e-document", "finance", "city-brain"}  # classified, provincial, planned


def test_every_fault_is_reported_at_once_with_its_place(copy: Path):
    edit(copy, "systems", health={"mlps": "九级", "state": "gone"}, e_license={"servers": "two"})
    edit(copy, "sites", **{"360202001": {"ipv4": "10.11.1"}})
    assert faults(copy) == [
        "sites.csv:40: ipv4（IPv4网关）: found '10.11.1', "
        "expected an IPv4 address with its prefix length (192.0.2.1/24)",
        "systems.csv:2: servers（服务器数）: found 'two', expected a whole number",
        "systems.csv:8: mlps（等保级别）: found '九级', "
        "expected an MLPS class 1 to 5 (一级 to 五级)",
        "systems.csv:8: state（状态）: found 'gone', "
        "expected one of planned, building, live, retired",
    ]


def test_a_missing_column_is_named(copy: Path):
    text = (copy / "departments.csv").read_text().replace("id,name", "id,title")
    (copy / "departments.csv").write_text(text)
    assert faults(copy) == [
        "departments.csv:1: name（部门名称）: found no such column, expected the column",
        "departments.csv:1: title: found an unknown column, expected one of id, name",
    ]


def test_a_duplicate_id_names_the_other_line(copy: Path):
    with (copy / "departments.csv").open("a") as file:
        file.write("police,又一个公安局\n")
    assert faults(copy) == [
        "departments.csv:30: id（部门标识）: found 'police', "
        "expected each id once (it is on line 6 too)"
    ]


def test_an_unknown_county_is_named(copy: Path):
    edit(copy, "sites", **{"360202001": {"parent": "360299"}})
    assert faults(copy) == [
        "sites.csv:40: parent（上级代码）: found '360299', "
        "expected the code of a county of sites.csv"
    ]


def test_a_class_three_system_needs_a_recovery_policy(copy: Path):
    edit(copy, "systems", health={"recovery": "none"})
    assert faults(copy) == [
        "systems.csv:8: recovery（灾备策略）: found 'none', "
        "expected a policy with a region: its MLPS class is 3 or above"
    ]


def test_a_link_has_two_ends_in_one_subnet_on_free_interfaces(copy: Path):
    path = copy / "links.csv"
    rows = path.read_text().splitlines()
    rows.append("core-1,ge0,nowhere,ge0,10.9.9.0/31,10.9.8.1/31,ospf,0")
    path.write_text("\n".join(rows) + "\n")
    assert faults(copy) == [
        "links.csv:133: a_interface（甲端接口）: found 'ge0', "
        "expected an interface of core-1 that nothing else uses",
        "links.csv:133: b_device（乙端设备）: found 'nowhere', expected a device of devices.csv",
        "links.csv:133: b_ipv4（乙端IPv4）: found '10.9.8.1/31', "
        "expected an address in 10.9.9.0/31",
    ]


def test_a_broken_yaml_is_placed(copy: Path):
    (copy / "city.yaml").write_text("id: lab\nname: [\n")
    assert faults(copy)[0].startswith("city.yaml:3: file: found ")


def test_a_missing_file_is_named(copy: Path):
    (copy / "links.csv").unlink()
    assert faults(copy) == ["links.csv: file: found nothing, expected a CSV table"]


def test_chinese_headers_are_the_same_table(copy: Path):
    path = copy / "departments.csv"
    path.write_text(path.read_text().replace("id,name", "部门标识,部门名称"))
    assert len(read_city(copy).departments) == 28


@pytest.mark.parametrize("written", ["三级", "第三级", "3", 3, "３级"])
def test_a_class_is_one_value_however_written(written: object):
    assert mlps_class(written) == 3


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2024年底", dt.date(2024, 12, 31)),
        ("2024年6月", dt.date(2024, 6, 30)),
        ("2024-02-29", dt.date(2024, 2, 29)),
        ("", None),
    ],
)
def test_a_deadline_is_the_end_of_what_was_written(written: str, day: dt.date | None):
    assert date(written) == day


@pytest.mark.parametrize("written", ["3.6E+08", 3.6e8])
def test_a_code_that_a_spreadsheet_ruined_is_refused(written: object):
    with pytest.raises(ValueError, match="a spreadsheet turned it into a number"):
        code(written)


@given(st.sampled_from(["是", "否", "yes", "no", "ＹＥＳ", " 是 "]))
def test_yes_and_no_in_any_width(written: str):
    assert yes_no(written) is (written.strip() in ("是", "yes", "ＹＥＳ"))
