"""`gaoling check`: is the register whole?"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gaoling.city.faults import RegisterError
from gaoling.cli import context


def check(
    city: Annotated[str | None, typer.Option(help="The city to check.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Faults as JSON.")] = False,
) -> None:
    """Check the register: every fault at once, exit code 2 when there is one.

    Confirmations that an edit ended are named; they are no faults.

    Example: `gaoling check --city lab --json`
    """
    context.choose_city(city)
    try:
        found = context.city()
    except RegisterError as error:
        if not as_json:
            raise
        print(json.dumps([f.as_json() for f in error.faults], ensure_ascii=False, indent=1))
        raise typer.Exit(2) from None
    counts = {
        name: len(getattr(found, name))
        for name in ("departments", "systems", "sites", "devices", "links", "targets")
    }
    if as_json:
        print("[]")
    else:
        for said in found.outdated:
            print(f"确认失效 (edited since): {said.table}.csv {said.id} {said.field}: "
                  f"{said.by} confirmed {said.value!r} on {said.on}")  # fmt: skip
        print("合格 (no faults):", ", ".join(f"{v} {k}" for k, v in counts.items()))
