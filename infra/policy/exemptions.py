"""Exemptions: which rule does not hold for what, why, and until when. They are data.

`inventories/<city>/exemptions.yaml` is a list of them. One without a reason, or past its day, is an
error: nothing is exempt by a file that is not whole.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from gaoling.city import Fault, RegisterError
from infra.policy.model import Facts, Finding
from infra.policy.rules import RULE_BY_ID

FILE = "exemptions.yaml"
TITLES = {"rule": "规则", "resource": "资源", "reason": "理由", "until": "截止日期"}
_ANY = "urn:pulumi:any::any::any::any"  # a pattern that matches it names nothing


@dataclass(frozen=True)
class Exemption:
    """`resource` is a system of the register, or a URN in which `*` stands for anything.

    It holds to the end of the day `until` in Asia/Shanghai.
    """

    rule: str
    resource: str
    reason: str
    until: dt.date
    line: int

    def covers(self, rule: str, finding: Finding, facts: Facts) -> bool:
        """Return whether it lets a finding of a rule pass."""
        if rule != self.rule:
            return False
        if self.resource.startswith("urn:"):
            return matches(finding.resource.urn, self.resource)
        return facts.system_of(finding.resource) == self.resource


def matches(urn: str, pattern: str) -> bool:
    """Return whether a URN is of a pattern: only `*` is special."""
    return fnmatchcase(urn, pattern.replace("[", "[[]").replace("?", "[?]"))


def exempt(
    exemptions: Sequence[Exemption], rule: str, finding: Finding, facts: Facts
) -> Exemption | None:
    """Return the exemption of a finding; of several the one that holds longest; None without."""
    found = [e for e in exemptions if e.covers(rule, finding, facts)]
    return max(found, key=lambda e: e.until, default=None)


def read_exemptions(
    folder: Path, today: dt.date, systems: Collection[str]
) -> tuple[Exemption, ...]:
    """Return the exemptions of a city's folder; none where it has no such file.

    Raises RegisterError with every fault: what is missing, expired, or names what there is not.
    """
    path = folder / FILE
    if not path.exists():
        return ()
    faults: list[Fault] = []
    found = []
    for node in _items(path, faults):
        before = len(faults)
        texts, lines = _fields(node, faults)
        line = node.start_mark.line + 1
        for name, value in texts.items():
            if expected := _wrong(name, value, today, systems):
                faults.append(
                    Fault(FILE, lines.get(name, line), name, TITLES[name], repr(value), expected)
                )
        if len(faults) == before:
            until = dt.date.fromisoformat(texts["until"])
            found.append(Exemption(texts["rule"], texts["resource"], texts["reason"], until, line))
    if faults:
        raise RegisterError(faults)
    return tuple(found)


def _items(path: Path, faults: list[Fault]) -> list[yaml.MappingNode]:
    """Return the items of the file's list, with their places; append to `faults` what is none."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        faults.append(Fault(FILE, line, "file", "", str(error.problem), "YAML"))
        return []
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        faults.append(Fault(FILE, root.start_mark.line + 1, "file", "", f"a {_kind(root)}",
                            "a list of exemptions"))  # fmt: skip
        return []
    items = []
    for node in root.value:
        if isinstance(node, yaml.MappingNode):
            items.append(node)
        else:
            expected = f"an exemption: {', '.join(TITLES)}"
            faults.append(Fault(FILE, node.start_mark.line + 1, "item", "", f"a {_kind(node)}",
                                expected))  # fmt: skip
    return items


def _kind(node: yaml.Node) -> str:
    return type(node).__name__.removesuffix("Node").lower()


def _fields(node: yaml.MappingNode, faults: list[Fault]) -> tuple[dict[str, str], dict[str, int]]:
    """Return text and line of each field, "" for one that is missing; append unknown ones."""
    texts, lines = dict.fromkeys(TITLES, ""), {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value not in TITLES:
            expected = f"one of {', '.join(TITLES)}"
            faults.append(Fault(FILE, line, str(key.value), "", "an unknown field", expected))
        elif key.value in lines:
            faults.append(Fault(FILE, line, key.value, TITLES[key.value], "the field twice",
                                "once"))  # fmt: skip
        else:
            lines[key.value] = line
            texts[key.value] = (
                " ".join(value.value.split()) if isinstance(value, yaml.ScalarNode) else ""
            )
    return texts, lines


def _wrong(name: str, value: str, today: dt.date, systems: Collection[str]) -> str:
    """Return what was expected of a field; "" where it is right."""
    if name == "rule":
        return "" if value in RULE_BY_ID else f"one of {', '.join(RULE_BY_ID)}"
    if name == "reason":
        return "" if value else "a reason: why the rule does not hold there"
    if name == "resource":
        if value.startswith("urn:"):
            return "a URN that names something" if matches(_ANY, value) else ""
        return "" if value in systems else "a system of systems.csv, or a URN (* for anything)"
    try:
        until = dt.date.fromisoformat(value)
    except ValueError:
        return "a day as 2026-12-31"
    return "" if until >= today else f"a day that is not past (today is {today})"
