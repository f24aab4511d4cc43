"""A city that has a source of truth keeps it: sites, devices and links to and from Nautobot.

Nautobot holds what the network is: locations (a site's code is the location's facility), devices,
interfaces, IPv4 addresses, cables. Systems and targets are the register's own. Nothing in Nautobot
is ever deleted, and nothing here is written without a diff that somebody has seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pynautobot  # type: ignore[import-untyped]

from gaoling.city.model import City, Level, Site
from gaoling.city.sheets import Sheet

TYPES = {  # a site's level -> location type and what that lies in
    "unit": ("gaoling-单位", "gaoling-市"),
    Level.CITY: ("gaoling-市", ""),
    Level.COUNTY: ("gaoling-县", "gaoling-市"),
    Level.TOWNSHIP: ("gaoling-乡", "gaoling-县"),
    Level.VILLAGE: ("gaoling-村", "gaoling-乡"),
}
_LEVELS = {name: level for level, (name, _) in TYPES.items() if isinstance(level, Level)}
_MANAGEMENT = "management"
_BATCH = 200


class NautobotError(Exception):
    """Nautobot cannot be used, or refused what was sent; the message is its own."""


@dataclass(frozen=True, order=True)
class Step:
    """One thing that an export does: `create` or `update` an object of an endpoint."""

    endpoint: str
    name: str
    what: str
    detail: str = ""

    def __str__(self) -> str:
        sign = "+" if self.what == "create" else "~"
        return f"{sign} {self.endpoint} {self.name}{f' {self.detail}' if self.detail else ''}"


@dataclass
class Exporter:
    """Makes Nautobot hold what the register says; with `write` False it only lists the steps."""

    api: Any
    city: City
    write: bool
    steps: list[Step] = field(default_factory=list)

    def run(self) -> list[Step]:
        """Return what was done, or would be. Raises NautobotError."""
        try:
            self._run()
        except pynautobot.RequestError as error:
            raise NautobotError(f"Nautobot: {error.error}") from None
        except OSError as error:
            raise NautobotError(f"Nautobot: {error}") from None
        return self.steps

    def _run(self) -> None:
        active = self._status("Active")
        places = self._locations(active)
        models = self._device_types()
        roles = self._ensure("extras.roles", "name", {
            str(d.role): {"content_types": ["dcim.device"]} for d in self.city.devices
        })  # fmt: skip
        devices = self._ensure("dcim.devices", "name", {
            d.name: {
                "location": places.get(d.site), "role": roles.get(str(d.role)), "status": active,
                "device_type": models.get(d.platform), "platform": models.get(f"os:{d.platform}"),
            } for d in self.city.devices
        })  # fmt: skip
        interfaces = self._interfaces(devices, active)
        self._addresses(interfaces, devices, active)
        self._cables(interfaces)

    def _ensure(self, endpoint: str, key: str, wanted: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Create what is missing and update what differs; return key -> id of what is there."""
        here = _endpoint(self.api, endpoint)
        there = {str(getattr(record, key)): record for record in here.all(limit=500)}
        ids = {name: str(record.id) for name, record in there.items()}
        missing, updates = [], []
        for name, values in wanted.items():
            record = there.get(name)
            if record is None:
                self.steps.append(Step(endpoint, name, "create"))
                missing.append({key: name, **values})
                continue
            changed = {k: v for k, v in values.items() if v is not None and not _same(record, k, v)}
            if changed:
                self.steps.append(Step(endpoint, name, "update", ", ".join(sorted(changed))))
                updates.append({"id": str(record.id), **changed})
        if self.write:
            for start in range(0, len(updates), _BATCH):
                here.update(updates[start : start + _BATCH])
            for made in _create(here, missing):
                ids[str(getattr(made, key))] = str(made.id)
        return ids

    def _status(self, name: str) -> str:
        found = self.api.extras.statuses.get(name=name)
        if found is None:
            raise NautobotError(f"Nautobot: found no status {name!r}, expected it")
        return str(found.id)

    def _locations(self, active: str) -> dict[str, str]:
        ids: dict[str, str] = {}
        for name, parent in sorted(TYPES.values(), key=lambda pair: pair[1] != ""):
            values: dict[str, Any] = {"content_types": ["dcim.device"]}
            if parent:
                values["parent"] = ids.get(parent)
            ids |= self._ensure("dcim.location_types", "name", {name: values})
        settings = self.city.settings
        found = self._ensure("dcim.locations", "facility", {
            settings.code: {"name": settings.name, "location_type": ids.get(TYPES[Level.CITY][0]),
                            "status": active},
        })  # fmt: skip
        for level in (Level.CITY, Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE):
            kind = TYPES["unit" if level is Level.CITY else level][0]
            found |= self._ensure("dcim.locations", "facility", {
                s.code: {"name": s.name, "location_type": ids.get(kind), "status": active,
                         "parent": found.get(s.parent), "description": s.kind}
                for s in self.city.sites if s.level is level
            })  # fmt: skip
        return found

    def _device_types(self) -> dict[str, str]:
        """Return platform -> device type, and os:platform -> platform."""
        names = sorted({d.platform for d in self.city.devices})
        maker = self._ensure("dcim.manufacturers", "name", {"gaoling": {}})
        types = self._ensure("dcim.device_types", "model", {
            name: {"manufacturer": maker.get("gaoling")} for name in names
        })  # fmt: skip
        platforms = self._ensure("dcim.platforms", "name", {name: {} for name in names})
        return types | {f"os:{name}": id_ for name, id_ in platforms.items()}

    def _interfaces(self, devices: dict[str, str], active: str) -> dict[tuple[str, str], str]:
        wanted = {(d.name, _MANAGEMENT) for d in self.city.devices}
        for link in self.city.links:
            wanted |= {(link.a_device, link.a_interface), (link.b_device, link.b_interface)}
        wanted |= {(s.device, s.interface) for s in self.city.sites if s.device}
        there = {(i.device.name, i.name): str(i.id) for i in _all(self.api, "dcim.interfaces")}
        missing = sorted(wanted - there.keys())
        self.steps += [Step("dcim.interfaces", f"{d}:{i}", "create") for d, i in missing]
        if self.write:
            made = _create(self.api.dcim.interfaces, [
                {"device": devices[d], "name": i, "status": active,
                 "type": "virtual" if i == _MANAGEMENT else "other"} for d, i in missing
            ])  # fmt: skip
            there.update({pair: str(m.id) for pair, m in zip(missing, made, strict=True)})
        return there

    def _addresses(
        self, interfaces: dict[tuple[str, str], str], devices: dict[str, str], active: str
    ) -> None:
        on: dict[str, tuple[str, str]] = {}
        networks = {str(self.city.settings.ipv4_aggregate)}
        for link in self.city.links:
            on[str(link.a_ipv4)] = (link.a_device, link.a_interface)
            on[str(link.b_ipv4)] = (link.b_device, link.b_interface)
            networks.add(str(link.a_ipv4.network))
        for site in self.city.sites:
            if site.device and site.ipv4 is not None:
                on[str(site.ipv4)] = (site.device, site.interface)
                networks.add(str(site.ipv4.network))
        management = {d.name: f"{d.management}/32" for d in self.city.devices}
        networks |= set(management.values())
        on |= {address: (name, _MANAGEMENT) for name, address in management.items()}
        space = {"namespace": "Global", "status": active}
        ordered = sorted(networks, key=lambda n: int(n.rpartition("/")[2]))
        self._ensure("ipam.prefixes", "prefix", {network: dict(space) for network in ordered})
        ids = self._ensure("ipam.ip_addresses", "address", {a: dict(space) for a in sorted(on)})
        joined = {(str(j.ip_address.id), str(j.interface.id)) for j in
                  _all(self.api, "ipam.ip_address_to_interface") if j.interface}  # fmt: skip
        missing = [(a, end) for a, end in on.items()
                   if (ids.get(a), interfaces.get(end)) not in joined]  # fmt: skip
        self.steps += [Step("ipam.ip_address_to_interface", f"{d}:{i}", "create", a)
                       for a, (d, i) in missing]  # fmt: skip
        if self.write:
            _create(self.api.ipam.ip_address_to_interface, [
                {"ip_address": ids[a], "interface": interfaces[end]} for a, end in missing
            ])  # fmt: skip
        self._ensure("dcim.devices", "name", {
            name: {"primary_ip4": ids.get(address)} for name, address in management.items()
            if name in devices
        })  # fmt: skip

    def _cables(self, interfaces: dict[tuple[str, str], str]) -> None:
        connected = self._status("Connected")
        taken = {str(end) for c in _all(self.api, "dcim.cables")
                 for end in (c.termination_a_id, c.termination_b_id)}  # fmt: skip
        wanted = []
        for link in self.city.links:
            a = interfaces.get((link.a_device, link.a_interface))
            b = interfaces.get((link.b_device, link.b_interface))
            if a in taken and a is not None:
                continue
            self.steps.append(Step("dcim.cables", link.id, "create"))
            wanted.append({
                "termination_a_type": "dcim.interface", "termination_a_id": a,
                "termination_b_type": "dcim.interface", "termination_b_id": b,
                "status": connected, "label": f"{link.protocol} {link.area}",
            })  # fmt: skip
        if self.write:
            _create(self.api.dcim.cables, wanted)


