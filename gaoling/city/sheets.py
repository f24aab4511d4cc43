"""Spreadsheets as departments send them: XLSX and CSV read into plain rows, and written."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from gaoling.city.model import Row
from gaoling.city.values import plain

MAX_ROWS = 20_000
MAX_BYTES = 256 << 20  # of what an XLSX unpacks to
_HEADER_WITHIN = 10  # titles and notes stand above the header
_OLE = b"\xd0\xcf\x11\xe0"


class SheetError(Exception):
    """A file cannot be read; the message says where, what was found and what was expected."""


@dataclass
class Sheet:
    """A table as it was sent: `rows` are (line, field -> text); `raw` the cells as they stood."""

    file: str
    header: list[str]
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    raw: dict[int, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def read_sheet(path: Path, model: type[Row], sheet: str = "") -> Sheet:
    """Return the rows of an XLSX or CSV file whose header names fields of `model`.

    Headers may be field names or Chinese titles, in any order, below a title; a merged cell stands
    for each of its rows. Raises SheetError for a file that is none, a formula, too many rows.
    """
    try:
        start = path.read_bytes()[:8]
    except OSError as error:
        raise SheetError(f"{path.name}: found {error.strerror}, expected a file") from None
    if start.startswith(_OLE):
        raise SheetError(f"{path.name}: found a file with a password, or an old .xls, expected "
                         "an .xlsx without a password")  # fmt: skip
    if start.startswith(b"PK") or path.suffix.lower() in (".xlsx", ".xlsm"):
        name, grid = _xlsx(path, model, sheet)
    else:
        name, grid = path.name, _csv(path)
    return _table(name, model, grid)


def _xlsx(path: Path, model: type[Row], wanted: str) -> tuple[str, list[tuple[int, list[str]]]]:
    damaged = f"{path.name}: found a damaged or truncated file, expected an .xlsx"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
            if size > MAX_BYTES:
                raise SheetError(f"{path.name}: found {size >> 20} MiB unpacked, expected at most "
                                 f"{MAX_BYTES >> 20} MiB")  # fmt: skip
            for info in archive.infolist():
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", info.filename):
                    rows = archive.read(info).count(b"<row ")
                    _not_too_many(path.name, rows)
        book = load_workbook(path)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, EOFError, OSError):
        raise SheetError(damaged) from None
    except SyntaxError:  # what XML parsers raise
        raise SheetError(damaged) from None
    sheets = [s for s in book.worksheets if isinstance(s, Worksheet)]
    if wanted and wanted not in book.sheetnames:
        raise SheetError(f"{path.name}: found no sheet {wanted!r}, expected one of "
                         f"{', '.join(book.sheetnames)}")  # fmt: skip
    chosen = [s for s in sheets if s.title == wanted] if wanted else sheets
    for sheet in chosen:
        grid = _grid(path.name, sheet)
        if _header(model, grid) is not None:
            return f"{path.name}[{sheet.title}]", grid
    first = next(iter(model.model_fields.values())).title
    raise SheetError(f"{path.name}: found no header in {', '.join(s.title for s in chosen)}, "
                     f"expected columns such as {first}")  # fmt: skip


def _not_too_many(name: str, rows: int) -> None:
    if rows > MAX_ROWS:
        raise SheetError(f"{name}: found {rows} rows, expected at most {MAX_ROWS}")


def _grid(name: str, sheet: Worksheet) -> list[tuple[int, list[str]]]:
    merged: dict[tuple[int, int], Any] = {}
    for area in sheet.merged_cells.ranges:
        cell = sheet.cell(area.min_row, area.min_col)
        for row in range(area.min_row, area.max_row + 1):
            for column in range(area.min_col, area.max_col + 1):
                merged[row, column] = cell
    found = []
    for line, cells in enumerate(sheet.iter_rows(), 1):
        texts = []
        for column, cell in enumerate(cells, 1):
            source = merged.get((line, column), cell)
            if source.data_type == "f":
                raise SheetError(f"{name}[{sheet.title}]!{cell.coordinate}: found a formula, "
                                 "expected a value (paste as values)")  # fmt: skip
            if source.data_type == "e":
                raise SheetError(f"{name}[{sheet.title}]!{cell.coordinate}: found "
                                 f"{source.value}, expected a value")  # fmt: skip
            texts.append(_text(source.value, source.number_format))
        found.append((line, texts))
    return found


def _text(value: Any, number_format: str) -> str:
    """Return a cell's text: a percentage with its sign, a date as a day, whole numbers whole."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dt.datetime | dt.date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, int | float) and "%" in number_format:
        return f"{value * 100:.10g}%"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _csv(path: Path) -> list[tuple[int, list[str]]]:
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):  # Excel in Chinese writes the second
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise SheetError(f"{path.name}: found another encoding, expected UTF-8 or GB18030")
    if "\x00" in text:
        raise SheetError(f"{path.name}: found binary data, expected CSV or .xlsx")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = []
    try:
        for cells in reader:
            found.append((reader.line_num, cells))
            if any(c.startswith("=") for c in cells):
                raise SheetError(
                    f"{path.name}:{reader.line_num}: found a formula, expected a value"
                )
    except csv.Error as error:
        raise SheetError(f"{path.name}:{reader.line_num}: found {error}, expected CSV") from None
    _not_too_many(path.name, len(found))
    return found


def _names(model: type[Row]) -> dict[str, str]:
    names = {name: name for name in model.model_fields}
    return names | {str(plain(info.title)): name for name, info in model.model_fields.items()}


def _clean(text: str) -> str:
    return re.sub(r"\s+", "", str(plain(text))).removesuffix("*")


def _header(model: type[Row], grid: list[tuple[int, list[str]]]) -> int | None:
    """Return which of the first lines is the header: it names at least two fields."""
    names = _names(model)
    for place, (_, cells) in enumerate(grid[:_HEADER_WITHIN]):
        if len({names[c] for c in map(_clean, cells) if c in names}) >= 2:
            return place
    return None


def _table(name: str, model: type[Row], grid: list[tuple[int, list[str]]]) -> Sheet:
    place = _header(model, grid)
    if place is None:
        first = next(iter(model.model_fields.values())).title
        raise SheetError(f"{name}: found no header, expected columns such as {first}")
    names = _names(model)
    header = [str(plain(cell)) for cell in grid[place][1]]
    fields = [names.get(_clean(cell), "") for cell in header]
    twice = sorted({f for f in fields if f and fields.count(f) > 1})
    if twice:
        title = model.model_fields[twice[0]].title
        raise SheetError(f"{name}: found column {title} twice, expected once")
    found = Sheet(name, header)
    found.unknown = [h for h, f in zip(header, fields, strict=True) if h and not f]
    for line, cells in grid[place + 1 :]:
        if not any(cell.strip() for cell in cells):
            continue
        found.raw[line] = cells
        found.rows.append((line, {
            f: c.strip() for f, c in zip(fields, cells, strict=False) if f
        }))  # fmt: skip
    return found


def write_xlsx(path: Path, title: str, header: list[str], rows: list[list[str]]) -> None:
    """Write one sheet: every cell is text, so that no code becomes a number."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = title
    for line, cells in enumerate([header, *rows], 1):
        for column, text in enumerate(cells, 1):
            cell = sheet.cell(line, column)
            cell.value = text
            cell.data_type = "s"
            cell.number_format = "@"
    sheet.freeze_panes = "A2"
    for column, text in enumerate(header, 1):
        sheet.column_dimensions[get_column_letter(column)].width = 2 * len(text) + 8
    book.save(path)


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write CSV with the mark by which Excel knows UTF-8."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
