"""Rules across the tables of a city: references, duplicates, what must go together."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_interface

from gaoling.city import landing
from gaoling.city.capacity import RESOURCES, asked, there
from gaoling.city.faults import Fault
from gaoling.city.model import Capacity, City, Level, Role, Row, System, Target

Lines = dict[str, list[int]]
_ABOVE = {Level.COUNTY: "", Level.TOWNSHIP: Level.COUNTY, Level.VILLAGE: Level.TOWNSHIP}


def check(city: City, lines: Lines) -> list[Fault]:
    """Return what contradicts across files; `lines` holds each table's line numbers, by row."""
    found: list[Fault] = []
    rules = (
        *(_unique, _systems, _deadlines, _sites, _devices, _links, _ipv4, _regions, _capacity),
        _landing,
    )
    for rule in rules:
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


def _deadlines(city: City, lines: Lines) -> Iterator[Fault]:
    first, last = city.settings.plan_years
    rows: list[tuple[str, System | Target, int]] = [
        *(("systems", r, n) for r, n in zip(city.systems, lines["systems"], strict=True)),
        *(("targets", r, n) for r, n in zip(city.targets, lines["targets"], strict=True)),
    ]
    for table, row, line in rows:
        if row.deadline and not first <= row.deadline.year <= last:
            found = getattr(row.deadline, "wording", "") or str(row.deadline)
            yield _fault(table, line, row, "deadline", repr(found),
                         f"a day in the plan's years {first} to {last}")  # fmt: skip


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


def _ipv4(city: City, lines: Lines) -> Iterator[Fault]:
    """LANs, links and the networks of the cloud overlap nowhere."""
    networks: list[tuple[int, int, str, Row, str, str, int]] = []
    for site, line in zip(city.sites, lines["sites"], strict=True):
        if site.ipv4 is not None:
            networks.append((*_span(site.ipv4.network), "sites", site, "ipv4", site.code, line))
    for link, line in zip(city.links, lines["links"], strict=True):
        networks.append((*_span(link.a_ipv4.network), "links", link, "a_ipv4", link.id, line))
    for number, region in enumerate(city.settings.regions):
        for field in ("provider_ipv4", "tenants_ipv4"):
            networks.append((*_span(getattr(region, field)), f"regions.{number}.{field}", region,
                             field, f"region {region.name}", 0))  # fmt: skip
    widest: tuple[int, str] = (-1, "")
    for first, last, table, row, field, name, line in sorted(networks, key=_order):
        if first <= widest[0]:
            expected = f"a network of its own ({widest[1]} overlaps it)"
            if line:
                yield _fault(table, line, row, field, repr(str(getattr(row, field))), expected)
            else:
                yield Fault("city.yaml", 0, table, "", repr(str(getattr(row, field))), expected)
        widest = max(widest, (last, name))


def _order(item: tuple[int, int, str, Row, str, str, int]) -> tuple[int, int, str]:
    return item[0], -item[1], item[5]


def _span(network: IPv4Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)


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
    for number, provider in enumerate(city.settings.providers):
        for place, capacity in enumerate(provider.capacity):
            if capacity.region not in city.region:
                yield Fault("city.yaml", 0, f"providers.{number}.capacity.{place}.region", "云区域",
                            repr(capacity.region), "a region of city.yaml")  # fmt: skip


def _capacity(city: City, lines: Lines) -> Iterator[Fault]:
    """What the systems ask of a region is there, where a provider says what there is."""
    have = there(city)
    for region, want in asked(city).items():
        for name in RESOURCES if region in have else ():
            wanted, found = getattr(want, name), getattr(have[region], name)
            if wanted > found:
                title = Capacity.model_fields[name].title or ""
                yield Fault("city.yaml", 0, f"providers.capacity.{name}", title,
                            f"{found} in region {region!r}",
                            f"at least {wanted}, which systems.csv asks for")  # fmt: skip


def _landing(city: City, lines: Lines) -> Iterator[Fault]:
    servers = {s.id: s.servers for s in city.systems}
    taken = {r.name: (r.provider_ipv4, r.tenants_ipv4) for r in city.settings.regions}
    extranet = (city.settings.ipv4_aggregate, city.settings.ipv6_prefix)
    yield from landing.faults(city.settings.landing, servers, taken, extranet)
