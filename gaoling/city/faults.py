"""What is wrong with a register: every fault at once, each with its place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, order=True)
class Fault:
    """One fault: where it is, what was found there and what was expected.

    `field` is the column's name in the file, `title` its Chinese header; both are empty when the
    fault is of the whole file or row.
    """

    file: str
    line: int
    field: str
    title: str
    found: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        name = f"{self.field}（{self.title}）" if self.title else self.field
        return f"{place}: {name}: found {self.found}, expected {self.expected}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class RegisterError(Exception):
    """The register cannot be used. `faults` holds all that is wrong with it, in file order."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(map(str, self.faults)))
