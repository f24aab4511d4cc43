"""What a stack is judged by: the register of its city today, and the city's exemptions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gaoling.city import City, Fault, RegisterError, read_city
from gaoling.cloud.stacks import ROOT
from infra.policy.exemptions import Exemption, read_exemptions
from infra.policy.model import Facts, today

INVENTORIES = ROOT / "inventories"


@dataclass(frozen=True)
class Context:
    """Facts and exemptions; `faults` say why there are none."""

    facts: Facts
    exemptions: tuple[Exemption, ...] = ()
    faults: tuple[Fault, ...] = ()


def context_of(stack: str, config: Mapping[str, Any], given: str = "") -> Context:
    """Return what a stack is judged by.

    Its configuration names city and region, where there is one (an analysis of the state has
    none); else the city is the one that is `given` or of inventories/ and begins the stack's name.
    """
    folder = _folder(stack, config, given)
    if folder is None:
        return Context(Facts(today()))
    facts = Facts(today())
    try:
        city = read_city(folder)
        facts = facts_of(city, str(config.get("gaoling:region") or _region(stack, city)))
        return Context(facts, read_exemptions(folder, facts.today, city.system))
    except RegisterError as error:
        return Context(facts, faults=tuple(error.faults))


def facts_of(city: City, region: str) -> Facts:
    """Return what the register says of a region; of no region, where it has none of that name."""
    return Facts(
        today=today(),
        region=region,
        region_mlps=city.region[region].mlps if region in city.region else None,
        systems={s.id: s.mlps for s in city.systems},
        departments=frozenset(city.department),
        encrypted=frozenset(t.name for t in city.settings.landing.volume_types if t.encrypted),
    )


def _folder(stack: str, config: Mapping[str, Any], given: str) -> Path | None:
    if name := str(config.get("gaoling:city") or ""):
        return Path(name) if Path(name).is_absolute() else INVENTORIES / name
    if given:
        folder = Path(given) if Path(given).is_absolute() else INVENTORIES / given
        if stack.startswith(f"{_id(folder)}-"):
            return folder
    known = {path.parent: _id(path.parent) for path in INVENTORIES.glob("*/city.yaml")}
    fitting = [p for p, city in known.items() if city and stack.startswith(f"{city}-")]
    return max(fitting, key=lambda path: len(known[path]), default=None)


def _id(folder: Path) -> str:
    """Return the id of a city, unread as to the rest; "" where there is none."""
    path = folder / "city.yaml"
    try:
        return str(yaml.safe_load(path.read_text(encoding="utf-8"))["id"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ""


def _region(stack: str, city: City) -> str:
    rest = stack.removeprefix(f"{city.settings.id}-")
    fitting = [name for name in city.region if rest.startswith(f"{name}-")]
    return max(fitting, key=len, default="")


def given_city() -> str:
    """Return the city that the environment names."""
    return os.environ.get("GAOLING_CITY", "")
