"""How targets stand against the rates: before the deadline by their pace, after it by the clock."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporters.targets import MEASURED, deadline, state
from gaoling.city import read_city

CITY = read_city(Path(__file__).parents[2] / "inventories" / "lab")

CHINA = ZoneInfo("Asia/Shanghai")
TARGET = next(t for t in CITY.targets if t.id == "cloud-adoption")  # 80 % by the end of 2024


def at(*day: int) -> float:
    return dt.datetime(*day, tzinfo=CHINA).timestamp()


def test_a_deadline_is_the_end_of_its_day_in_shanghai():
    assert deadline(TARGET) == at(2025, 1, 1)


@pytest.mark.parametrize(
    ("interval", "now", "expected"),
    [
        (None, at(2023, 1, 1), "not_measured"),
        ((0.8, 0.8), at(2026, 1, 1), "met"),
        ((0.79, 1.0), at(2026, 1, 1), "overdue"),  # what is unknown fulfils nothing
        ((0.4, 0.4), at(2023, 7, 1), "on_course"),  # half the time, half the way
        ((0.3, 0.3), at(2023, 7, 3), "late"),
        ((0.0, 0.0), at(2024, 12, 31), "late"),
        ((0.0, 0.0), at(2025, 1, 1), "overdue"),
    ],
)
def test_how_a_target_stands(interval, now, expected):
    assert state(TARGET, interval, now, 2022) == expected


def test_targets_that_we_measure_are_in_the_register_as_observed():
    by_id = {t.id: t for t in CITY.targets}
    assert {by_id[i].measured for i in MEASURED} == {"observed"}
