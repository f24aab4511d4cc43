"""Rules across files, confirmations, and the generated schema: exact texts."""

import datetime as dt
import json
import re
import shutil
import time
from pathlib import Path

import pytest

from gaoling.city import City, RegisterError, read_city
from gaoling.city.schema import generated

ROOT = Path(__file__).parents[2]
LAB = ROOT / "inventories" / "lab"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LAB, tmp_path / "lab"))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new, 1))


def faults(folder: Path) -> list[str]:
    with pytest.raises(RegisterError) as caught:
        read_city(folder)
    return [str(fault) for fault in caught.value.faults]


def confirm(folder: Path, *rows: str) -> None:
    (folder / "confirmations.csv").write_text(
        "table,id,field,value,by,on\n" + "".join(f"{row}\n" for row in rows)
    )


def test_a_device_has_a_site_and_a_management_address(copy: Path):
    replace(copy / "devices.csv", "core-1,core,frr,hub1,10.255.0.1", "core-1,core,frr,hub9,")
    assert faults(copy) == [
        "devices.csv:2: management（管理地址）: found '', expected an IPv4 address"
    ]
    replace(copy / "devices.csv", "hub9,", "hub9,10.255.0.1")
    assert faults(copy) == [
        "devices.csv:2: site（所在站点）: found 'hub9', expected a site of sites.csv"
    ]


def test_two_devices_never_share_a_management_address(copy: Path):
    replace(copy / "devices.csv", "hub2,10.255.0.2", "hub2,10.255.0.1")
    assert faults(copy) == [
        "devices.csv:3: management（管理地址）: found '10.255.0.1', "
        "expected an address of its own (core-1 has it)"
    ]


@pytest.mark.parametrize("written", ["2025-01-01", "2021年底"])
def test_a_deadline_lies_in_the_years_of_the_plan(copy: Path, written: str):
    replace(copy / "targets.csv", "percent,2024-12-31", f"percent,{written}")
    assert faults(copy) == [
        f"targets.csv:2: deadline（完成期限）: found '{written}', "
        "expected a day in the plan's years 2022 to 2024"
    ]


def test_what_is_asked_of_a_region_is_there(copy: Path):
    replace(copy / "city.yaml", "vcpus: 32", "vcpus: 8")
    assert faults(copy) == [
        "city.yaml: providers.capacity.vcpus（核数）: found 8 in region 'primary', "
        "expected at least 9, which systems.csv asks for"
    ]


def test_a_region_of_which_no_provider_speaks_is_not_judged(copy: Path):
    text = (copy / "city.yaml").read_text()
    (copy / "city.yaml").write_text(text[: text.index("providers:")])
    assert read_city(copy).settings.providers == ()


def test_a_provider_s_region_is_one_of_the_city(copy: Path):
    replace(copy / "city.yaml", "{region: dr, vcpus", "{region: mars, vcpus")
    assert faults(copy) == [
        "city.yaml: providers.0.capacity.1.region（云区域）: found 'mars', "
        "expected a region of city.yaml"
    ]


def test_two_sites_never_have_one_code(copy: Path):
    with (copy / "sites.csv").open("a") as file:
        file.write("360202001,又一个,township,town,360202,,,,,\n")
    assert faults(copy) == [
        "sites.csv:111: code（代码）: found '360202001', "
        "expected each code once (it is on line 40 too)"
    ]


def test_networks_that_overlap_are_refused(copy: Path):
    replace(copy / "sites.csv", "10.11.2.1/24", "10.11.1.129/25")
    assert faults(copy) == [
        "sites.csv:41: ipv4（IPv4网关）: found '10.11.1.129/25', "
        "expected a network of its own (360202001 overlaps it)"
    ]


def test_the_cloud_s_networks_overlap_nothing_either(copy: Path):
    replace(copy / "city.yaml", "10.65.0.0/16", "10.64.0.0/16")
    assert faults(copy) == [
        "city.yaml: regions.0.tenants_ipv4: found '10.64.0.0/16', "
        "expected a network of its own (region dr overlaps it)"
    ]


