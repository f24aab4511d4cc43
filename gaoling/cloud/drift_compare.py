"""What is declared against what is there: the findings of a region, from plain data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gaoling.city import City
from gaoling.cloud.demand import demands, home
from gaoling.cloud.drift import Finding, Kind, Looked, Report, merged, text
from gaoling.cloud.drift_declared import EMPTY_COUNTS, PROBED, SYNC_KEY, Declared, Held
from gaoling.cloud.drift_observed import Observed, Row, of_city, snake

# What may lie about, and what people call it
STRAYS = {
    "project": "Project", "server": "Instance", "server_group": "ServerGroup", "volume": "Volume",
    "network": "Network", "subnet": "Subnet", "router": "Router", "port": "Port",
    "floating_ip": "FloatingIp", "security_group": "SecGroup", "rule": "SecGroupRule",
    "container": "Container",
}  # fmt: skip
DEFAULT = "default"  # the group that Neutron makes for every project


def compare(city: City, declared: Declared, seen: Mapping[str, Observed]) -> Report:
    """Return the findings of the regions that were looked at, and how well each was."""
    findings: list[Finding] = []
    looked = []
    for observed in seen.values():
        one = _Region(city, declared, observed)
        findings += one.findings()
        looked.append(one.looked)
    return Report(merged(findings), looked)


class _Region:
    def __init__(self, city: City, declared: Declared, observed: Observed) -> None:
        self._city, self._declared, self._observed = city, declared, observed
        self._region = observed.region
        self._held = [h for h in declared.held if h.region == self._region]
        # groups and networks that stacks hold, and the system of each; a network of the platform
        # is for all to use
        self._holders: dict[str, dict[str, str]] = {}
        for one in self._held:
            rows = PROBED[one.type].rows
            if rows == "security_group" or (rows == "network" and one.system):
                self._holders.setdefault(rows, {})[one.id] = one.system
        self._home = self._region == home(city).name
        of_us = {
            i: row for i, row in observed.get("project").items()
            if of_city(row, declared.city)
        }  # fmt: skip
        self._system_of = {i: row["system"] or "" for i, row in of_us.items()}
        self._project_of = {row["name"]: i for i, row in of_us.items()}
        self.looked = Looked(
            self._region, len(self._held), 0, list(observed.wrong), round(observed.seconds, 2)
        )

    def findings(self) -> Iterator[Finding]:
        yield from self._never_made()
        for held in self._held:
            yield from self._one(held)
        yield from self._strays()

    def _found(
        self, kind: Kind, system: str, resource: str, field: str, declared: Any, observed: Any
    ) -> Finding:
        return Finding(
            kind, system, self._region, resource, field, text(declared), text(observed), "probe"
        )

    def _never_made(self) -> Iterator[Finding]:
        """What the register asks for here and no stack holds."""
        there = self._declared.systems(self._region)
        for one in demands(self._city, self._region):
            system = one.system.id
            if system not in there:
                yield self._found(
                    "missing", system, f"LandingZone {system}", "", "in the register",
                    "in no stack",
                )  # fmt: skip

    # -- what is held

    def _key(self, held: Held, rows: str) -> str | None:
        """Return the id of a resource's row; None where it lies in what was not asked."""
        observed = self._observed
        if rows == "container":
            project = self._project_of.get(self._declared.project(held.system), "")
            if "project" not in observed.rows or (project and project not in observed.accounts):
                return None
            return f"{project}/{held.inputs.get('name', held.id)}"
        if rows.endswith("_quota"):
            project = held.project_id
            asked = rows == "network_quota" and rows in observed.rows
            return project if asked or project in observed.get(rows) else None
        return held.id if rows in observed.rows else None

    def _one(self, held: Held) -> Iterator[Finding]:
        kind = PROBED[held.type]
        key = self._key(held, kind.rows)
        if key is None:
            return
        self.looked.compared += 1
        row = self._observed.get(kind.rows).get(key)
        if row is None:
            yield self._found("missing", held.system, held.resource, "", held.id, "")
            return
        names = held.inputs if kind.quota else kind.fields
        for name in names:
            if name in ("projectId", "__defaults") or (kind.quota and name == "name"):
                continue
            if name not in held.inputs and name not in EMPTY_COUNTS:
                continue
            there = row.get(snake(name) if kind.quota else name)
            if differs := _differs(name, held.inputs.get(name, ""), there):
                yield self._found("changed", held.system, held.resource, name, *differs)

    # -- what nobody holds

    def _strays(self) -> Iterator[Finding]:
        held: dict[str, set[str]] = {}
        others = set(self._declared.others)
        for one in self._declared.held:
            rows = PROBED[one.type].rows
            if one.region == self._region or rows == "project":
                held.setdefault(rows, set()).add(self._key(one, rows) or one.id)
        for rows, name in STRAYS.items():
            if rows == "project" and not self._home:
                continue  # projects are of the whole cloud: the first region speaks of them
            for identity, row in self._observed.get(rows).items():
                if identity in others or identity in held.get(rows, ()):
                    continue
                if self._is_of_another(rows, row, held):
                    continue
                if (place := self._place(rows, row)) is None:
                    continue
                marked = row["system"] is not None
                shown = row["name"] or identity
                if rows in ("port", "subnet", "floating_ip", "rule", "project"):
                    shown = f"{shown} {identity}" if row["name"] else identity
                if rows == "rule":
                    group = self._observed.get("security_group").get(row["group"], {})
                    shown = f"{group.get('name', row['group'])}: {shown}"
                kind: Kind = "orphan" if marked or rows == "project" else "foreign"
                yield self._found(kind, place, f"{name} {shown}", "", "", identity)

    def _place(self, rows: str, row: Row) -> str | None:
        """Return the system in whose project a thing lies; None when it is not for us to judge."""
        project = row["project"]
        if rows == "project":
            return row["system"] or "" if project in self._system_of else None
        # what an administrator adds to a thing of ours is of the administrator's own project
        for kind, holder in (("security_group", "group"), ("network", "network")):
            identity = row.get(holder)
            if identity in self._holders.get(kind, {}):
                return self._holders[kind][identity]
            if project not in self._system_of and identity in self._observed.get(kind):
                project = self._observed.get(kind)[identity]["project"]
        if project in self._system_of:
            return self._system_of[project]
        if row["system"] is None or "project" not in self._observed.rows:
            return None
        if project in self._observed.get("project"):
            return None  # a landing zone of another city
        return str(row["system"])

    def _is_of_another(self, rows: str, row: Row, held: Mapping[str, set[str]]) -> bool:
        """Whether a thing comes and goes with another that is held or spoken of by itself."""
        if rows == "security_group":
            return bool(row["name"] == DEFAULT)
        if rows == "subnet":
            return row["network"] not in held.get("network", ())
        if rows == "rule":
            group = self._observed.get("security_group").get(row["group"], {})
            if group.get("name") == DEFAULT:
                return _by_neutron(row)
            return row["group"] not in held.get("security_group", ())
        if rows == "port":
            owner, device = row["owner"], row["device"]
            if owner.startswith("compute:"):
                return device not in held.get("server", ())
            if owner.startswith("network:router_interface"):
                return device not in held.get("router", ())
            return bool(owner)  # a service's own: DHCP, a router's gateway, a load balancer
        return False


def _by_neutron(rule: Row) -> bool:
    """Whether a rule of a default group is as Neutron makes it: out to all, in from its members."""
    if rule["direction"] == "egress":
        return True
    return bool(rule["peers"] == rule["group"])


def _differs(name: str, declared: Any, observed: Any) -> tuple[Any, Any] | None:
    """Return both values as they are to be shown; None where they are the same."""
    if name == SYNC_KEY and declared is None:
        return None  # a key that is declared and not known to us
    if name == "metadata":  # services add their own
        there = {str(k).lower(): v for k, v in (observed or {}).items()}
        wrong = {k: v for k, v in (declared or {}).items() if text(there.get(k.lower())) != text(v)}
        return (wrong, {k: there.get(k.lower(), "") for k in wrong}) if wrong else None
    if name == "externalFixedIps":
        declared = [ip.get("ipAddress", "") for ip in declared]
    if name in ("containerRead", "containerWrite"):  # Swift joins them with commas
        declared, observed = (
            [part.strip() for part in str(v or "").split(",")] for v in (declared, observed)
        )
    return None if text(declared) == text(observed) else (declared, observed)
