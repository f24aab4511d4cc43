"""The address plan's time and memory: the country, growth from 1k to 1M sites, one site more.

`python -m tests.bench.addressing_country FILE.svg` draws it (docs/performance-address-plan.svg).
"""

from __future__ import annotations

import csv
import gzip
import json
import math
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


def plot(rows: list[dict[str, Any]]) -> str:
    """Return an SVG: seconds for plan and lock against sites, both logarithmic; memory beside."""
    seconds = {r["x"]: r["value"] for r in rows if r["what"].endswith("lock written")}
    memory = {r["x"]: r["value"] for r in rows if r["what"].endswith("memory")}

    def at(sites: float, value: float) -> tuple[float, float]:
        return 70 + (math.log10(sites) - 3) * 150, 260 - (math.log10(value) + 2) * 60

    points = {sites: at(sites, max(value, 0.01)) for sites, value in seconds.items()}
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points.values())
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="320" font-family="sans-serif" '
        'font-size="11"><rect width="600" height="320" fill="white"/>',
        *(f'<text x="{at(10**n, 1)[0]:.0f}" y="285" text-anchor="middle">{10**n:,}</text>'
          for n in (3, 4, 5, 6)),
        *(f'<text x="60" y="{at(1, v)[1] + 4:.0f}" text-anchor="end">{v:g} s</text>'
          f'<path d="M70 {at(1, v)[1]:.0f}H530" stroke="#ddd"/>' for v in (0.01, 0.1, 1, 10)),
        f'<path d="M70 {at(1, 10)[1]:.0f}H530" stroke="#c33" stroke-dasharray="4"/>',
        '<text x="300" y="308" text-anchor="middle">sites; MiB of memory at each point; '
        "dashed: the limit for the country</text>",
        f'<polyline points="{line}" fill="none" stroke="#247" stroke-width="2"/>',
        *(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="#247"/>'
          f'<text x="{x + 6:.0f}" y="{y + 14:.0f}">{memory[sites]:.0f}</text>'
          for sites, (x, y) in points.items()),
        "</svg>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


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


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(plot(run()), encoding="utf-8")
