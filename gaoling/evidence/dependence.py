"""Whose fault it is: what cannot be seen because something before it is dead.

A dead county router pair makes its townships unknown because of it, not fifty failures; a stopped
township router fails its own township and hides the villages behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from gaoling.city import City, Role
from gaoling.evidence.observation import Observation


def dead_devices(city: City, observations: Iterable[Observation]) -> set[str]:
    """Return the devices that were looked at and did not answer, over any family.

    A device of which nothing was seen is judged by the site it serves as that site's own router;
    without that it is not called dead.
    """
    answers: dict[str, bool] = {}
    sites: dict[str, bool] = {}
    for seen in observations:
        if seen.rung != "reachable":
            continue
        if seen.kind == "device":
            answers[seen.subject] = answers.get(seen.subject, False) or seen.value
        elif seen.kind == "site":
            sites[seen.subject] = sites.get(seen.subject, False) or seen.value
    dead = set()
    for device in city.devices:
        if device.name in answers:
            alive = answers[device.name]
        else:
            own = [s for s in city.sites_on(device.name) if s.code == device.site]
            alive = next((sites[s.code] for s in own if s.code in sites), True)
        if device.routes and not alive:
            dead.add(device.name)
    return dead


def hidden(city: City, dead: Collection[str], vantages: Iterable[str]) -> dict[str, str]:
    """Return site code -> the dead devices that hide it from those vantages, "a, b".

    A dead device that a living one touches is at fault itself, and so is the site it belongs to.
    What lies behind it is hidden, and so are sites that share it without it being theirs.
    """
    if not dead:
        return {}
    blame = _blame(city, dead, vantages)
    found = {}
    for site in city.sites:
        if not site.device:
            continue
        causes = blame.get(site.device, set())
        if site.device in dead and site.device in causes:
            if city.device[site.device].site != site.code:
                found[site.code] = site.device
        elif causes:
            found[site.code] = ", ".join(sorted(causes))
    return found


def _blame(city: City, dead: Collection[str], vantages: Iterable[str]) -> Mapping[str, set[str]]:
    """Return device -> the dead devices at the edge of what lives that stand before it."""
    neighbours: dict[str, set[str]] = {d.name: set() for d in city.devices if d.routes}
    for link in city.links:
        neighbours[link.a_device].add(link.b_device)
        neighbours[link.b_device].add(link.a_device)
    starts = {_entry(city, v) for v in vantages if v in city.device} - {""}
    if not starts:
        return {d: {d} for d in dead}
    reached, edge = set(starts), set()
    queue = deque(starts)
    while queue:
        for near in neighbours[queue.popleft()]:
            if near in dead:
                edge.add(near)
            elif near not in reached:
                reached.add(near)
                queue.append(near)
    edge -= reached
    blame: dict[str, set[str]] = {}
    for cause in edge:
        seen, queue = {cause}, deque([cause])
        while queue:
            device = queue.popleft()
            blame.setdefault(device, set()).add(cause)
            # another device of the edge is at fault itself, not behind this one
            behind = neighbours[device] - reached - seen - edge
            seen |= behind
            queue.extend(behind)
    return blame


def _entry(city: City, vantage: str) -> str:
    """Return the router that a vantage hangs on; "" when its site is not attached."""
    device = city.device[vantage]
    if device.role is not Role.VANTAGE:
        return vantage
    return city.site[device.site].device
