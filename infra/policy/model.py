"""What a rule sees and what it says. Nothing here knows of Pulumi's machinery."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
LANDING_ZONE = "gaoling:cloud:LandingZone"
COMPONENT = "gaoling:cloud:"
# where OpenStack keeps no tags, metadata name the system; keys differ by service
METADATA = ("gaoling_system", "gaoling-system")

Severity = Literal["low", "medium", "high", "critical"]
Language = Literal["zh", "en"]


class _Unknown:
    """A value that a preview does not know yet. It is there: it is true."""

    def __repr__(self) -> str:
        return "not known yet"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True)
class Resource:
    """A resource as a rule sees it; `uses` names by property the resources it was made from.

    A rule of scope resource sees what is asked for, one of scope stack what there is. A value that
    a preview does not know yet is UNKNOWN.
    """

    type: str
    urn: str
    name: str
    props: Mapping[str, Any]
    uses: Mapping[str, Sequence[Resource]] = field(default_factory=dict)

    def there(self, name: str) -> bool:
        """Return whether a property is set: its value may be unknown, what it comes from is not.

        A state holds "" for what was not asked for.
        """
        return bool(self.props.get(name)) or bool(self.uses.get(name))

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of the form name=value."""
        given = self.props.get("tags")
        texts = [t for t in given if isinstance(t, str)] if isinstance(given, Sequence) else []
        return dict(t.split("=", 1) for t in texts if "=" in t)

    @property
    def outermost(self) -> str:
        """Return the type of the component that it belongs to in the end; its own without one."""
        kinds = self.urn.split("::")[2] if self.urn.count("::") >= 3 else ""
        chain = [kind for kind in kinds.split("$") if kind.startswith(COMPONENT)]
        return chain[0] if chain else self.type

    @property
    def tagged_system(self) -> str:
        """Return the system that its tags or metadata name; "" without."""
        metadata = self.props.get("metadata")
        if isinstance(metadata, Mapping):
            for key in METADATA:
                if isinstance(metadata.get(key), str):
                    return str(metadata[key])
        return self.tags.get("system", "")


@dataclass(frozen=True)
class Facts:
    """What the register says today of the stack's city and region; None and empty: not known."""

    today: dt.date
    region: str = ""
    region_mlps: int | None = None
    systems: Mapping[str, int] | None = None  # id -> MLPS class
    departments: frozenset[str] | None = None
    encrypted: frozenset[str] = frozenset()  # the volume types that encrypt

    def system_of(self, resource: Resource) -> str:
        """Return the system that a resource belongs to; "" for what is of none.

        By its tags or metadata, else by its name in a landing zone: `health-data-1` is of health.
        """
        if tagged := resource.tagged_system:
            return tagged
        if resource.outermost != LANDING_ZONE:
            return ""
        known = [s for s in self.systems or () if f"{resource.name}-".startswith(f"{s}-")]
        return max(known, key=len, default="")

    def mlps_of(self, resource: Resource) -> int | None:
        """Return the class of the system of a resource: its tag's, else the register's."""
        tag = resource.tags.get("mlps", "")
        if tag in ("1", "2", "3", "4", "5"):
            return int(tag)
        return (self.systems or {}).get(self.system_of(resource))


@dataclass(frozen=True)
class Finding:
    """What breaks a rule: the resource, and what was found and expected, in both languages."""

    resource: Resource
    en: str
    zh: str

    def text(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


Broken = Iterator[Finding]


@dataclass(frozen=True)
class Rule:
    """One rule.

    `scope` is resource (each as it is asked for, before it is made) or stack (all of them
    together); `types` are what it looks at.
    """

    id: str
    title: str
    refuses: str
    refuses_zh: str
    reason: str
    reason_zh: str
    clause: str
    mend: str
    severity: Severity
    scope: Literal["resource", "stack"]
    types: tuple[str, ...]
    check: Callable[[Sequence[Resource], Facts], Broken]


def today() -> dt.date:
    """Return the day in Asia/Shanghai, where days of the register end."""
    return dt.datetime.now(SHANGHAI).date()
