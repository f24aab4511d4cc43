"""The bill: exact sums, nothing invented."""

from __future__ import annotations

import csv
import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from typer.testing import CliRunner

from gaoling.city import read_city
from gaoling.cloud import bill, samples
from gaoling.cloud.metering import (
    MAX_GAP,
    Account,
    Month,
    Project,
    Sample,
    Thing,
    Usage,
    add_samples,
    clip,
)
from gaoling.cloud.prices import CHINA, PriceList, Version
from gaoling.cloud.samples import Journal, MeteringError

ROOT = Path(__file__).resolve().parents[2]
CITY = read_city(ROOT / "inventories/lab")
NOV = Month(2026, 11)
HOUR = 3600


# ---------------------------------------------------------------------------- months
def test_a_month_begins_and_ends_at_midnight_in_shanghai():
    assert dt.datetime.fromtimestamp(NOV.start, dt.UTC).isoformat() == "2026-10-31T16:00:00+00:00"
    assert dt.datetime.fromtimestamp(NOV.end, dt.UTC).isoformat() == "2026-11-30T16:00:00+00:00"
    assert Month(2024, 2).hours == 29 * 24
    for wrong in ("2026-13", "2026-1", "26-01", "２026-01", ""):
        with pytest.raises(ValueError, match="expected a month as 2026-11"):
            Month.parse(wrong)


