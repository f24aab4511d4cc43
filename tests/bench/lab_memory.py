"""Memory of the running lab: PSS of everything that carries a part's mark or lives in its nets."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from lab import sweep
from lab.paths import PARTS

NEEDS = ("cloud", "extranet", "monitoring")


def _pss(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def run() -> list[dict[str, Any]]:
    rows = []
    seen: set[int] = set()
    for part in PARTS:
        pids = set(sweep.marked(part)) - seen
        seen |= pids
        total = sum(map(_pss, pids))
        rows.append({"what": f"memory of the lab's {part} part (PSS)", "value": round(total),
                     "unit": "MiB", "conditions": f"{len(pids)} processes"})  # fmt: skip
    guests = set(sweep.in_namespaces(list(Path("/run/netns").glob("vm-*")))) - seen
    rows.append({"what": "memory of the guests (PSS)", "value": round(sum(map(_pss, guests))),
                 "unit": "MiB", "conditions": f"{len(guests)} processes"})  # fmt: skip
    rows.append({"what": "memory of the whole lab (PSS)",
                 "value": sum(int(r["value"]) for r in rows), "unit": "MiB",
                 "conditions": "limit 12288"})  # fmt: skip
    return rows
