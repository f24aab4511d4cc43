"""The country: 41,352 divisions of the statistics bureau and 15 villages in each."""

import csv
import gzip
import subprocess
import sys
import time
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from gaoling.addressing import PlanError, read_profile, write_lock
from gaoling.addressing.country import add, plan_country, remove
from gaoling.addressing.explain import explain
from gaoling.addressing.lock import Lock
from tests.addressing.samples import ROOT, TODAY, disjoint

TOWNSHIPS = Path(__file__).parent / "data" / "townships.csv.gz"


def townships() -> list[str]:
    with gzip.open(TOWNSHIPS, "rt", encoding="utf-8") as file:
        return [row["code"] for row in csv.DictReader(file)]


def with_villages(codes: list[str], count: int = 15) -> list[str]:
    return [c for code in codes for c in (code, *(f"{code}{201 + n}" for n in range(count)))]


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory):
    """The whole country, planned and written; with the seconds that it took."""
    begin = time.process_time()
    codes = with_villages(townships())
    book = plan_country(codes, today=TODAY)
    folder = tmp_path_factory.mktemp("country")
    write_lock(folder, book)
    return codes, book, folder, time.process_time() - begin


def test_the_whole_country_has_a_plan_in_time(country):
    codes, book, _, seconds = country
    assert len(codes) == 41352 * 16
    assert seconds < 10
    assert sum(1 for _ in book) == len(codes) + 31 + 342 + 2978


def test_it_takes_less_than_a_gibibyte():
    code = (
        "import resource\n"
        "from tests.addressing.test_country import *\n"
        "plan_country(with_villages(townships()), today=TODAY)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert int(done.stdout) < 1 << 20  # KiB


def test_no_two_townships_and_no_two_villages_overlap(country):
    book = country[1]
    for kind in ("township", "village", "county"):
        assert disjoint(
            packed for group in book.groups() for key, packed in book.given(group).items()
            if key.startswith(f"{kind}/")
        )  # fmt: skip


def test_a_village_lies_in_its_township_its_county_its_city_and_its_province(country):
    book = country[1]
    found = explain(book, read_profile("national"), book["360202/village/360202001203"][9])
    assert found is not None
    assert [step.name for step in found.steps] == [
        "36", "3602", "360202", "360202001", "360202001203", ""
    ]  # fmt: skip
    assert found.use == "lan"


def test_one_site_is_added_within_a_second_and_touches_one_county(country):
    folder = country[2]
    begin = time.perf_counter()
    changed = add(folder, ["360202001216"])
    seconds = time.perf_counter() - begin
    assert changed == ["360202.txt", "index.txt"]
    assert seconds < 1
    assert remove(folder, ["360202001216"], TODAY) == ["360202.txt", "index.txt"]


def test_nothing_moves_when_a_site_is_added(country):
    _, book, folder, _ = country
    add(folder, ["360202001217", "360202999"])
    lock = Lock(folder)
    assert book.given("360202").items() <= lock.given("360202").items()
    assert disjoint(v for k, v in lock.given("360202").items() if k.startswith("village"))


def test_the_order_of_rows_does_not_matter():
    codes = with_villages(townships()[:300])
    assert dict(plan_country(reversed(codes))) == dict(plan_country(codes))


def test_a_32_does_not_hold_the_country():
    with pytest.raises(PlanError) as caught:
        plan_country(townships(), root=IPv6Network("2001:db8::/32"))
    assert str(caught.value) == (
        "level province（省级） runs out at once: /28 does not fit in 2001:db8::/32"
    )


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (["3.6E+08"], "code: found '3.6E+08', expected 9 digits (乡级) or 12 (村级)"),
        (["360202001"] * 2, "code: found '360202001' twice, expected each code once"),
        (
            ["360202001201"],
            "code: found village '360202001201', expected its township '360202001' too",
        ),
        (
            with_villages(["360202001"], 256),
            "level village（村（社区）） runs out now, at village '360202001456': "
            "3fff:0:8::/52 has room for 256 of /60 (1 reserved by the profile), 256 are asked for",
        ),
    ],
)
def test_bad_codes_are_refused_by_name(codes: list[str], message: str):
    with pytest.raises(PlanError) as caught:
        plan_country(codes)
    assert str(caught.value) == message


def test_removing_what_is_not_there_is_refused(country):
    with pytest.raises(PlanError, match="code: found '990000000', expected one that the lock"):
        remove(country[2], ["990000000"])
