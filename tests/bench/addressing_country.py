"""The address plan's time and memory: the country, growth from 1k to 1M sites, one site more."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOWNSHIPS = ROOT / "tests/addressing/data/townships.csv.gz"
SIZES = (1_000, 10_000, 100_000, 661_632, 1_000_000)


def codes(count: int) -> list[str]:
    """Return that many townships and villages: 15 villages each, more where a million is asked."""
    with gzip.open(TOWNSHIPS, "rt", encoding="utf-8") as file:
        towns = [row["code"] for row in csv.DictReader(file)]
    villages = 15 if count <= len(towns) * 16 else 25
    found = (c for t in towns for c in (t, *(f"{t}{201 + n}" for n in range(villages))))
    return [code for code, _ in zip(found, range(count), strict=False)]


def measure(count: int) -> dict[str, float]:
    """Plan and write that many sites in this process; return seconds and MiB."""
    import resource

    from gaoling.addressing import write_lock
    from gaoling.addressing.country import add, plan_country

    listed = codes(count)
    begin = time.perf_counter()
    book = plan_country(listed)
    planned = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_lock(Path(folder), book)
        written = time.perf_counter()
        add(Path(folder), [f"{listed[0]}999"])
        added = time.perf_counter()
    return {
        "plan": planned - begin, "write": written - planned, "add": added - written,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def run() -> list[dict[str, Any]]:
    rows = []
    for count in SIZES:
        code = ("import json, sys; from tests.bench.addressing_country import measure; "
                f"json.dump(measure({count}), sys.stdout)")  # fmt: skip
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True,
                              text=True, check=True)  # fmt: skip
        found = json.loads(done.stdout)
        where = f"{count} sites, national profile, 3fff::/20, a process of its own"
        rows += [
            {"what": "address plan", "value": round(found["plan"], 2), "unit": "s",
             "conditions": where, "x": count},
            {"what": "address plan with its lock written",
             "value": round(found["plan"] + found["write"], 2), "unit": "s",
             "conditions": f"{where}; limit 10 s for the country", "x": count},
            {"what": "address plan, memory", "value": round(found["mib"]), "unit": "MiB",
             "conditions": f"{where}; limit 1024", "x": count},
            {"what": "one site added to a lock", "value": round(found["add"], 3), "unit": "s",
             "conditions": f"{where}; limit 1 s", "x": count},
        ]  # fmt: skip
    return rows
