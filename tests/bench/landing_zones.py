"""Landing zones of the whole register by `gaoling cloud up`, against the same calls made directly.

The real register's systems, each with a landing zone, those that its recovery policies ask for in
`dr` too. Every fourth has a server with a volume, the others are retired: network, groups, quotas
and objects are there, guests, which share this machine, are not. What Pulumi made is
then made once more by openstacksdk: the same inputs, the same order, as many at once (`replay`).
Takes most of an hour for all of them: `GAOLING_BENCH_SYSTEMS=20` for fewer, and
`GAOLING_BENCH_DESTROY=no` takes them away past Pulumi, which is quicker. `GAOLING_BENCH_ONE=20`
makes so many once more in one stack a region, to compare its growth with that of the shards.

    python -m tests.bench landing_zones --json > rows.json
    python -m tests.bench.landing_zones rows.json docs/performance-landing-zones.svg
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from gaoling.city import read_city
from gaoling.cli import context
from gaoling.cli.cloud import JOBS
from gaoling.cloud.access import write_access
from gaoling.cloud.run import PARALLEL
from gaoling.cloud.stacks import ROOT, stacks
from lab.paths import STATE
from tests.bench.replay import PROJECT, Replay, remove

NEEDS = ("cloud",)
GAOLING = Path(sys.executable).parent / "gaoling"
CITY = "scale"
SIZE = int(os.environ.get("GAOLING_BENCH_SYSTEMS", "81"))
DESTROY = os.environ.get("GAOLING_BENCH_DESTROY", "yes") != "no"
ONE = int(os.environ.get("GAOLING_BENCH_ONE", "0"))
POINTS = 100  # of a curve that is drawn
BIG = "development-reform"  # the department of all, where one stack is to hold everything
PROGRAM = (b"pulumi-language-python-exec", b"pulumi_language_host.py")  # the CLI's, and ours
SERVERS = 4  # every fourth system has one
COLUMNS = {
    "servers": "1", "migration": "on_cloud", "classified": "否", "tier": "municipal",
    "zone": "public", "vcpus": "1", "memory_gb": "1", "objects": "是", "port": "80",
}  # fmt: skip


def register(folder: Path, size: int, one: bool) -> Path:
    """Write the city: the lab's without its own systems, and `size` of the real register's.

    `one` gives all of them to one department, and so to one stack.
    """
    city = folder / CITY
    shutil.copytree(ROOT / "inventories/lab", city)
    with (city / "systems.csv").open(encoding="utf-8-sig", newline="") as file:
        own = list(csv.DictReader(file))
    with (ROOT / "inventories/jingdezhen/systems.csv").open(encoding="utf-8-sig") as file:
        real = list(csv.DictReader(file))[:size]
    for row in own:
        row["migration"] = "off" if row["migration"] != "planned" else "planned"
    for n, row in enumerate(real):
        full = n % SERVERS == 0
        # a retired system keeps its network and its objects and has no server
        row |= {
            **COLUMNS,
            "id": f"zz-{row['id']}",
            "state": "live" if full else "retired",
            "volume_gb": "1" if full else "0",
            "recovery": row["recovery"] if row["mlps"] < "3" else "objects",
        }
        row["department"] = BIG if one else row["department"]
    with (city / "systems.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, own[0].keys())
        writer.writeheader()
        writer.writerows([*own, *real])
    settings = city / "city.yaml"
    settings.write_text(settings.read_text().replace("id: lab", f"id: {CITY}", 1))
    return city


class Memory(threading.Thread):
    """Watches the programs of the stacks; `most` is the largest resident set of one, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self._over = 0, threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_bytes()
                    if any(name in words for name in PROGRAM):
                        status = (folder / "status").read_text()
                        peak = status.partition("VmHWM:")[2].split()[0]
                        self.most = max(self.most, int(peak) * 1024)
                except (OSError, IndexError):
                    continue

    def stop(self) -> int:
        self._over.set()
        self.join()
        return self.most