def test_a_confirmed_cell_says_who_and_when(copy: Path):
    confirm(copy, "systems,health,mlps,三级,张三,2026-11-01")
    city = read_city(copy)
    assert city.basis("systems", "health", "mlps") == "confirmed"
    said = city.confirmed("systems", "health", "mlps")
    assert said is not None
    assert (said.by, said.on) == ("张三", dt.date(2026, 11, 1))
    assert city.basis("systems", "e-license", "mlps") == "assumed"


def test_an_edit_ends_the_confirmation(copy: Path):
    confirm(copy, "systems,health,mlps,2,张三,2026-11-01")
    city = read_city(copy)
    assert city.basis("systems", "health", "mlps") == "assumed"
    assert [(c.id, c.value) for c in city.outdated] == [("health", "2")]


def test_a_later_confirmation_of_the_new_value_holds(copy: Path):
    confirm(copy, "systems,health,mlps,2,张三,2026-11-01",
            "systems,health,mlps,3,李四,2026-11-02")  # fmt: skip
    city = read_city(copy)
    assert city.basis("systems", "health", "mlps") == "confirmed"
    assert city.outdated == ()


def test_a_confirmation_of_nothing_is_a_fault(copy: Path):
    confirm(copy, "systems,mars,mlps,2,张三,2026-11-01", "systems,health,price,2,张三,2026-11-01",
            "moons,a,b,c,,yesterday")  # fmt: skip
    assert faults(copy)[0].startswith("confirmations.csv:4: by（确认人）: found '', expected some")
    confirm(copy, "systems,mars,mlps,2,张三,2026-11-01", "systems,health,price,2,张三,2026-11-01")
    assert faults(copy) == [
        "confirmations.csv:2: id（行标识）: found 'mars', expected a row of systems.csv",
        "confirmations.csv:3: field（字段）: found 'price', expected a column of systems.csv",
    ]


def test_the_wording_of_a_deadline_is_kept(copy: Path):
    replace(copy / "targets.csv", "percent,2024-12-31", "percent,2024年底")
    deadline = read_city(copy).targets[0].deadline
    assert deadline == dt.date(2024, 12, 31)
    assert getattr(deadline, "wording", None) == "2024年底"


def test_a_selection_of_systems_forgets_what_was_computed_before():
    city = read_city(LAB)
    assert "health" in city.system
    assert "health" not in city.with_systems(city.systems[:1]).system


def test_the_generated_schema_and_table_are_up_to_date():
    """Else: python -m gaoling.city.schema"""
    for name, text in generated().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, name


def test_every_field_of_every_table_has_a_chinese_title_and_is_in_the_schema():
    for name, text in generated().items():
        if name.endswith(".json"):
            for field, part in json.loads(text)["properties"].items():
                assert re.search(r"[\u4e00-\u9fff]|IP|RPO", part.get("title", "")), (name, field)


def large(folder: Path, systems: int, sites: int, devices: int) -> Path:
    """Write a city of that size."""
    shutil.copytree(LAB, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "addresses", ignore_errors=True)
    text = (folder / "city.yaml").read_text()
    (folder / "city.yaml").write_text(text[: text.index("providers:")])

    def have(table: str) -> int:
        return len((LAB / f"{table}.csv").read_text().splitlines()) - 1

    head, row = (folder / "systems.csv").read_text().splitlines()[:2]
    rest = row.partition(",")[2]
    (folder / "systems.csv").write_text(
        head + "\n" + "".join(f"s{n},{rest}\n" for n in range(systems))
    )
    with (folder / "sites.csv").open("a") as file:
        for n in range(sites - have("sites")):
            file.write(f"36020{n:07},村{n},village,village,360202001,,,,,\n")
    with (folder / "devices.csv").open("a") as file:
        for n in range(devices - have("devices")):
            file.write(
                f"d{n},village,frr,360202001,10.{200 + n // 65536}.{n // 256 % 256}.{n % 256}\n"
            )
    return folder


def test_a_large_city_is_checked_within_two_seconds(tmp_path: Path):
    folder = large(tmp_path / "large", 3000, 5000, 6000)
    begin = time.process_time()
    city = read_city(folder)
    seconds = time.process_time() - begin
    assert (len(city.systems), len(city.sites), len(city.devices)) == (3000, 5000, 6000)
    assert isinstance(city, City)
    assert seconds < 2
