"""No silent loss: nothing that holds data goes without being named, and a shrunken register stops.

Two locks on the same door: `protect` in the stacks, which a plain `pulumi up` meets too, and this
refusal, which also sees replacements of what is not protected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from gaoling.city import City
from gaoling.cloud.events import Change
from gaoling.cloud.run import Outcome

SHRINK = 0.05  # of the register's rows, at most, in one go
_PROTECTED = re.compile(r"(urn:pulumi:[^\s\"'`]+)")


class Refused(Exception):
    """A change that would lose data: names each resource and what has to be said to go on."""


def protected(outcome: Outcome) -> list[str]:
    """Return the URNs that a run would not delete because they are protected."""
    found: dict[str, None] = {}
    for message in outcome.progress.errors:
        if "protect" in message:
            for urn in _PROTECTED.findall(message):
                found[urn.rstrip(".,")] = None
    return list(found)


def losses(outcomes: Sequence[Outcome]) -> list[Change]:
    """Return the steps that delete or replace what may hold data."""
    return [
        change
        for outcome in outcomes
        for change in outcome.changes
        if change.destructive and change.stateful
    ]


def refuse_losses(urns: Collection[str], allowed: Collection[str], reason: str) -> None:
    """Raise Refused unless each of `urns` is allowed by name, with a reason."""
    missing = sorted(set(urns) - set(allowed))
    if missing:
        listed = "\n".join(f"  {urn}" for urn in missing)
        raise Refused(
            f"{len(missing)} resources that may hold data would be deleted or replaced:\n{listed}\n"
            "nothing was changed. Put the row back (retire a system before its row goes), or name "
            "each with --allow-delete URN and say why with --reason"
        )
    if urns and not reason.strip():
        raise Refused("--allow-delete: found no --reason, expected one; nothing was changed")


def refuse_shrunken(city: City, memory: Path, force: bool) -> None:
    """Raise Refused when the register lost more than 5 % of its systems since the last `up`."""
    if force or not memory.exists():
        return
    before = set(json.loads(memory.read_text()))
    lost = sorted(before - {s.id for s in city.systems})
    if len(lost) > SHRINK * len(before) and len(lost) > 1:
        raise Refused(
            f"the register has lost {len(lost)} of {len(before)} systems since the last up: "
            f"{', '.join(lost)}; nothing was changed. If that is meant: --force-shrink"
        )


def remember(city: City, memory: Path) -> None:
    """Keep which systems the last `up` saw."""
    memory.write_text(json.dumps(sorted(s.id for s in city.systems)) + "\n")