class Bench:
    """The city in a folder of its own, with a state of its own on the lab's platform."""

    def __init__(self, folder: Path, size: int, one: bool = False) -> None:
        self.city = register(folder, size, one)
        self.state = folder / "state"
        mine, lab = self.state / "pulumi", STATE / "work/pulumi"
        kept = [f"state/.pulumi/stacks/gaoling/lab-{r}-platform.json" for r in ("primary", "dr")]
        for name in ("passphrase", "sync-secret", "state/.pulumi/meta.yaml", *kept):
            (mine / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy(lab / name, mine / name)
        self.env = {**os.environ, "GAOLING_CITY": str(self.city), "GAOLING_STATE": str(self.state)}
        self.shards = [s for s in stacks(read_city(self.city)) if s.part.isdigit()]

    def gaoling(self, *words: str, region: str = "") -> float:
        """Run `gaoling cloud`; return the seconds that it took. Raises RuntimeError."""
        named = [w for s in self.shards if region in ("", s.region) for w in ("--stack", s.name)]
        start = time.monotonic()
        done = subprocess.run([GAOLING, "cloud", *words, *named], env=self.env,
                              capture_output=True, text=True, check=False)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout[-4000:]}{done.stderr[-4000:]}")
        return time.monotonic() - start

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """Return the resources of the stacks' states by region, secrets in the clear."""
        found: dict[str, list[dict[str, Any]]] = {}
        text = subprocess.run([GAOLING, "cloud", "env"], env=self.env, capture_output=True,
                              text=True, check=True).stdout  # fmt: skip
        for stack in self.shards:
            command = f"pulumi stack export --show-secrets --stack {stack.name}"
            out = subprocess.run(["bash", "-c", f"{text}\n{command}"], cwd=ROOT, env=self.env,
                                 capture_output=True, text=True, check=True).stdout  # fmt: skip
            found.setdefault(stack.region, []).extend(json.loads(out)["deployment"]["resources"])
        return found

    def curve(self) -> list[tuple[float, int]]:
        """Return (seconds since the first, resources made) of all stacks, from their event logs."""
        times: list[int] = []
        for log in (self.state / "pulumi/logs").glob("*-up-*.events.jsonl"):
            for line in log.read_text().splitlines():
                event = json.loads(line)
                if (event.get("resOutputsEvent") or {}).get("metadata", {}).get("op") == "create":
                    times.append(event["timestamp"])
        points = [(float(t - min(times)), n) for n, t in enumerate(sorted(times), 1)]
        return [*points[:: max(1, len(points) // POINTS)], points[-1]]


def projects(states: dict[str, list[dict[str, Any]]]) -> set[str]:
    """Return the names of the projects in states."""
    return {r["inputs"]["name"] for rows in states.values() for r in rows if r["type"] == PROJECT}


def run() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def row(what: str, value: float, unit: str, conditions: str, **more: Any) -> None:
        rows.append({"what": what, "value": round(value, 2), "unit": unit,
                     "conditions": conditions, **more})  # fmt: skip
        print(f"  {what}: {value:.2f} {unit}, {conditions}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), SIZE)
        watch = Memory()
        watch.start()
        count = sum(s.resources for s in bench.shards)
        about = f"{SIZE} systems, {count} resources, {len(bench.shards)} stacks"
        up = bench.gaoling("up", "--yes")
        row("landing zones by gaoling cloud up", up, "s", about, points=bench.curve())
        for region in ("primary", "dr"):
            again = bench.gaoling("up", "--yes", region=region)
            here = [s for s in bench.shards if s.region == region]
            row(f"second up without changes, {region}", again, "s",
                f"{sum(s.resources for s in here)} resources, {len(here)} stacks")  # fmt: skip
        row("memory of the largest program", watch.stop() / 2**20, "MiB", about)
        states = bench.states()
        clouds = Path(folder) / "clouds.yaml"
        write_access(context.access("cloud") / "clouds.yaml", clouds, list(states),
                     projects(states))  # fmt: skip
        if DESTROY:
            row("destroy", bench.gaoling("destroy", "--yes"), "s", about)
        else:
            remove(clouds, list(states), f"{CITY}-")
        again_ = Replay(states, clouds)
        try:
            floor = again_.run(PARALLEL * JOBS)
        finally:
            remove(clouds, list(states), f"{CITY}-")
        row(
            "the same by openstacksdk",
            floor,
            "s",
            f"{again_.calls} calls, {PARALLEL * JOBS} at once",
        )
    row("gaoling cloud up / openstacksdk", up / floor, "ratio", "target: at most 1.3")
    if ONE:
        with tempfile.TemporaryDirectory() as folder:
            big = Bench(Path(folder), ONE, one=True)
            seconds = big.gaoling("up", "--yes")
            about = f"{ONE} systems, {sum(s.resources for s in big.shards)} resources, one stack"
            row("the same in one stack a region", seconds, "s", about, points=big.curve())
            write_access(context.access("cloud") / "clouds.yaml", Path(folder) / "clouds.yaml",
                         list(states), projects(big.states()))  # fmt: skip
            remove(Path(folder) / "clouds.yaml", list(states), f"{CITY}-")
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the curves of the rows that have one: resources made against seconds."""
    curves = [r for r in rows if "points" in r]
    width = max(t for r in curves for t, _ in r["points"]) or 1.0
    height = max(n for r in curves for _, n in r["points"])
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360" font-family="sans-serif" '
        'font-size="12"><rect width="640" height="360" fill="white"/>',
        '<path d="M60 20V310H620" fill="none" stroke="black"/>',
        f'<text x="620" y="330" text-anchor="end">seconds, 0 to {width:.0f}</text>',
        f'<text x="56" y="24" text-anchor="end">{height}</text>',
        '<text x="56" y="310" text-anchor="end">0</text>',
        '<text x="60" y="14">resources made</text>',
    ]
    for n, (each, colour) in enumerate(zip(curves, ("#1f6f8b", "#c0392b"), strict=False)):
        points = " ".join(f"{60 + 560 * t / width:.1f},{310 - 290 * made / height:.1f}"
                          for t, made in each["points"])  # fmt: skip
        lines += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="300" y="{270 + 16 * n}" fill="{colour}">{each["conditions"]}</text>',
        ]
    path.write_text("\n".join([*lines, "</svg>", ""]))


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