@given(st.integers(2000, 2099), st.integers(1, 12))
def test_months_follow_each_other_without_gap_or_overlap(year, month):
    after = Month(year + month // 12, month % 12 + 1)
    assert Month(year, month).end == after.start
    assert Month.at(after.start - 1) == Month(year, month)


# ---------------------------------------------------------------------------- spans
instants = st.integers(NOV.start - 40 * 86400, NOV.end + 40 * 86400)
ITEMS = ["vcpu", "memory", "disk", "volume/ssd", "volume/", "object", "floating_ip"]
PROJECTS = {
    "p1": Project("p1", "lab-health", "health", "health-commission"),
    "p2": Project("p2", "lab-open-data", "open-data", "data-bureau"),
    "p3": Project("p3", "lab-e-license", "e-license", "data-bureau"),
    "p4": Project("p4", "admin"),
}


@st.composite
def usages(draw):
    a, b = sorted((draw(instants), draw(instants)))
    return Usage(draw(st.sampled_from(["primary", "dr"])), draw(st.sampled_from([*PROJECTS, "p9"])),
                 draw(st.sampled_from(ITEMS)), draw(st.text("ab", max_size=2)),
                 draw(st.integers(1, 10**6)), a, b)  # fmt: skip


@given(st.lists(usages()), instants, instants, instants)
def test_what_is_clipped_lies_inside_and_two_parts_are_the_whole(spans, a, b, c):
    a, b, c = sorted((a, b, c))
    whole, left, right = (list(clip(spans, x, y)) for x, y in ((a, c), (a, b), (b, c)))
    assert all(a <= u.start < u.end <= c for u in whole)
    total = sum((u.unit_hours for u in whole), Fraction())
    assert total == sum((u.unit_hours for u in left + right), Fraction())
    assert list(clip(whole, a, c)) == whole


FILE_PRICES = PriceList("prices.yaml", (
    Version(dt.date(2020, 1, 1), dt.date(2026, 11, 15), False, "合同", {
        "vcpu": Decimal("0.06"), "memory": Decimal("0.031"), "disk": Decimal("0.3"),
        "volume/default": Decimal("0.35"), "volume/ssd": Decimal("1.2"),
        "object": Decimal("0.12"), "floating_ip": Decimal("0.02")}),
    Version(dt.date(2026, 11, 16), None, True, "", {
        "vcpu": Decimal("0.05"), "memory": Decimal("0.03"), "disk": Decimal("0.25"),
        "volume/default": Decimal("0.3"), "object": Decimal("0"),
        "floating_ip": Decimal("0.000001")}),
))  # fmt: skip


def made(spans, start=NOV.start, end=NOV.end):
    account = Account(start, end, list(clip(spans, start, end)), projects=PROJECTS)
    return bill.make(NOV, account, FILE_PRICES, end)


@settings(deadline=None)
@given(st.lists(usages()))
def test_departments_and_lines_sum_to_the_total_exactly(spans):
    found = made(spans)
    by_department = found.departments()
    assert sum(sum(kinds.values()) for kinds in by_department.values()) == found.fen
    header, rows = bill.summary(CITY, found)
    assert sum((r[-1] for r in rows[:-1]), Decimal()) == rows[-1][-1] == bill.yuan(found.fen)
    for column in range(2, len(header)):
        assert sum((r[column] for r in rows[:-1]), Decimal()) == rows[-1][column]
    assert sum((Decimal(x["amount"]) for x in bill.as_json(CITY, found)["lines"]), Decimal()) == \
        bill.yuan(found.fen)  # fmt: skip


@settings(deadline=None)
@given(st.lists(usages()), st.integers(NOV.start, NOV.end))
def test_a_month_in_two_periods_sums_to_the_whole(spans, cut):
    whole, left, right = made(spans), made(spans, end=cut), made(spans, start=cut)
    assert sum(x.exact for x in whole.lines) == sum(x.exact for x in left.lines + right.lines)
    parts = len(left.lines) + len(right.lines)
    assert abs(whole.fen - left.fen - right.fen) * 2 <= len(whole.lines) + parts


def test_a_line_is_rounded_half_to_even():
    for fen, hours in ((2, 25), (2, 15), (4, 35)):  # 0.025, 0.015, 0.035 yuan at 0.001 a unit
        prices = PriceList("p", (Version(dt.date(2026, 1, 1), None, False, "", {
            "vcpu": Decimal("0.001")}),))  # fmt: skip
        span = Usage("primary", "p1", "vcpu", "s", 1, NOV.start, NOV.start + hours * HOUR)
        found = bill.make(NOV, Account(NOV.start, NOV.end, [span]), prices, NOV.end)
        assert found.fen == fen


def test_a_whole_month_costs_the_monthly_price_and_versions_change_at_midnight():
    def cost(item, amount, start, end):
        return made([Usage("primary", "p1", item, "x", amount, start, end)])

    middle = int(dt.datetime(2026, 11, 16, tzinfo=CHINA).timestamp())
    found = cost("volume/ssd", 10, NOV.start, NOV.end)
    assert [(x.price, x.assumed, x.first, x.last) for x in found.lines] == [
        (Decimal("1.2"), False, NOV.start, middle), (Decimal("0.3"), True, middle, NOV.end),
    ]  # fmt: skip
    assert bill.yuan(found.fen) == Decimal("7.50")  # half a month each of 12 and 3 yuan
    assert bill.yuan(cost("vcpu", 2, NOV.start, NOV.start + 100 * HOUR).fen) == Decimal("12.00")
    assert bill.yuan(cost("memory", 512, NOV.start, NOV.start + 1000).fen) == Decimal("0.00")


# ---------------------------------------------------------------------------- samples
def account(*found, start=NOV.start, end=NOV.end):
    made = Account(start, end)
    add_samples(made, "primary", found)
    return made


def at(hours, *things, objects=None, missed=None):
    return Sample(NOV.start + hours * HOUR, "primary", (), things, objects or {}, missed or {})


def volume(amount=10, created=-24, project="p1", item="volume/ssd", identity="v1"):
    return Thing(identity, project, item, amount, NOV.start + created * HOUR)


def spans(found):
    return [(u.resource, u.amount, (u.start - NOV.start) // HOUR, (u.end - NOV.start) // HOUR)
            for u in found]  # fmt: skip


def test_a_volume_counts_from_its_making_to_the_last_sample_that_saw_it():
    found = account(at(10, volume(created=4)), at(30, volume(created=4)), at(31))
    assert spans(found.usage) == [("v1", 10, 4, 10), ("v1", 10, 10, 30)]
    gone = [u for u in found.unrecorded if u.item == "volume/ssd"]
    assert spans([Usage("", "", u.item, u.resource, u.most, u.start, u.end) for u in gone]) == [
        ("v1", 10, 30, 31)
    ]
    assert [u.because for u in gone] == ["it went between two samples"]


def test_a_volume_that_grew_counts_as_the_smaller_until_the_larger_was_seen():
    found = account(at(10, volume(10)), at(12, volume(30)), at(13, volume(30)))
    assert spans(found.usage) == [("v1", 10, 0, 10), ("v1", 10, 10, 12), ("v1", 30, 12, 13)]
    assert [(u.most, u.because) for u in found.unrecorded if u.item != "samples"] == [
        (20, "it changed size between two samples")
    ]


def test_a_volume_that_changed_hands_is_charged_to_nobody_in_between():
    found = account(at(10, volume()), at(12, volume(project="p2")))
    assert [(u.project, u.end - u.start) for u in found.usage] == [("p1", 10 * HOUR)]
    assert [u.because for u in found.unrecorded if u.item != "samples"] == [
        "it changed project or type between two samples"
    ]


def test_bytes_count_between_close_samples_and_never_else():
    some = {"p1": 1 << 30}
    found = account(at(1, objects=some), at(3, objects=some), at(9, objects=some), at(10))
    assert [(u.project, u.amount, u.start - NOV.start, u.end - NOV.start) for u in found.usage] == [
        ("p1", 1 << 30, HOUR, 3 * HOUR), ("p1", 1 << 30, 9 * HOUR, 10 * HOUR),
    ]  # fmt: skip
    assert [(u.item, u.project, (u.start - NOV.start) // HOUR, (u.end - NOV.start) // HOUR)
            for u in found.unrecorded] == [
        ("object", "p1", 3, 9), ("samples", "", 0, 1), ("samples", "", 3, 9),
        ("samples", "", 10, 720),
    ]  # fmt: skip
    assert found.covered("primary") == 3 * HOUR
    unread = account(at(1, missed={"p1": "HTTP 503"}), at(2, objects=some))
    assert [u.because for u in unread.unrecorded if u.project == "p1"] == ["HTTP 503"]
    assert unread.usage == []


def test_without_a_sample_nothing_is_covered():
    found = account()
    assert (found.usage, found.covered("primary"), found.samples) == ([], 0, {"primary": 0})


@st.composite
def histories(draw):
    """Samples of a month, and beside it, with three volumes and a project's bytes."""
    moments = sorted(draw(st.sets(st.integers(-50, 800), max_size=8)))
    found = []
    for hour in moments:
        there = draw(st.sets(st.sampled_from(["v1", "v2", "v3"])))
        things = [volume(draw(st.integers(1, 5)), created=-100, identity=v) for v in sorted(there)]
        found.append(at(hour, *things, objects={"p1": draw(st.integers(0, 9))}))
    return found


@given(histories(), st.integers(0, 720))
def test_samples_of_two_periods_sum_to_those_of_the_month(history, cut):
    middle = NOV.start + cut * HOUR

    def total(*parts):
        return (sum((u.unit_hours for p in parts for u in p.usage), Fraction()),
                sum(u.end - u.start for p in parts for u in p.unrecorded),
                sum(p.covered("primary") for p in parts))  # fmt: skip

    halves = account(*history, end=middle), account(*history, start=middle)
    assert total(account(*history)) == total(*halves)


@given(histories())
def test_no_resource_is_charged_twice_for_one_hour_nor_while_it_is_unrecorded(history):
    found = account(*history)
    for thing in ("v1", "v2", "v3", ""):
        mine = sorted((u.start, u.end) for u in found.usage if u.resource == thing)
        assert all(a[1] <= b[0] for a, b in pairwise(mine))
    for start, end in [(u.start, u.end) for u in found.usage if u.item == "object"]:
        assert end - start <= MAX_GAP


# ---------------------------------------------------------------------------- the journal
def test_the_journal_gives_back_what_was_put_in_and_the_neighbours_of_a_month(tmp_path):
    journal = Journal(tmp_path / "metering" / "lab")
    moments = [-2000, -1000, -1, 0, 5, 720, 721, 2000]
    for hour in moments:
        journal.append([at(hour, volume(), objects={"p1": 3}, missed={"p2": "x"})])
    found = journal.around("primary", NOV.start, NOV.end)
    assert [(s.at - NOV.start) // HOUR for s in found] == [-1, 0, 5, 720, 721]
    assert found[1] == at(0, volume(), objects={"p1": 3}, missed={"p2": "x"})
    assert journal.around("dr", NOV.start, NOV.end) == []
    early = journal.around("primary", NOV.start - 1900 * HOUR, NOV.start - 1500 * HOUR)
    assert [(s.at - NOV.start) // HOUR for s in early] == [-2000, -1000]
    assert journal.warnings == []
    assert {p.stat().st_mode & 0o777 for p in journal.folder.iterdir()} == {0o600}


def test_a_changed_line_and_a_torn_line_are_told(tmp_path):
    journal = Journal(tmp_path)
    journal.append([at(1), at(2), at(3)])
    (path,) = tmp_path.iterdir()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0].replace('"missed": {}', '"missed": {"p": "q"}') + lines[1]
                    + lines[2][:40])  # fmt: skip
    journal.append([at(4)])
    found = journal.around("primary", NOV.start, NOV.end)
    assert [(s.at - NOV.start) // HOUR for s in found] == [1, 2, 4]
    assert [w.partition(": found ")[2][:30] for w in journal.warnings] == [
        "another hash of the line befor", "a damaged line, expected a sam",
    ]  # fmt: skip
    assert [w.partition(": found ")[0] for w in journal.warnings] == [f"{path}:2", f"{path}:3"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MeteringError, match=r"file.*expected a folder to keep samples in"):
        Journal(tmp_path / "file" / "lab").append([at(1)])


# ---------------------------------------------------------------------------- the cloud
class Answer(SimpleNamespace):
    status_code = 200

    def json(self):
        return self.page


def server(identity, started, ended=None, **about):
    return {"instance_id": identity, "tenant_id": "p1", "vcpus": 2, "memory_mb": 1024,
            "local_gb": 0, "started_at": started, "ended_at": ended, **about}  # fmt: skip


def test_nova_s_servers_are_read_page_by_page_and_clipped_in_utc():
    pages = [
        {"tenant_usages": [{"server_usages": [server("a", "2026-10-01T00:00:00.000000")]}],
         "tenant_usages_links": [
             {"rel": "next", "href": "http://x/os-simple-tenant-usage?limit=500&marker=a"}]},
        {"tenant_usages": [{"server_usages": [
            server("b", "2026-11-01T00:00:00.000000", "2026-11-01T06:00:00.000000"),
            server("never-ran", None)]}]},
    ]  # fmt: skip
    asked = []

    def get(path, params, microversion):
        asked.append((path, dict(params), microversion))
        return Answer(page=pages[len(asked) - 1])

    found = samples.servers(SimpleNamespace(compute=SimpleNamespace(get=get)), "primary",
                            NOV.start, NOV.end)  # fmt: skip
    assert [(u.resource, u.item, u.amount, u.end - u.start) for u in found] == [
        ("a", "vcpu", 2, 720 * HOUR), ("a", "memory", 1024, 720 * HOUR),
        ("b", "vcpu", 2, 6 * HOUR), ("b", "memory", 1024, 6 * HOUR),
    ]  # fmt: skip
    assert [a[1].get("marker") for a in asked] == [None, "a"]
    assert (asked[0][1]["start"], asked[0][1]["end"]) == (
        "2026-10-31T16:00:00", "2026-11-30T16:00:00",
    )  # fmt: skip


def test_a_region_that_cannot_be_asked_gives_no_bill():
    refused = SimpleNamespace(compute=SimpleNamespace(get=lambda *_, **__: Answer(status_code=403)))
    with pytest.raises(MeteringError) as caught:
        samples.servers(refused, "dr", NOV.start, NOV.end)
    assert str(caught.value) == (
        "dr: os-simple-tenant-usage: HTTP 403; no bill without it (it takes an administrator)"
    )
    with pytest.raises(MeteringError, match=r"^dr: AttributeError: .*; no bill without it$"):
        samples.take(SimpleNamespace(), "dr", NOV.start)


# ---------------------------------------------------------------------------- the files
def example():
    full = [Usage("primary", "p1", "vcpu", "s", 1, NOV.start, NOV.end),
            Usage("primary", "p4", "volume/", "v", 8, NOV.start, NOV.end),
            Usage("dr", "p9", "floating_ip", "f", 1, NOV.start, NOV.end)]  # fmt: skip
    end = NOV.start + 240 * HOUR
    found = Account(NOV.start, end, list(clip(full, NOV.start, end)), projects=PROJECTS)
    add_samples(found, "primary", [at(239), at(240)])
    return bill.make(NOV, found, FILE_PRICES, end)


def test_the_chargeback_of_a_part_of_a_month_as_csv_and_workbook(tmp_path):
    from gaoling.cli.cloud_bill import _write_csv, _write_xlsx

    found = example()
    _write_csv(tmp_path / "bill.csv", CITY, found)
    with (tmp_path / "bill.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["部门标识", "部门", "计算（vCPU）（元）", "内存（元）", "系统盘（元）", "云盘（元）",
         "对象存储（元）", "浮动IP（元）", "合计（元）"],
        ["health-commission", "市卫健委", "14.40", "0.00", "0.00", "0.00", "0.00", "0.00", "14.40"],
        ["", "未归属", "0.00", "0.00", "0.00", "0.93", "0.00", "4.80", "5.73"],
        ["", "合计", "14.40", "0.00", "0.00", "0.93", "0.00", "4.80", "20.13"],
    ]  # fmt: skip
    _write_xlsx(tmp_path / "bill.xlsx", CITY, found)
    book = load_workbook(tmp_path / "bill.xlsx")
    assert book.sheetnames == ["分摊汇总", "明细", "未记录", "说明"]
    total = book["分摊汇总"].cell(4, 9)
    assert (total.value, total.number_format, total.data_type) == (20.13, "#,##0.00", "n")
    lines = list(book["明细"].iter_rows(min_row=2, values_only=True))
    assert sum(Decimal(str(r[-1])) for r in lines) == Decimal("20.13")
    assert "p9（项目已删除，采样中没有）" in [r[4] for r in lines]
    notes = [r[0] for r in book["说明"].iter_rows(min_row=2, values_only=True)]
    assert "本月未完：只算到 2026-11-11 00:00:00，不是全月账单" in notes
    assert any(n.startswith("primary：采样 2 次，覆盖 1.0/240.0 小时") for n in notes)


def test_every_reason_is_told_in_chinese():
    found = account(
        at(1, volume(), volume(identity="v2"), objects={"p1": 1}),
        at(9, volume(item="volume/hdd"), volume(20, identity="v2")), at(10),
    )  # fmt: skip
    assert {u.because for u in found.unrecorded} == set(bill.REASONS)
    table = bill.unrecorded(bill.make(NOV, found, FILE_PRICES, NOV.end))
    assert {row[-1] for row in table[1]} == set(bill.REASONS.values())


def test_names_of_projects_never_become_formulas(tmp_path):
    from gaoling.cloud.bill_sheets import write

    about = {"p1": Project("p1", "=1+1", "=2", "=3")}
    span = Usage("primary", "p1", "vcpu", "s", 1, NOV.start, NOV.end)
    found = bill.make(NOV, Account(NOV.start, NOV.end, [span], projects=about), FILE_PRICES, 0)
    write(tmp_path / "x.xlsx", CITY, found)
    cells = [c for s in load_workbook(tmp_path / "x.xlsx") for row in s.iter_rows() for c in row]
    assert not [c for c in cells if c.data_type == "f"]


def test_json_has_money_as_text():
    found = json.loads(json.dumps(bill.as_json(CITY, example())))
    assert (found["total"], found["partial"], found["departments"][0]["total"]) == (
        "20.13", True, "14.40",
    )  # fmt: skip


# ---------------------------------------------------------------------------- the command
@pytest.mark.parametrize(
    ("month", "said"),
    [("2026-13", "found '2026-13', expected a month as 2026-11"),
     ("2999-01", "expected a month as 2026-11"),
     ("2098-01", "found 2098-01, expected a month that has begun")],
)  # fmt: skip
def test_a_month_that_is_none_ends_with_2(month, said):
    from gaoling.cli.main import app

    done = CliRunner().invoke(app, ["cloud", "bill", "--month", month], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in done.output
