"""What Pulumi's refresh sees: the changes of `pulumi refresh --preview-only`, as findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gaoling.cloud.drift import Finding, text
from gaoling.cloud.drift_declared import Declared, resource
from gaoling.cloud.events import EventLog
from gaoling.cloud.run import Outcome

# never shown, whatever Pulumi thinks of it
HIDDEN = ("password", "secret", "userdata", "token", "synckey")
SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 (how Pulumi marks a secret)


def findings(outcomes: Iterable[Outcome], declared: Declared) -> Iterator[Finding]:
    """Yield what refreshes that changed nothing found."""
    system_of = {h.urn: h.system for h in declared.held}
    for outcome in outcomes:
        seen: set[str] = set()
        for event in EventLog(outcome.log.with_suffix(".events.jsonl")).new():
            found = event.get("resOutputsEvent") or event.get("resourcePreEvent") or {}
            about = found.get("metadata") or {}
            if about.get("op") not in ("update", "delete") or about["urn"] in seen:
                continue
            seen.add(about["urn"])
            system = system_of.get(about["urn"]) or _system(about, system_of)
            yield from _of(about, system, outcome.stack.region)


def _of(about: Mapping[str, Any], system: str, region: str) -> Iterator[Finding]:
    name = resource(about["type"], about["urn"].rpartition("::")[2])
    old, new = about.get("old") or {}, about.get("new") or {}
    if about["op"] == "delete":
        declared = text(old.get("id"))
        yield Finding("missing", system, region, name, "", declared, "", "refresh")
        return
    keys = {key.partition(".")[0].partition("[")[0] for key in about.get("diffs") or ()}
    for key in sorted(keys) or [""]:
        yield Finding(
            "changed", system, region, name, key,
            _shown(key, old), _shown(key, new), "refresh",
        )  # fmt: skip


def _shown(key: str, state: Mapping[str, Any]) -> str:
    value = (state.get("outputs") or {}).get(key, (state.get("inputs") or {}).get(key))
    if any(word in key.lower() for word in HIDDEN) or SECRET in str(value):
        return "[secret]"
    return text(value)


def _system(about: Mapping[str, Any], system_of: Mapping[str, str]) -> str:
    """Return the system of a resource that the probe does not compare: that of a neighbour."""
    state = about.get("old") or about.get("new") or {}
    parent = str(state.get("parent", ""))
    kinds, _, name = parent.rpartition("::")
    if "gaoling:cloud:LandingZone" in kinds:
        return name  # components have the name of their system
    return system_of.get(parent, "")
