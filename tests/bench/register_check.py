"""Time of `check` by the size of the register, against reading the same CSV unchecked."""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path
from typing import Any


def run() -> list[dict[str, Any]]:
    from gaoling.city import read_city
    from tests.city.test_rules import large

    rows = []
    for systems, sites, devices in ((300, 500, 600), (3000, 5000, 6000)):
        with tempfile.TemporaryDirectory() as folder:
            city = large(Path(folder) / "city", systems, sites, devices)
            begin = time.perf_counter()
            read_city(city)
            checked = time.perf_counter() - begin
            begin = time.perf_counter()
            for path in city.glob("*.csv"):
                with path.open(newline="") as file:
                    list(csv.DictReader(file))
            floor = time.perf_counter() - begin
        where = f"{systems} systems, {sites} sites, {devices} devices"
        rows += [
            {"what": "gaoling check", "value": round(checked, 2), "unit": "s",
             "conditions": f"{where}; limit 2 s for the larger", "x": systems + sites + devices},
            {"what": "gaoling check against csv.DictReader", "value": round(checked / floor, 1),
             "unit": "times", "conditions": where, "x": systems + sites + devices},
        ]  # fmt: skip
    return rows
