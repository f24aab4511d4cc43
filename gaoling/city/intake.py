"""What a spreadsheet would change in the register: proposed, reviewed, then written whole."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gaoling.city.faults import Fault, RegisterError
from gaoling.city.model import City, Row
from gaoling.city.provenance import KEYS
from gaoling.city.read import TABLES, read_city, row_of
from gaoling.city.sheets import Sheet
from gaoling.city.values import value_text
from gaoling.city.words import code_of, text_of, word_of

SHRINK = 0.05  # a register that loses more of its rows is refused unless forced
REASON = "拒绝原因"
Cells = dict[str, str]


class ShrinkError(Exception):
    """The sheet would take too much out of the register."""


@dataclass(frozen=True, order=True)
class Change:
    """One difference: a row `added`, `removed` or `retired`, or a cell `changed`."""

    key: str
    what: str
    field: str = ""
    title: str = ""
    was: str = ""
    now: str = ""

    def __str__(self) -> str:
        if self.what == "changed":
            return f"~ {self.key} {self.field}（{self.title}）: {self.was!r} → {self.now!r}"
        return f"{'+' if self.what == 'added' else '-'} {self.key} {self.what}"


@dataclass
class Proposal:
    """A table as it would be, what changes, and which lines of the sheet are refused."""

    table: str
    changes: list[Change]
    refused: dict[int, list[Fault]]
    rows: list[Cells] = field(default_factory=list)


def key_of(table: str, row: Cells) -> str:
    if table == "links":
        return f"{row.get('a_device', '')}:{row.get('a_interface', '')}"
    return row.get(KEYS[table], "")


def current(city: City, table: str) -> list[Cells]:
    """Return a table's rows as they stand in its CSV file, by field name."""
    titles = {info.title: name for name, info in TABLES[table].model_fields.items()}
    path = city.directory / f"{table}.csv"
    text = path.read_text(encoding="utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [titles.get(cell.strip(), cell.strip()) for cell in next(reader)]
    return [dict(zip(header, cells, strict=True)) for cells in reader if any(cells)]


def propose(city: City, table: str, sheet: Sheet, partial: bool = False,
            force: bool = False) -> Proposal:  # fmt: skip
    """Return what a sheet would make of a table.

    Rows that are wrong, or would make the register wrong, are refused with their reasons and what
    they concern stays as it is. A system that is gone is proposed as retired, other rows as
    removed; with `partial` what the sheet does not name stays. Raises ShrinkError when more than
    5 % of the rows would go and it is not forced.
    """
    old = current(city, table)
    new, lines, refused = _valid(city, table, sheet, old)
    first = _merge(table, old, new, partial, set(_keys_of_refused(table, sheet, refused)))
    gone = sum(1 for c in first.changes if c.what in ("removed", "retired"))
    if gone > SHRINK * len(old) and not force:
        raise ShrinkError(
            f"{sheet.file}: found {gone} of {len(old)} rows gone, expected at most {SHRINK:.0%} "
            "(--partial: it is not the whole table; --force: it is)"
        )
    while True:
        proposal = _merge(table, old, new, partial, set(_keys_of_refused(table, sheet, refused)))
        proposal.refused = refused
        wrong = _whole(city, table, proposal.rows)
        again = {key: faults for key, faults in wrong.items() if key in new}
        for key, faults in again.items():
            refused[lines[key]] = faults
            del new[key]
        if not again:
            if wrong:
                raise RegisterError([fault for faults in wrong.values() for fault in faults])
            break
    return proposal


def _valid(
    city: City, table: str, sheet: Sheet, old: list[Cells]
) -> tuple[dict[str, Cells], dict[str, int], dict[int, list[Fault]]]:
    """Return key -> cells of the rows that hold by themselves, key -> line, line -> faults."""
    model = TABLES[table]
    before = {key_of(table, row): row for row in old}
    by_name = {row["name"]: key for key, row in before.items() if "name" in row}
    found: dict[str, Cells] = {}
    lines: dict[str, int] = {}
    refused: dict[int, list[Fault]] = {}
    for line, written in sheet.rows:
        cells = {f: code_of(city, model, f, text) for f, text in written.items()}
        if table in ("systems", "departments", "targets") and not cells.get("id"):
            cells["id"] = by_name.get(cells.get("name", ""), "")
        key = key_of(table, cells)
        faults: list[Fault] = []
        whole = {**before.get(key, {}), **cells}
        if row_of(sheet.file, line, model, whole, faults) is None:
            refused[line] = faults
        elif key in found:
            title = model.model_fields[KEYS[table]].title if table != "links" else "甲端接口"
            refused[line] = [Fault(sheet.file, line, KEYS[table], title or "", repr(key),
                                   f"each once (it is on line {lines[key]} too)")]  # fmt: skip
        else:
            found[key] = {f: text_of(model, f, whole[f]) for f in model.model_fields}
            lines[key] = line
    return found, lines, refused


def _keys_of_refused(table: str, sheet: Sheet, refused: dict[int, list[Fault]]) -> Iterator[str]:
    for line, cells in sheet.rows:
        if line in refused:
            yield key_of(table, cells)


def _merge(
    table: str, old: list[Cells], new: dict[str, Cells], partial: bool, refused: set[str]
) -> Proposal:
    model = TABLES[table]
    changes, rows = [], []
    seen = set()
    for row in old:
        key = key_of(table, row)
        seen.add(key)
        if key not in new:
            if partial or key in refused:
                rows.append(row)
            elif table == "systems":  # a system that disappears is never dropped
                rows.append({**row, "state": "retired"})
                if row["state"] != "retired":
                    changes.append(Change(key, "retired"))
            else:
                changes.append(Change(key, "removed"))
            continue
        kept = dict(row)
        for name, info in model.model_fields.items():
            was, now = text_of(model, name, row[name]), new[key][name]
            if was != now:
                changes.append(Change(key, "changed", name, info.title or "", was, now))
                kept[name] = now
        rows.append(kept)
    for key in new:
        if key not in seen:
            changes.append(Change(key, "added"))
            rows.append(new[key])
    return Proposal(table, sorted(changes), {}, rows)


def _whole(city: City, table: str, rows: list[Cells]) -> dict[str, list[Fault]]:
    """Return key -> faults that the whole register would have with these rows; "" for others'."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / city.directory.name
        shutil.copytree(city.directory, copy, ignore=shutil.ignore_patterns("addresses"))
        (copy / f"{table}.csv").write_text(table_text(table, rows), encoding="utf-8")
        try:
            read_city(copy)
        except RegisterError as error:
            found: dict[str, list[Fault]] = {}
            for fault in error.faults:
                own = fault.file == f"{table}.csv" and 2 <= fault.line < len(rows) + 2
                key = key_of(table, rows[fault.line - 2]) if own else ""
                found.setdefault(key, []).append(fault)
            return found
    return {}


def table_text(table: str, rows: list[Cells]) -> str:
    """Return a table's CSV file: field names as header, one line a row."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(TABLES[table].model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write(city: City, proposal: Proposal) -> Path:
    """Write the table that was proposed; return its path. All of it or nothing."""
    path = city.directory / f"{proposal.table}.csv"
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(table_text(proposal.table, proposal.rows), encoding="utf-8")
    temporary.replace(path)
    return path


def exported(city: City, table: str) -> tuple[list[str], list[list[str]]]:
    """Return a table for people: Chinese headers, words instead of codes."""
    model: type[Row] = TABLES[table]
    header = [info.title or name for name, info in model.model_fields.items()]
    rows = [
        [word_of(name, value_text(getattr(row, name))) for name in model.model_fields]
        for row in getattr(city, table)
    ]
    return header, rows


def rejected(sheet: Sheet, refused: dict[int, list[Fault]]) -> tuple[list[str], list[list[str]]]:
    """Return the refused rows as they were sent, with the reason beside them."""
    rows = []
    for line in sorted(refused):
        cells = (sheet.raw[line] + [""] * len(sheet.header))[: len(sheet.header)]
        reason = "；".join(
            f"{f.title or f.field}: found {f.found}, expected {f.expected}" for f in refused[line]
        )
        rows.append([*cells, reason])
    return [*sheet.header, REASON], rows