def connect(url: str, token: str) -> Any:
    """Return Nautobot's API. Raises NautobotError when there is none that answers at that URL."""
    try:
        return pynautobot.api(url, token=token, retries=2)
    except (OSError, pynautobot.RequestError) as error:
        raise NautobotError(f"Nautobot: found no answer at {url}: {error}") from None


def _endpoint(api: Any, path: str) -> Any:
    app, _, name = path.partition(".")
    return getattr(getattr(api, app), name)


def _all(api: Any, path: str) -> list[Any]:
    # depth 1 brings names with the references: one request a page instead of one an object
    return list(_endpoint(api, path).all(limit=500, depth=1))


def _create(endpoint: Any, rows: list[dict[str, Any]]) -> list[Any]:
    made: list[Any] = []
    for start in range(0, len(rows), _BATCH):
        made += endpoint.create(rows[start : start + _BATCH])
    return made


def _same(record: Any, name: str, value: Any) -> bool:
    found = getattr(record, name, None)
    if isinstance(value, list):
        return set(value) <= set(found or [])
    if name == "namespace":
        return True
    return str(getattr(found, "id", found) or "") == str(value)


def sheets(api: Any, city: City) -> dict[str, Sheet]:
    """Return what Nautobot holds of sites, devices and links, as tables to be proposed.

    Only locations of our types are read. What Nautobot does not know (exemptions, LAN interfaces)
    is not in the tables, so that a partial import keeps it. Raises NautobotError.
    """
    try:
        return _sheets(api, city)
    except pynautobot.RequestError as error:
        raise NautobotError(f"Nautobot: {error.error}") from None


