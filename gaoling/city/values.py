"""Values as departments write them, brought to one form: 三级 is 3, 是 is True, codes are text."""

from __future__ import annotations

import calendar
import datetime as dt
import re
import unicodedata
from enum import Enum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_CLASSES = {"一": 1, "二": 2, "三": 3, "四": 4, "五": 5}
_TRUE = {"是", "yes", "true", "1", "y"}
_FALSE = {"否", "no", "false", "0", "n"}


def plain(value: Any) -> Any:
    """Return text in its plain form: full-width characters folded (NFKC), no outer spaces."""
    return unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else value


_WIDE = {c: c - 0xFEE0 for c in [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B),
                                 *range(0xFF41, 0xFF5B)]} | {0x3000: " "}  # fmt: skip


def tidy(value: Any) -> Any:
    """Return free text as it was meant: full-width letters and digits folded, spaces single, none
    outside. Chinese punctuation stays, brackets too: it belongs to names."""
    return " ".join(value.translate(_WIDE).split()) if isinstance(value, str) else value


def yes_no(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, str):
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
        raise ValueError("是 or 否 (yes or no)")
    return value


def mlps_class(value: Any) -> Any:
    """Return 三级, 第三级, 3级, "3" and 3 as 3. Raises ValueError outside 1 to 5."""
    value = plain(value)
    if isinstance(value, str):
        found = re.fullmatch(r"第?([一二三四五1-5])级?", value)
        if not found:
            raise ValueError("an MLPS class 1 to 5 (一级 to 五级)")
        digit = found[1]
        return _CLASSES.get(digit) or int(digit)
    if not isinstance(value, int) or not 1 <= value <= 5:
        raise ValueError("an MLPS class 1 to 5 (一级 to 五级)")
    return value


def code(value: Any) -> Any:
    """Return an administrative code or an id as text.

    Refuses what a spreadsheet made of it: 3.6E+08 has lost its digits and cannot be mended.
    """
    value = plain(value)
    if isinstance(value, float) or (isinstance(value, str) and re.search(r"\d[eE]\+\d", value)):
        raise ValueError("a code as text (a spreadsheet turned it into a number)")
    if isinstance(value, int):
        value = str(value)
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4,12}|[a-z][a-z0-9-]{1,39}", value):
        raise ValueError("an administrative code of 4 to 12 digits, or an ASCII id")
    return value


class Day(dt.date):
    """A day as it was written: `wording` is 2024年底 where somebody wrote that."""

    wording: str = ""

    @classmethod
    def written(cls, day: dt.date, wording: str) -> Day:
        found = cls(day.year, day.month, day.day)
        found.wording = wording
        return found


def date(value: Any) -> Any:
    """Return a deadline as a Day: 2024-12-31, 2024年底, 2024年6月 (its last day); empty is None.

    The day ends at midnight in Asia/Shanghai. Raises ValueError for what is no date.
    """
    value = plain(value)
    found = _date(value)
    return Day.written(found, value) if isinstance(value, str) and found else found


def _date(value: Any) -> Any:
    if value in ("", None):
        return None
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, str):
        if found := re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", value):
            try:
                return dt.date(*map(int, found.groups()))
            except ValueError:
                raise ValueError("a day that exists") from None
        if found := re.fullmatch(r"(\d{4})年(底|末|前)?", value):
            return dt.date(int(found[1]), 12, 31)
        if found := re.fullmatch(r"(\d{4})年(\d{1,2})月(底|末)?", value):
            year, month = int(found[1]), int(found[2])
            if 1 <= month <= 12:
                return dt.date(year, month, calendar.monthrange(year, month)[1])
        raise ValueError("a date as 2024-12-31, 2024年底 or 2024年6月")
    return value


def number(value: Any) -> Any:
    """Return 80% and 80 as one value: the unit stands in a column of its own."""
    value = plain(value)
    return value.removesuffix("%") if isinstance(value, str) else value


def value_text(value: Any) -> str:
    """Return a value as the register's CSV holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, dt.date):
        wording = getattr(value, "wording", "")
        return wording if "年" in wording and "日" not in wording else value.isoformat()
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


Number = Annotated[float, BeforeValidator(number)]
YesNo = Annotated[
    bool, BeforeValidator(yes_no), PlainSerializer(lambda v: "是" if v else "否", when_used="json")
]
MlpsClass = Annotated[int, BeforeValidator(mlps_class)]
Code = Annotated[str, BeforeValidator(code)]
Date = Annotated[dt.date | None, BeforeValidator(date)]
Text = Annotated[str, BeforeValidator(lambda v: tidy(v) if v is not None else "")]
