"""Where each cell comes from: stated by the plan, assumed, or confirmed by somebody on a day.

`provenance.yaml` says which columns the plan states; `confirmations.csv` who confirmed which cell
with which value. An edit of the value ends the confirmation: the cell is what it was before.
"""

from __future__ import annotations

import csv
import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError, create_model

from gaoling.city.faults import Fault
from gaoling.city.model import City, Confirmation, Row
from gaoling.city.values import value_text

FILE = "provenance.yaml"
CONFIRMATIONS = "confirmations.csv"
KEYS = {
    "departments": "id", "systems": "id", "sites": "code", "devices": "name", "links": "id",
    "targets": "id",
}  # fmt: skip
Cells = dict[tuple[str, str, str], str]


def columns(data: Any, tables: dict[str, type[Row]], faults: list[Fault]) -> Cells:
    """Return the basis of each column; append to `faults` what provenance.yaml names wrongly.

    table -> basis -> columns. A column that it does not name is assumed.
    """
    found: Cells = {}
    for table, bases in (data or {}).items():
        known = tables.get(table)
        for basis, names in (bases or {}).items():
            if basis not in ("stated", "assumed"):
                faults.append(Fault(FILE, 0, table, "", repr(basis), "stated or assumed"))
            for name in names:
                if known is None or name not in known.model_fields:
                    faults.append(Fault(FILE, 0, f"{table}.{name}", "", "an unknown column",
                                        "a table and a column of it"))  # fmt: skip
                found[table, "", name] = basis
    return found


@cache
def _one(model: type[Row], field: str) -> type[BaseModel]:
    info = model.model_fields[field]
    return create_model("One", value=(cast(Any, info.annotation), info))


def canonical(model: type[Row], field: str, written: str) -> Any:
    """Return the value that a cell's text means; the text itself where it means none."""
    try:
        return _one(model, field).model_validate({"value": written}).value  # type: ignore[attr-defined]
    except ValidationError:
        return written


def key_of(table: str, row: Row) -> str:
    """Return what names a row of a table."""
    return str(getattr(row, KEYS[table]))


def confirm(
    city: City,
    confirmations: list[Confirmation],
    lines: list[int],
    tables: dict[str, type[Row]],
    faults: list[Fault],
) -> City:
    """Return the city with what is confirmed, and what is no longer; of two for one cell the later
    line holds. Append to `faults` where a confirmation names no cell."""
    rows: dict[str, dict[str, Row]] = {}
    found: dict[tuple[str, str, str], Confirmation] = {}
    outdated: dict[tuple[str, str, str], Confirmation] = {}
    for said, line in zip(confirmations, lines, strict=True):
        model = tables[said.table]
        here = rows.setdefault(
            said.table, {key_of(said.table, row): row for row in getattr(city, said.table)}
        )
        cell = said.table, said.id, said.field
        if said.field not in model.model_fields:
            faults.append(Fault(CONFIRMATIONS, line, "field", "字段", repr(said.field),
                                f"a column of {said.table}.csv"))  # fmt: skip
        elif said.id not in here:
            faults.append(Fault(CONFIRMATIONS, line, "id", "行标识", repr(said.id),
                                f"a row of {said.table}.csv"))  # fmt: skip
        elif canonical(model, said.field, said.value) == getattr(here[said.id], said.field):
            found[cell] = said
            outdated.pop(cell, None)
        else:
            outdated[cell] = said
            found.pop(cell, None)
    provenance = city.provenance | dict.fromkeys(found, "confirmed")
    return city.model_copy(update={
        "provenance": provenance, "confirmations": found, "outdated": tuple(outdated.values()),
    })  # fmt: skip


def confirmation_of(
    city: City, table: str, identity: str, field: str, by: str, on: dt.date
) -> Confirmation:
    """Return a confirmation of a cell's present value. Raises LookupError naming what is not
    there."""
    rows = {key_of(table, row): row for row in getattr(city, table)}
    if identity not in rows:
        raise LookupError(f"id: found {identity!r}, expected a row of {table}.csv")
    row = rows[identity]
    if field not in type(row).model_fields:
        listed = ", ".join(type(row).model_fields)
        raise LookupError(f"field: found {field!r}, expected one of {listed}")
    value = value_text(getattr(row, field))
    return Confirmation.model_validate(
        {"table": table, "id": identity, "field": field, "value": value, "by": by, "on": on}
    )


def record(city: City, said: Confirmation) -> Path:
    """Append a confirmation to the city's confirmations.csv; return its path."""
    path = city.directory / CONFIRMATIONS
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(Confirmation.model_fields)
        writer.writerow([value_text(getattr(said, name)) for name in Confirmation.model_fields])
    return path
