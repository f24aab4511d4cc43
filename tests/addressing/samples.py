"""What the tests of the address plan share."""

import datetime as dt
import itertools
from collections.abc import Iterable
from pathlib import Path

from gaoling.addressing import prefix

ROOT = Path(__file__).parents[2]
LAB = ROOT / "inventories" / "lab"
TODAY = dt.date(2026, 11, 23)


def disjoint(packed: Iterable[int]) -> bool:
    """Whether no two of the prefixes overlap (the narrower ones may not lie in wider ones)."""
    ordered = sorted(packed)
    return not any(prefix.inside(b, a) for a, b in itertools.pairwise(ordered))
