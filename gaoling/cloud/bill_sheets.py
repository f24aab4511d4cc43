"""The bill as a workbook: the chargeback, every line, what nobody recorded, and the notes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from gaoling.city import City
from gaoling.cloud import bill as bills
from gaoling.cloud.bill import Bill

SHEETS = ("分摊汇总", "明细", "未记录", "说明")


def write(path: Path, city: City, found: Bill) -> None:
    """Write the workbook. Amounts are numbers, all else is text: no code becomes a number, and no
    name of a project a formula."""
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = SHEETS[0]
    _fill(first, *bills.summary(city, found))
    for cell in first[first.max_row]:
        cell.font = Font(bold=True)
    _fill(book.create_sheet(SHEETS[1]), *bills.details(city, found))
    _fill(book.create_sheet(SHEETS[2]), *bills.unrecorded(found))
    lines = [*bills.notes(found), *found.account.warnings]
    _fill(book.create_sheet(SHEETS[3]), ["说明"], [[text] for text in lines])
    book.save(path)


def _fill(sheet: Worksheet, header: list[str], rows: list[list[Any]]) -> None:
    for line, cells in enumerate([header, *rows], 1):
        for column, value in enumerate(cells, 1):
            cell = sheet.cell(line, column)
            if isinstance(value, Decimal | int):
                cell.value = value
                money = header[column - 1].endswith("（元）") and "单价" not in header[column - 1]
                cell.number_format = "#,##0.00" if money else "General"
            else:
                cell.value = str(value)
                cell.data_type = "s"
                cell.number_format = "@"
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    for column in range(1, len(header) + 1):
        widest = max(_width(str(row[column - 1])) for row in [header, *rows])
        sheet.column_dimensions[get_column_letter(column)].width = min(60, widest + 2)


def _width(text: str) -> int:
    return sum(2 if ord(c) > 0x2E80 else 1 for c in text)
