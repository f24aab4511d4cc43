"""Which stack holds which department.

Departments are packed into as few stacks as keep each under a limit of resources: the file backend
writes a stack's whole state at every step. The mapping is data: what it holds stays where it is,
and what is new is added beside it. `infra/stacks/<city>.shards.csv` keeps it.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from gaoling.city import City
from gaoling.cloud.demand import demands

LIMIT = 300
OF_STACK = 20  # the stack itself, its default provider, and room for what a department adds


class ShardError(Exception):
    """The mapping cannot be used: names the file, the line and what is wrong with it."""


def read_shards(path: Path) -> dict[str, int]:
    """Return department -> shard; empty when there is no such file. Raises ShardError."""
    if not path.exists():
        return {}
    given: dict[str, int] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != ["department", "shard"]:
            raise ShardError(f"{path}:1: found {reader.fieldnames}, expected department,shard")
        for row in reader:
            department, number = row["department"], row["shard"] or ""
            if not number.isdigit() or department in given:
                raise ShardError(
                    f"{path}:{reader.line_num}: found {department},{number}, "
                    "expected each department once, with a number"
                )
            given[department] = int(number)
    return given


def weights(city: City) -> dict[str, int]:
    """Return the resources of each department's systems in its fullest region, by department."""
    found: dict[str, int] = {}
    for region in city.settings.regions:
        here: dict[str, int] = {}
        for each in demands(city, region.name):
            owner = each.system.department
            here[owner] = here.get(owner, 0) + each.resources
        for owner, count in here.items():
            found[owner] = max(found.get(owner, 0), count)
    return found


def assign(city: City, given: dict[str, int], limit: int = LIMIT) -> dict[str, int]:
    """Return department -> shard for every department with something on the cloud.

    What `given` holds stays, whatever its size. The others go, the largest first, into the first
    shard with room. A department that is larger than the limit has a shard of its own.
    """
    weight = weights(city)
    mapping = dict(given)
    load: dict[int, int] = {}
    for department, number in given.items():
        load[number] = load.get(number, OF_STACK) + weight.get(department, 0)
    new = [d for d in weight if d not in given]
    for department in sorted(new, key=lambda d: (-weight[d], d)):
        number = 0
        while number in load and load[number] + weight[department] > limit:
            number += 1
        load[number] = load.get(number, OF_STACK) + weight[department]
        mapping[department] = number
    return mapping


def as_csv(mapping: dict[str, int]) -> str:
    """Return the mapping as the text of its file, sorted by shard and department."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["department", "shard"])
    rows = sorted((number, department) for department, number in mapping.items())
    writer.writerows([department, number] for number, department in rows)
    return out.getvalue()
