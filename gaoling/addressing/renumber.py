"""Renumbering: the one way in which something moves, with a reason that is kept in the lock."""

from __future__ import annotations

import datetime as dt

from gaoling.addressing.allocate import PlanError
from gaoling.addressing.book import Book
from gaoling.addressing.plan import Plan, plan_city
from gaoling.city import City

ALL = "all"


def renumber(
    city: City, lock: Book, wanted: list[str], reason: str, by: str, today: dt.date
) -> Plan:
    """Return a plan in which what is named, and all that lies in it, has other prefixes.

    `wanted` are keys (`group/kind/name`), or names where only one kind has that name, or `all`:
    then the plan is made anew from nothing, as a new prefix or profile needs it. The old prefixes
    are held for the profile's time. Raises PlanError for an unknown or ambiguous name, and without
    a reason.
    """
    if not reason.strip():
        raise PlanError("--reason: found nothing, expected why this is renumbered")
    if wanted == [ALL]:
        left, named = Book(), [ALL]
        left.acts = list(lock.acts)
    else:
        named = [_key(lock, name) for name in wanted]
        left = lock.without(named, today)
    plan = plan_city(city, left, today)
    plan.book.acts.append(f"{today} renumber {' '.join(named)} by {by}: {' '.join(reason.split())}")
    return plan


def _key(lock: Book, name: str) -> str:
    found = [name] if name in lock else [
        f"{group}/{key}" for group in lock.groups() for key in lock.given(group)
        if key.partition("/")[2] == name
    ]  # fmt: skip
    if len(found) == 1:
        return found[0]
    if found:
        raise PlanError(f"--renumber: found {name!r}, expected one of {', '.join(sorted(found))}")
    raise PlanError(f"--renumber: found {name!r}, expected a key or a name that the lock holds")
