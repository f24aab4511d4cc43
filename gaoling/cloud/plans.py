"""Update plans: saved when a change is reviewed, enforced when it is made."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gaoling.cloud.events import SILENT, Change, Progress
from gaoling.cloud.run import Outcome
from gaoling.cloud.stacks import Stack

REVIEW = "review.json"
_AGAINST = re.compile(
    r"violates plan|not allowed by the plan|expected resource operations for|no plan for resource"
)


class PlanError(Exception):
    """A reviewed plan cannot be used: names the file and what was found."""


def path_of(folder: Path, stack: Stack) -> Path:
    return folder / f"{stack.name}.plan.json"


def begin(folder: Path) -> None:
    """Make an empty folder for plans. Raises PlanError when it holds some already."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if left := sorted(p.name for p in folder.glob("*.plan.json")):
        raise PlanError(f"{folder}: found {left[0]} of an earlier review, expected an empty folder")


def seal(folder: Path, city: str, found: Sequence[Outcome]) -> Path:
    """Write beside the plans who saved them, when, and their hashes; return that file."""
    stacks = {
        o.stack.name: {"sha256": _sha256(path_of(folder, o.stack)), "changes": o.progress.counts}
        for o in found
    }
    about: dict[str, Any] = {
        "city": city,
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "who": os.environ.get("SUDO_USER") or getpass.getuser(),
        "stacks": stacks,
    }
    path = folder / REVIEW
    path.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def reviewed(folder: Path, city: str, wanted: Sequence[Stack]) -> list[Outcome]:
    """Return what was reviewed, as a preview of each stack. Raises PlanError."""
    path = folder / REVIEW
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        stacks = dict(about["stacks"])
    except (OSError, ValueError, KeyError) as error:
        raise PlanError(
            f"{path}: {error}, expected what `gaoling cloud preview --save-plan` wrote"
        ) from None
    if about.get("city") != city:
        raise PlanError(f"{path}: found a plan for the city {about.get('city')}, expected {city}")
    found = []
    for stack in wanted:
        if stack.name not in stacks:
            continue
        plan = path_of(folder, stack)
        if not plan.exists() or _sha256(plan) != stacks[stack.name]["sha256"]:
            raise PlanError(
                f"{plan}: is not the one that was reviewed (its hash is another); nothing was "
                "changed; save and review a new plan"
            )
        found.append(Outcome(stack, "preview", 0, 0.0, _steps(plan), plan))
    if not found:
        names = ", ".join(stacks) or "none"
        raise PlanError(f"{path}: holds plans of {names}, expected one of the wanted stacks")
    return found


def refused(outcome: Outcome) -> bool:
    """Say whether the engine met something that the plan has not."""
    return not outcome.ok and bool(_AGAINST.search("\n".join(outcome.progress.errors)))


def _steps(plan: Path) -> Progress:
    progress = Progress()
    held = json.loads(plan.read_text(encoding="utf-8"))["resourcePlans"]
    for urn, about in held.items():
        kind = urn.rpartition("::")[0].rpartition("::")[2].rpartition("$")[2]
        for op in about.get("steps") or []:
            if op not in SILENT:
                progress.changes.append(Change(op, kind, urn))
    return progress


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
