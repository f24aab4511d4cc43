"""Read `inventories/<city>/` into a `City`; every fault of every file at once."""

from __future__ import annotations

import csv
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from gaoling.city import provenance
from gaoling.city.faults import Fault, RegisterError
from gaoling.city.model import (
    City,
    Confirmation,
    Department,
    Device,
    Link,
    Row,
    Settings,
    Site,
    System,
    Target,
)
from gaoling.city.rules import check

TABLES: dict[str, type[Row]] = {
    "departments": Department,
    "systems": System,
    "sites": Site,
    "devices": Device,
    "links": Link,
    "targets": Target,
}
R = TypeVar("R", bound=Row)
# rows with the lines they stand on, so that rules can say where
Lines = dict[str, list[int]]


def read_city(directory: Path) -> City:
    """Read and check a city's folder.

    Raises RegisterError with every fault in it: missing files and columns, wrong values, duplicate
    ids, references to what does not exist, rules across files. Nothing is written.
    """
    if not directory.is_dir():
        expected = "a folder with city.yaml and the tables of a city"
        raise RegisterError([Fault(str(directory), 0, "folder", "", "nothing", expected)])
    faults: list[Fault] = []
    settings = _settings(directory / "city.yaml", faults)
    tables: dict[str, tuple[Any, ...]] = {}
    lines: Lines = {}
    for name, model in TABLES.items():
        rows, lines[name] = read_table(directory / f"{name}.csv", model, faults)
        tables[name] = tuple(rows)
    basis = provenance.columns(_yaml(directory / provenance.FILE, faults), TABLES, faults)
    confirmed, lines["confirmations"] = _confirmations(directory, faults)
    if faults or settings is None:
        raise RegisterError(faults)
    city = City(directory=directory, settings=settings, provenance=basis, **tables)
    city = provenance.confirm(city, confirmed, lines["confirmations"], TABLES, faults)
    faults += check(city, lines)
    if faults:
        raise RegisterError(faults)
    return city


def _confirmations(directory: Path, faults: list[Fault]) -> tuple[list[Confirmation], list[int]]:
    path = directory / provenance.CONFIRMATIONS
    return read_table(path, Confirmation, faults) if path.exists() else ([], [])


def read_table(path: Path, model: type[R], faults: list[Fault]) -> tuple[list[R], list[int]]:
    """Return the rows of a CSV file and their line numbers; append what is wrong to `faults`.

    Headers may be field names or their Chinese titles. Rows with faults are left out.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        faults.append(Fault(path.name, 0, "file", "", "nothing", "a CSV table"))
        return [], []
    except UnicodeDecodeError:
        faults.append(Fault(path.name, 0, "file", "", "another encoding", "UTF-8"))
        return [], []
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = next(reader, [])
        fields = _fields(path.name, model, header, faults)
        if fields is None:
            return [], []
        rows, lines = [], []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            row = _row(path.name, reader.line_num, model, fields, cells, faults)
            if row is not None:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        faults.append(Fault(path.name, reader.line_num, "row", "", str(error), "a CSV row"))
        return [], []
    return rows, lines


def _fields(
    file: str, model: type[Row], header: list[str], faults: list[Fault]
) -> list[str] | None:
    by_title = {info.title: name for name, info in model.model_fields.items()}
    names = [by_title.get(cell.strip(), cell.strip()) for cell in header]
    before = len(faults)
    for name, info in model.model_fields.items():
        if names.count(name) > 1:
            faults.append(Fault(file, 1, name, info.title or "", "the column twice", "once"))
        elif name not in names and info.is_required():
            faults.append(Fault(file, 1, name, info.title or "", "no such column", "the column"))
    for name in names:
        if name not in model.model_fields:
            expected = "one of " + ", ".join(model.model_fields)
            faults.append(Fault(file, 1, name or "(empty)", "", "an unknown column", expected))
    return names if len(faults) == before else None


def _row(
    file: str, line: int, model: type[R], fields: list[str], cells: list[str], faults: list[Fault]
) -> R | None:
    if len(cells) != len(fields):
        faults.append(
            Fault(file, line, "row", "", f"{len(cells)} cells", f"{len(fields)} as in the header")
        )
        return None
    return row_of(file, line, model, dict(zip(fields, cells, strict=True)), faults)


def row_of(
    file: str, line: int, model: type[R], cells: dict[str, str], faults: list[Fault]
) -> R | None:
    """Return a row from its cells by field name; None, with `faults` appended, when it is wrong."""
    values: dict[str, Any] = dict(cells)
    for name, info in model.model_fields.items():
        if values.get(name, "").strip() == "" and _optional(info.annotation):
            values[name] = None
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0])
            title = model.model_fields[name].title or ""
            faults.append(
                Fault(file, line, name, title, repr(values.get(name, "")), _expected(dict(problem)))
            )
        return None


def _optional(annotation: Any) -> bool:
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return is_union and type(None) in typing.get_args(annotation)


def _expected(problem: dict[str, Any]) -> str:
    """Say what was expected, in words of ours where pydantic's speak of Python."""
    context = problem.get("ctx", {})
    match problem["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error" | "enum":
            return "one of " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
        case "string_pattern_mismatch":
            return "an id of a-z, 0-9 and '-', 2 to 40 characters, a letter first"
        case "string_too_short":
            return "some text"
        case "int_parsing":
            return "a whole number"
        case "float_parsing":
            return "a number"
        case "ip_v4_address":
            return "an IPv4 address"
        case "ip_v4_interface":
            return "an IPv4 address with its prefix length (192.0.2.1/24)"
        case "ip_v4_network" | "ip_v6_network":
            return "a prefix in its canonical form"
        case "missing":
            return "a value"
        case "extra_forbidden":
            return "no such field"
        case _:
            return str(problem["msg"]).removeprefix("Input should be ")


def _yaml(path: Path, faults: list[Fault]) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        faults.append(Fault(path.name, 0, "file", "", "nothing", "a YAML file"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        faults.append(Fault(path.name, line, "file", "", str(error.problem), "YAML"))
    return None


def _settings(path: Path, faults: list[Fault]) -> Settings | None:
    data = _yaml(path, faults)
    if data is None:
        return None
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        for problem in error.errors():
            field = ".".join(map(str, problem["loc"]))
            found = "nothing" if problem["type"] == "missing" else repr(problem["input"])
            faults.append(Fault(path.name, 0, field, "", found, _expected(dict(problem))))
        return None
