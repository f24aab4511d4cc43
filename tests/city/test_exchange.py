"""The register in and out as spreadsheets: what departments really send, what is refused."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from typer.testing import CliRunner

from gaoling.city import read_city
from gaoling.city.intake import ShrinkError, propose
from gaoling.city.read import TABLES
from gaoling.city.sheets import SheetError, read_sheet
from gaoling.city.words import WORDS
from gaoling.cli.main import app

LAB = Path(__file__).parents[2] / "inventories" / "lab"
DATA = Path(__file__).parent / "data"
SENT = DATA / "libreoffice.xlsx"  # written by LibreOffice 7.4, see docs/register.md


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LAB, tmp_path / "lab"))


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    return Path(shutil.copy(SENT, tmp_path / "sent.xlsx"))


def run(city: Path, *arguments: str) -> Done:
    done = CliRunner().invoke(app, ["--city", str(city), "register", *arguments])
    assert not isinstance(done.exception, ValueError | KeyError | TypeError), done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def register(city: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in city.iterdir() if p.is_file()}


def book(path: Path, *rows: list[object], title: str = "Sheet") -> Path:
    workbook = Workbook()
    sheet = workbook.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    workbook.save(path)
    return path


HEAD = ["系统标识", "系统名称"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_out_and_in_again_loses_nothing(city: Path, tmp_path: Path, table: str, suffix: str):
    file = tmp_path / f"out.{suffix}"
    before = register(city)
    assert run(city, "export", str(file), "--table", table).returncode == 0
    done = run(city, "import", str(file), "--table", table, "--yes")
    assert (done.returncode, done.stdout) == (0, "0 changes; written: nothing\n")
    assert register(city) == before


def test_an_export_speaks_chinese_and_keeps_codes_as_text(city: Path, tmp_path: Path):
    run(city, "export", str(tmp_path / "out.xlsx"), "--table", "sites")
    sheet = load_workbook(tmp_path / "out.xlsx").active
    assert [c.value for c in sheet[1]][:4] == ["代码", "名称", "层级", "类别"]
    assert [c.value for c in sheet[40]][:4] == ["360202001", "西郊街道", "乡", "街道"]
    assert sheet["A40"].data_type == "s"


def test_what_libreoffice_wrote_is_read_as_it_was_meant(city: Path, sent: Path):
    """Title above the header, merged department, full-width id, 第三级, Excel date, 2024年底."""
    done = run(city, "import", str(sent), "--partial")
    assert done.stdout.splitlines() == [
        "~ health deadline（完成期限）: '2024-12-31' → '2024年底'",
        "1 changes; nothing written (--yes writes)",
    ]
    assert done.stderr.splitlines()[1:3] == [
        "拒绝 (refused) sent.xlsx[台账]:7: classified（是否涉密）: found '不知道', "
        "expected 是 or 否 (yes or no)",
        "未用列 (columns not used): 联系人",
    ]
    assert done.returncode == 1


def test_percentages_are_numbers_of_percent(city: Path, sent: Path):
    done = run(city, "import", str(sent), "--table", "targets", "--sheet", "目标", "--partial",
               "--yes")  # fmt: skip
    assert done.stdout.splitlines()[:3] == [
        "~ cloud-adoption deadline（完成期限）: '2024-12-31' → '2024年底'",
        "~ cloud-adoption value（目标值）: '80' → '85'",
        "~ e-license-use value（目标值）: '70' → '75'",
    ]
    target = read_city(city).targets[0]
    assert (target.value, target.ratio) == (85, 0.85)
    assert getattr(target.deadline, "wording", "") == "2024年底"


def test_a_code_that_a_spreadsheet_ruined_is_refused_and_a_whole_number_is_not(
    city: Path, sent: Path
):
    done = run(city, "import", str(sent), "--table", "sites", "--sheet", "接入点", "--partial")
    assert done.stdout.splitlines()[0] == (
        "~ 360202001 name（名称）: '西郊街道' → '西郊街道（改名）'"
    )
    assert "found '3.6E+08', expected a code as text (a spreadsheet turned it into a number)" in (
        done.stderr
    )


def test_refused_rows_come_back_with_the_reason_beside_them(city: Path, sent: Path):
    run(city, "import", str(sent), "--partial")
    rows = list(load_workbook(sent.with_name("sent.rejected.xlsx")).active.values)
    assert rows[0][-1] == "拒绝原因"
    assert rows[1][0] == "one-window"
    assert rows[1][2] == "市政数局"  # the merged cell, spelled out
    assert rows[1][-1] == "是否涉密: found '不知道', expected 是 or 否 (yes or no)"
    assert len(rows) == 2


def test_a_row_that_would_break_the_register_is_refused_and_the_rest_is_taken(
    city: Path, tmp_path: Path
):
    file = book(tmp_path / "in.xlsx", [*HEAD, "主管部门"], ["health", "新名", "市卫健委"],
                ["open-data", "开放", "市火星局"])  # fmt: skip
    done = run(city, "import", str(file), "--partial", "--yes")
    assert "found '市火星局', expected an id of a-z" in done.stderr
    names = {s.id: s.name for s in read_city(city).systems}
    assert (names["health"], names["open-data"]) == ("新名", "公共数据开放平台")


def test_a_row_that_breaks_a_rule_across_files_is_refused(city: Path, tmp_path: Path):
    file = book(tmp_path / "in.xlsx", ["系统标识", "灾备策略"], ["health", "不要求灾备"])
    done = run(city, "import", str(file), "--partial", "--yes")
    assert done.returncode == 1
    assert "expected a policy with a region: its MLPS class is 3 or above" in done.stderr
    assert done.stdout == "0 changes; written: nothing\n"


def test_nothing_is_written_without_yes(city: Path, tmp_path: Path):
    before = register(city)
    file = book(tmp_path / "in.xlsx", HEAD, ["health", "新名"])
    assert run(city, "import", str(file), "--partial").returncode == 0
    assert run(city, "diff", str(file), "--partial").returncode == 1
    assert register(city) == before


def rows_of(city: Path, table: str = "systems") -> list[list[str]]:
    with (city / f"{table}.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_a_system_that_disappears_is_proposed_as_retired(city: Path, tmp_path: Path):
    rows = rows_of(city)
    file = book(tmp_path / "in.xlsx", *rows[:-1])
    done = run(city, "import", str(file), "--force", "--yes")
    assert done.stdout.splitlines()[0] == "- city-brain retired"
    assert {s.id: s.state for s in read_city(city).systems}["city-brain"] == "retired"


def test_a_register_that_lost_more_than_five_percent_is_refused(city: Path, tmp_path: Path):
    before = register(city)
    file = book(tmp_path / "in.xlsx", *rows_of(city)[:-1])
    done = run(city, "import", str(file), "--yes")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, (
        "gaoling: in.xlsx[Sheet]: found 1 of 13 rows gone, expected at most 5% "
        "(--partial: it is not the whole table; --force: it is)"
    ))  # fmt: skip
    assert register(city) == before


def test_five_percent_exactly_is_taken(city: Path, tmp_path: Path):
    rows = rows_of(city, "sites")
    file = book(tmp_path / "in.xlsx", *[r for r in rows if r[0] not in ("360281452", "360281451")])
    sheet = read_sheet(file, TABLES["sites"])
    gone = [c.key for c in propose(read_city(city), "sites", sheet).changes]
    assert len(gone) <= 2
    few = book(tmp_path / "few.xlsx", *rows[:100])
    with pytest.raises(ShrinkError, match="found 10 of 109 rows gone"):
        propose(read_city(city), "sites", read_sheet(few, TABLES["sites"]))


def test_a_name_finds_its_row_where_the_id_is_left_out(city: Path, tmp_path: Path):
    file = book(tmp_path / "in.xlsx", ["系统名称", "等保级别"], ["公共数据开放平台", "三级"],
                ["没有的系统", "二级"])  # fmt: skip
    done = run(city, "import", str(file), "--partial")
    assert "found '', expected an id of a-z" in done.stderr
    assert "found 'none', expected a policy with a region" in done.stderr


def test_one_row_twice_is_refused(city: Path, tmp_path: Path):
    file = book(tmp_path / "in.xlsx", HEAD, ["health", "一"], ["health", "二"])
    assert "found 'health', expected each once (it is on line 2 too)" in (
        run(city, "import", str(file), "--partial").stderr
    )


def big(path: Path) -> Path:
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()
    sheet.append(HEAD)
    for n in range(100_000):
        sheet.append([f"s{n}", "x"])
    workbook.save(path)
    return path


def formula(path: Path) -> Path:
    return book(path, HEAD, ["health", "=1+1"])


def truncated(path: Path) -> Path:
    path.write_bytes(SENT.read_bytes()[:4000])
    return path


def password(path: Path) -> Path:
    return Path(shutil.copy(DATA / "password.xlsx", path))


def wrong_sheet(path: Path) -> Path:
    return book(path, ["苹果", "梨"], [1, 2], title="水果")


def not_a_spreadsheet(path: Path) -> Path:
    path.write_bytes(b"PK\x03\x04" + b"\x00" * 400)
    return path


def error_cell(path: Path) -> Path:
    workbook = Workbook()
    sheet = workbook.active
    sheet.append(HEAD)
    sheet["A2"] = "#REF!"
    workbook.save(path)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (big, "in.xlsx: found 100001 rows, expected at most 20000"),
        (formula, "in.xlsx[Sheet]!B2: found a formula, expected a value (paste as values)"),
        (error_cell, "in.xlsx[Sheet]!A2: found #REF!, expected a value"),
        (truncated, "in.xlsx: found a damaged or truncated file, expected an .xlsx"),
        (not_a_spreadsheet, "in.xlsx: found a damaged or truncated file, expected an .xlsx"),
        (password, "in.xlsx: found a file with a password, or an old .xls, expected an .xlsx "
         "without a password"),
        (wrong_sheet, "in.xlsx: found no header in 水果, expected columns such as 系统标识"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_a_bad_file_is_answered_clearly_and_nothing_is_written(
    city: Path, tmp_path: Path, make, message: str
):
    before = register(city)
    file = make(tmp_path / "in.xlsx")
    done = run(city, "import", str(file), "--yes", "--force")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"gaoling: {message}")
    assert register(city) == before
    assert not (tmp_path / "in.rejected.xlsx").exists()


def test_a_sheet_that_is_not_there_is_named(city: Path, sent: Path):
    done = run(city, "import", str(sent), "--sheet", "月球")
    assert done.stderr.splitlines()[-1] == (
        "gaoling: sent.xlsx: found no sheet '月球', expected one of 台账, 目标, 接入点"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00\x81", "found another encoding, expected UTF-8 or GB18030"),
        ("系统标识,系统名称\nhealth,=1+1\n".encode(), "found a formula, expected a value"),
        ("系统标识,系统标识,系统名称\n".encode(), "found column 系统标识 twice, expected once"),
    ],
)
def test_a_bad_csv_is_answered_clearly(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(SheetError) as caught:
        read_sheet(tmp_path / "in.csv", TABLES["systems"])
    assert message in str(caught.value)


def test_a_csv_that_excel_wrote_in_chinese_is_read(city: Path, tmp_path: Path):
    (tmp_path / "in.csv").write_bytes("系统标识,系统名称\nhealth,卫生健康\n".encode("gb18030"))
    done = run(city, "import", str(tmp_path / "in.csv"), "--partial")
    assert done.stdout.splitlines()[0].endswith("→ '卫生健康'")


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_change_that_is_sent_is_what_is_proposed(data, tmp_path_factory):
    """Words, codes, spaces around: the proposal is the difference and nothing else."""
    folder = tmp_path_factory.mktemp("any")
    city = read_city(LAB)
    system = data.draw(st.sampled_from([s for s in city.systems if not s.has_landing_zone]))
    zone = data.draw(st.sampled_from(sorted(WORDS["zone"])))
    word = data.draw(st.sampled_from([zone, *WORDS["zone"][zone]]))
    spaces = data.draw(st.sampled_from(["", " ", "\u3000"]))
    file = book(
        folder / "in.xlsx", ["系统标识", "网络区域"], [system.id, f"{spaces}{word}{spaces}"]
    )
    changes = propose(city, "systems", read_sheet(file, TABLES["systems"]), partial=True).changes
    assert [(c.key, c.field, c.now) for c in changes] == (
        [(system.id, "zone", zone)] if zone != system.zone else []
    )


def test_a_confirmation_is_shown_then_written_and_ends_with_an_edit(city: Path, tmp_path: Path):
    cell = ("systems", "health", "mlps")
    shown = run(city, "confirm", *cell, "--by", "张三")
    assert shown.stdout.splitlines() == [
        "systems.csv health mlps: '3', assumed → confirmed by 张三",
        "nothing written (--yes writes)",
    ]
    run(city, "confirm", *cell, "--by", "张三", "--yes")
    assert read_city(city).basis(*cell) == "confirmed"
    text = (city / "systems.csv").read_text()
    old = next(line for line in text.splitlines() if line.startswith("health,"))
    (city / "systems.csv").write_text(text.replace(old, old.replace(",否,3,", ",否,4,")))
    assert read_city(city).basis(*cell) == "assumed"


def test_a_confirmation_of_nothing_is_refused(city: Path):
    done = run(city, "confirm", "systems", "mars", "mlps", "--yes")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2, "gaoling: id: found 'mars', expected a row of systems.csv"
    )  # fmt: skip
    assert not (city / "confirmations.csv").exists()


def test_changes_as_json_for_scripts(city: Path, tmp_path: Path):
    file = book(tmp_path / "in.xlsx", HEAD, ["health", "新名"])
    found = json.loads(run(city, "diff", str(file), "--partial", "--json").stdout)
    assert [(c["key"], c["field"], c["now"]) for c in found["changes"]] == [
        ("health", "name", "新名")
    ]


@pytest.mark.parametrize("command", ["import", "export", "diff", "confirm"])
def test_every_command_has_help_with_an_example(city: Path, command: str):
    assert "Example" in run(city, command, "--help").stdout


def test_a_network_that_overlaps_another_is_refused_with_its_row(city: Path, tmp_path: Path):
    file = book(tmp_path / "in.xlsx", ["代码", "IPv4网关"], ["360202002", "10.11.1.129/25"])
    done = run(city, "import", str(file), "--table", "sites", "--partial", "--yes")
    assert done.returncode == 1
    assert (
        "ipv4（IPv4网关）: found '10.11.1.129/25', "
        "expected a network of its own (360202001 overlaps it)"
    ) in done.stderr
    assert done.stdout == "0 changes; written: nothing\n"
