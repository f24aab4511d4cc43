"""Rules across the tables of a city: references, duplicates, what must go together."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface

from gaoling.city.faults import Fault
from gaoling.city.model import City, Level, Role, Row

Lines = dict[str, list[int]]
_ABOVE = {Level.COUNTY: "", Level.TOWNSHIP: Level.COUNTY, Level.VILLAGE: Level.TOWNSHIP}


def check(city: City, lines: Lines) -> list[Fault]:
    """Return what contradicts across files; `lines` holds each table's line numbers, by row."""
    found: list[Fault] = []
    for rule in (_unique, _systems, _sites, _devices, _links, _regions):
        found += rule(city, lines)
    return found


def _fault(table: str, line: int, row: Row, field: str, found: str, expected: str) -> Fault:
    title = type(row).model_fields[field].title or ""
    return Fault(f"{table}.csv", line, field, title, found, expected)


def _unique(city: City, lines: Lines) -> Iterator[Fault]:
    keys = {"departments": "id", "systems": "id", "sites": "code", "devices": "name",
            "targets": "id"}  # fmt: skip
    for table, key in keys.items():
        first: dict[str, int] = {}
        for row, line in zip(getattr(city, table), lines[table], strict=True):
            value = getattr(row, key)
            if value in first:
                expected = f"each {key} once (it is on line {first[value]} too)"
                yield _fault(table, line, row, key, repr(value), expected)
            first.setdefault(value, line)


def _systems(city: City, lines: Lines) -> Iterator[Fault]:
    for row, line in zip(city.systems, lines["systems"], strict=True):
        if row.department not in city.department:
            yield _fault("systems", line, row, "department", repr(row.department),
                         "a department of departments.csv")  # fmt: skip
        policy = city.recovery_policy.get(row.recovery)
        if policy is None:
            yield _fault("systems", line, row, "recovery", repr(row.recovery),
                         "a recovery policy of city.yaml")  # fmt: skip
        elif row.has_landing_zone and row.mlps >= 3 and policy.region is None:
            yield _fault("systems", line, row, "recovery", repr(row.recovery),
                         "a policy with a region: its MLPS class is 3 or above")  # fmt: skip
        if row.has_landing_zone and row.state in ("building", "live"):
            for field in ("servers", "vcpus", "memory_gb", "port"):
                if getattr(row, field) == 0:
                    yield _fault("systems", line, row, field, "0",
                                 "more than 0: the cloud holds it")  # fmt: skip


def _sites(city: City, lines: Lines) -> Iterator[Fault]:
    for row, line in zip(city.sites, lines["sites"], strict=True):
        above = city.site.get(row.parent)
        if row.level is Level.COUNTY and row.parent != city.settings.code:
            yield _fault("sites", line, row, "parent", repr(row.parent),
                         f"the city's code {city.settings.code!r}")  # fmt: skip
        elif row.level in (Level.TOWNSHIP, Level.VILLAGE) and (
            above is None or above.level != _ABOVE[row.level]
        ):
            yield _fault("sites", line, row, "parent", repr(row.parent),
                         f"the code of a {_ABOVE[row.level]} of sites.csv")  # fmt: skip
        if row.kind == "department" and row.code not in city.department:
            yield _fault("sites", line, row, "code", repr(row.code),
                         "a department of departments.csv")  # fmt: skip
        if row.device and row.device not in city.device:
            yield _fault("sites", line, row, "device", repr(row.device),
                         "a device of devices.csv")  # fmt: skip
        if row.device and (not row.interface or row.ipv4 is None):
            yield _fault("sites", line, row, "interface", repr(row.interface),
                         "interface and ipv4 where a device is named")  # fmt: skip
        if bool(row.exempt_reason) != (row.exempt_until is not None):
            yield _fault("sites", line, row, "exempt_until", repr(str(row.exempt_until or "")),
                         "a reason and an end, or neither")  # fmt: skip


def _devices(city: City, lines: Lines) -> Iterator[Fault]:
    managed: dict[str, str] = {}
    for row, line in zip(city.devices, lines["devices"], strict=True):
        if row.site not in city.site:
            yield _fault("devices", line, row, "site", repr(row.site), "a site of sites.csv")
        other = managed.setdefault(str(row.management), row.name)
        if other != row.name:
            yield _fault("devices", line, row, "management", repr(str(row.management)),
                         f"an address of its own ({other} has it)")  # fmt: skip


def _links(city: City, lines: Lines) -> Iterator[Fault]:
    taken = {(s.device, s.interface) for s in city.sites if s.device}
    for row, line in zip(city.links, lines["links"], strict=True):
        for end in ("a", "b"):
            device, interface = getattr(row, f"{end}_device"), getattr(row, f"{end}_interface")
            if device not in city.device:
                yield _fault("links", line, row, f"{end}_device", repr(device),
                             "a device of devices.csv")  # fmt: skip
            if (device, interface) in taken:
                yield _fault("links", line, row, f"{end}_interface", repr(interface),
                             f"an interface of {device} that nothing else uses")  # fmt: skip
            taken.add((device, interface))
        if row.a_device == row.b_device:
            yield _fault("links", line, row, "b_device", repr(row.b_device), "another device")
        if ip_interface(row.a_ipv4).network != ip_interface(row.b_ipv4).network:
            yield _fault("links", line, row, "b_ipv4", repr(str(row.b_ipv4)),
                         f"an address in {row.a_ipv4.network}")  # fmt: skip


def _regions(city: City, lines: Lines) -> Iterator[Fault]:
    for number, region in enumerate(city.settings.regions):
        leaf = city.device.get(region.leaf)
        if city.devices and (leaf is None or leaf.role is not Role.LEAF):
            yield Fault("city.yaml", 0, f"regions.{number}.leaf", "", repr(region.leaf),
                        "a device of devices.csv with the role leaf")  # fmt: skip
    for number, policy in enumerate(city.settings.recovery_policies):
        if policy.region is not None and policy.region not in city.region:
            yield Fault("city.yaml", 0, f"recovery_policies.{number}.region", "",
                        repr(policy.region), "a region of city.yaml")  # fmt: skip
