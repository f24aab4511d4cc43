"""Batches of a change, in an order that never takes both redundant paths at once."""

from __future__ import annotations

from gaoling.city import City, Device, Role
from gaoling.network.intent import changeable

# roles of which the city has two or more, each able to carry for the other
_CITY_PAIRS = (Role.CORE, Role.AGGREGATION, Role.LEAF)


def twins(city: City, a: Device, b: Device) -> bool:
    """Return whether two devices stand in for each other: never both in one wave."""
    if a.name == b.name or a.role is not b.role:
        return False
    return a.role in _CITY_PAIRS or (a.role is Role.COUNTY and a.site == b.site)


def waves(city: City) -> list[tuple[str, ...]]:
    """Return the batches of a change on all routers of ours.

    First the canary: one township, its villages and one router of its county, both ends of their
    link together. Then one side of every redundant pair, then the other; last the townships with
    the villages that hang on them. Same city, same waves.
    """
    devices = changeable(city)
    number: dict[str, int] = {}
    canary = next((d for d in devices if d.role is Role.TOWNSHIP), None)
    if canary is not None:
        first = [canary.name, *_villages(city, canary.name)]
        above = [link.other(canary.name) for link in city.links_of(canary.name)]
        first += [n for n in above if city.device[n].role is Role.COUNTY][:1]
        number |= dict.fromkeys(first, 0)
    taken: dict[int, list[Device]] = {0: [city.device[n] for n in number]}
    edge = (Role.TOWNSHIP, Role.VILLAGE)
    for device in devices:
        if device.name in number or device.role in edge:
            continue
        wave = 1
        while any(twins(city, device, other) for other in taken.get(wave, ())):
            wave += 1
        number[device.name] = wave
        taken.setdefault(wave, []).append(device)
    last = max(number.values(), default=0) + 1
    for device in devices:
        number.setdefault(device.name, last)
    return [
        tuple(d.name for d in devices if number[d.name] == wave)
        for wave in sorted(set(number.values()))
    ]


def _villages(city: City, township: str) -> list[str]:
    others = [link.other(township) for link in city.links_of(township)]
    return [n for n in others if city.device[n].role is Role.VILLAGE]
