"""What a dashboard and a rule must have; every fault at once, with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

CHINESE = re.compile(r"[一-鿿]")
# of any of these a dashboard must show at least one: how old what it says is
AGES = ("gaoling:evidence_age:seconds", "gaoling_evidence_oldest_timestamp_seconds")
# Grafana's own variables, as PromQL can read them
_VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "1h"}
OTHERS = frozenset({"up"})  # metrics of Prometheus itself


def metrics_of(expr: str) -> set[str]:
    """Return the names of the metrics in an expression. Raises ValueError when it is no PromQL."""
    for variable, value in _VARIABLES.items():
        expr = expr.replace(variable, value)
    return set(_names(promql_parser.parse(expr)))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.VectorSelector):
        if node.name:
            yield node.name
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from _names(node.vector_selector)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from _names(node.lhs)
        yield from _names(node.rhs)
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from _names(argument)
    elif hasattr(node, "expr"):  # aggregations, parentheses, signs, subqueries
        yield from _names(node.expr)


def known_metrics(golden: Path, rules: Iterable[Path]) -> set[str]:
    """Return the metrics of the exporter's golden page, and those that rules record."""
    lines = golden.read_text(encoding="utf-8").splitlines()
    found = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    for rule in all_rules(rules):
        if "record" in rule:
            found.add(rule["record"])
    return found | OTHERS


def all_rules(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield every rule of rule files."""
    for path in files:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def expression(place: str, expr: str, known: set[str]) -> Iterator[str]:
    """Yield what is wrong with an expression."""
    try:
        names = metrics_of(expr)
    except ValueError as error:
        yield f"{place}: not PromQL: {error}: {expr}"
        return
    for name in sorted(names - known):
        yield f"{place}: unknown metric {name}: no golden file and no rule has it"


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard, those in rows too."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels") or []


def dashboard(name: str, board: dict[str, Any], known: set[str]) -> list[str]:
    """Return what is wrong with a dashboard."""
    wrong: list[str] = []
    if not CHINESE.search(board.get("title") or ""):
        wrong.append(f"{name}: title: found {board.get('title')!r}, expected Chinese")
    seen: set[int] = set()
    used: set[str] = set()
    for panel in panels(board):
        number = panel.get("id")
        place = f"{name}: panel {number} {panel.get('title')!r}"
        if not number or number in seen:
            wrong.append(f"{place}: expected an id of its own, above 0")
        seen.add(number or 0)
        if not CHINESE.search(panel.get("title") or ""):
            wrong.append(f"{place}: expected a Chinese title")
        if panel["type"] == "row":
            continue
        defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
        if not defaults.get("unit"):
            wrong.append(f"{place}: expected a unit")
        if not defaults.get("noValue"):
            wrong.append(f"{place}: expected words for no data (无数据), not an empty panel")
        if not panel.get("targets"):
            wrong.append(f"{place}: expected a query")
        for target in panel.get("targets") or []:
            wrong += expression(place, target["expr"], known)
            try:
                used |= metrics_of(target["expr"])
            except ValueError:
                continue
    if not used.intersection(AGES):
        wrong.append(f"{name}: expected the age of the data in a panel ({' or '.join(AGES)})")
    return wrong


def rules(files: Iterable[Path], known: set[str], runbooks: Path) -> list[str]:
    """Return what is wrong with rules: expressions, severity, words, runbook."""
    wrong: list[str] = []
    for rule in all_rules(files):
        name = rule.get("alert") or rule["record"]
        wrong += expression(name, str(rule["expr"]), known)
        if "alert" not in rule:
            continue
        if rule.get("labels", {}).get("severity") not in (
            "critical",
            "warning",
            "info",
            "standing",
        ):
            wrong.append(f"{name}: severity: expected critical, warning, info or standing")
        notes = rule.get("annotations", {})
        if not CHINESE.search(notes.get("summary", "")):
            wrong.append(f"{name}: summary: expected Chinese")
        page = runbooks / f"{name}.md"
        if notes.get("runbook") != f"dashboards/runbooks/{name}.md" or not page.exists():
            wrong.append(f"{name}: runbook: expected dashboards/runbooks/{name}.md")
            continue
        text = page.read_text(encoding="utf-8")
        for part in ("Meaning", "Impact", "Diagnosis", "Mitigation"):
            if f"## {part}" not in text:
                wrong.append(f"{page.name}: expected a part {part}")
    return wrong
