"""Drift (漂移): where the cloud is not what the stacks made of it. What a finding is, and a report.

Two who look: Pulumi's refresh, which sees what the provider reads, and a probe of our own, which
sees what the provider does not (sync keys, ACLs, foreign rules, orphans) and needs no toolchain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["changed", "missing", "foreign", "orphan"]
Source = Literal["probe", "refresh"]
# changed: not as declared. missing: declared, not there. foreign: in a landing zone, declared by
# nobody. orphan: it bears our mark, and no stack holds it.
KINDS: tuple[Kind, ...] = ("changed", "missing", "foreign", "orphan")


@dataclass(frozen=True)
class Finding:
    """One difference. `resource` is the kind and the name of a thing; `field` is "" for all of it.

    `declared` and `observed` are text to be read by people. A key is shown as a digest, never as
    itself.
    """

    kind: Kind
    system: str
    region: str
    resource: str
    field: str
    declared: str
    observed: str
    source: Source

    @property
    def key(self) -> tuple[str, ...]:
        """Return what tells it from others: two strays may have one name, their ids differ."""
        stray = self.observed if self.kind in ("foreign", "orphan") else ""
        return (self.kind, self.region, self.system, self.resource, self.field, stray)


@dataclass
class Looked:
    """How a region was looked at: what was compared of what is declared, what could not be asked.

    A region with anything in `wrong` was not seen whole: what is not found in it is not known to
    be right.
    """

    region: str
    wanted: int = 0
    compared: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Report:
    """What was found, and by how good a look."""

    findings: list[Finding]
    regions: list[Looked]

    @property
    def whole(self) -> bool:
        """Whether every region could be asked for everything."""
        return not any(r.wrong for r in self.regions)

    @property
    def counts(self) -> dict[str, int]:
        return {kind: sum(f.kind == kind for f in self.findings) for kind in KINDS}

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "drift": bool(self.findings),
            "whole": self.whole,
            "counts": self.counts,
            "regions": [asdict(r) for r in self.regions],
            "findings": [asdict(f) for f in self.findings],
        }


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings sorted, each once: where both looked and saw the same, the probe speaks.

    It knows both values; and what is missing as a whole has no changed fields.
    """
    found: dict[tuple[str, ...], Finding] = {}
    for one in findings:
        if one.key not in found or one.source == "probe":
            found[one.key] = one
    gone = {(f.region, f.resource) for f in found.values() if f.kind == "missing"}
    kept = [f for f in found.values() if f.kind == "missing" or (f.region, f.resource) not in gone]
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(kept, key=lambda f: (order[f.kind], *f.key[1:], f.declared, f.observed))


def selected(
    findings: Iterable[Finding], regions: Collection[str], systems: Collection[str] | None
) -> list[Finding]:
    """Return the findings of some regions, and of some systems where they are named."""
    return [f for f in findings if f.region in regions and (systems is None or f.system in systems)]


def text(value: Any) -> str:
    """Return a value as people read it: the same for the same value, whatever its order."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={text(v)}" for k, v in sorted(value.items()))
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(sorted(text(v) for v in value))
    return str(value)