def _sheets(api: Any, city: City) -> dict[str, Sheet]:
    kinds = {name for name, _ in TYPES.values()}
    places = {str(p.id): p for p in _all(api, "dcim.locations") if p.location_type.name in kinds}
    sites, devices, links = [], [], []
    for place in places.values():
        if place.facility == city.settings.code:
            continue
        above = places.get(str(place.parent.id)) if place.parent else None
        level = _LEVELS.get(place.location_type.name, Level.CITY)
        sites.append({
            "code": place.facility, "name": place.name, "level": str(level),
            "kind": _kind(place.description, level), "parent": above.facility if above else "",
        })  # fmt: skip
    addresses = {str(a.id): str(a.address) for a in _all(api, "ipam.ip_addresses")}
    for device in _all(api, "dcim.devices"):
        place = places.get(str(device.location.id))
        if place is None:
            continue
        primary = addresses.get(str(device.primary_ip4.id), "") if device.primary_ip4 else ""
        devices.append({
            "name": device.name, "role": device.role.name, "site": place.facility,
            "platform": device.platform.name if device.platform else "",
            "management": primary.partition("/")[0],
        })  # fmt: skip
    known = {d["name"] for d in devices}
    address = {str(j.interface.id): addresses.get(str(j.ip_address.id), "") for j in
               _all(api, "ipam.ip_address_to_interface") if j.interface}  # fmt: skip
    ends = {str(i.id): (i.device.name, i.name) for i in _all(api, "dcim.interfaces")}
    for cable in _all(api, "dcim.cables"):
        a, b = str(cable.termination_a_id), str(cable.termination_b_id)
        if a not in ends or b not in ends or not {ends[a][0], ends[b][0]} <= known:
            continue
        protocol, _, area = str(cable.label).partition(" ")
        links.append({
            "a_device": ends[a][0], "a_interface": ends[a][1], "a_ipv4": address.get(a, ""),
            "b_device": ends[b][0], "b_interface": ends[b][1], "b_ipv4": address.get(b, ""),
            "protocol": protocol, "area": area,
        })  # fmt: skip
    return {"sites": _sheet("sites", sites), "devices": _sheet("devices", devices),
            "links": _sheet("links", links)}  # fmt: skip


def _kind(description: str, level: Level) -> str:
    allowed = Site.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
    default = {Level.CITY: "facility", Level.COUNTY: "county", Level.VILLAGE: "village"}
    return description if description in allowed else default.get(level, "township")


def _sheet(table: str, rows: Iterable[dict[str, str]]) -> Sheet:
    listed = sorted(rows, key=lambda row: list(row.values()))
    found = Sheet(f"nautobot[{table}]", list(listed[0]) if listed else [])
    found.rows = list(enumerate(listed, 1))
    found.raw = {n: list(row.values()) for n, row in found.rows}
    return found
