"""Which city the lab is a copy of."""

from __future__ import annotations

from pathlib import Path

CITY = Path(__file__).resolve().parents[1] / "inventories" / "lab"
