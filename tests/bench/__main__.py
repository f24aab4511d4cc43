"""`make bench`: run every measurement in this folder and print its figures with their conditions.

A measurement is a module with `run() -> list[dict]`, each dict a row with what, value, unit and
conditions. One that needs the lab says so by `NEEDS = {"cloud", "extranet"}` and is left out, by
name, when that part is down. Figures are ratios against a peer or a floor of the same run wherever
there is one: absolute seconds depend on the machine.

    python -m tests.bench [NAME ...] [--json]
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import platform
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> int:
    from lab import whole

    wanted = [a for a in arguments if not a.startswith("-")]
    up = whole.running()
    rows: list[dict[str, Any]] = []
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}",
        file=sys.stderr,
    )
    for info in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda i: i.name):
        if info.name == "__main__" or (wanted and info.name not in wanted):
            continue
        module = importlib.import_module(f"tests.bench.{info.name}")
        if not hasattr(module, "run"):
            continue
        lacking = set(getattr(module, "NEEDS", ())) - up
        if lacking:
            print(f"{info.name}: left out, the lab's {', '.join(sorted(lacking))} is down")
            continue
        for row in module.run():
            rows.append(row)
            if "--json" not in arguments:
                print(
                    f"{row['what']:<60} {row['value']:>10} {row['unit']:<12} {row['conditions']}",
                    flush=True,
                )
    if "--json" in arguments:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
