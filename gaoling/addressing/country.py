"""The country: its administrative divisions, and what is below them, under the national profile.

A code says where a division lies: 2 digits province, 4 city, 6 county, 9 township, 12 village.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Iterable
from ipaddress import IPv6Network
from itertools import groupby
from pathlib import Path

from gaoling.addressing import prefix
from gaoling.addressing.allocate import ROOT, Allocator, PlanError
from gaoling.addressing.book import TOP, Book, Retired
from gaoling.addressing.lock import Lock, write_lock
from gaoling.addressing.profile import Profile, read_profile

COUNTRY = IPv6Network("3fff::/20")  # RFC 9637: documentation
_CODE = re.compile(r"[0-9]{9}(?:[0-9]{3})?")


def plan_country(
    codes: Iterable[str],
    lock: Book | None = None,
    *,
    root: IPv6Network = COUNTRY,
    profile: Profile | None = None,
    today: dt.date | None = None,
) -> Book:
    """Return the plan of townships (9 digits) and villages (12), and of what they lie in.

    Raises PlanError for a code of another form, one that comes twice, a village without its
    township, or when a level runs out.
    """
    allocator = Allocator(
        profile or read_profile("national"),
        prefix.of(root),
        lock or Book(),
        today or dt.date.today(),
    )
    listed = sorted(codes)
    _valid(listed)
    counties = _counties(allocator, sorted({code[:6] for code in listed}))
    for county, here in groupby(listed, key=lambda code: code[:6]):
        _county(allocator, county, counties[county], here)
    return allocator.finish()


def _valid(codes: list[str]) -> None:
    before = ""
    for code in codes:
        if not _CODE.fullmatch(code):
            raise PlanError(f"code: found {code!r}, expected 9 digits (乡级) or 12 (村级)")
        if code == before:
            raise PlanError(f"code: found {code!r} twice, expected each code once")
        before = code


def _counties(allocator: Allocator, counties: list[str]) -> dict[str, int]:
    """Return the prefix of each county; give those of provinces and cities on the way."""
    above: dict[str, int] = {"": allocator.root}
    parent_kind = ROOT
    for kind, digits, parent_digits in (("province", 2, 0), ("city", 4, 2), ("county", 6, 4)):
        codes = sorted({county[:digits] for county in counties})
        found: dict[str, int] = {}
        for parent, here in groupby(codes, key=operator.itemgetter(slice(parent_digits))):
            names = list(here)
            blocks = allocator.fill(parent_kind, above[parent], kind, TOP, names)
            found.update(zip(names, blocks, strict=True))
        above, parent_kind = found, kind
    return above


def _county(allocator: Allocator, county: str, block: int, codes: Iterable[str]) -> None:
    """Give the townships of a county and the villages in them; codes are sorted."""
    townships: list[str] = []
    villages: dict[str, list[str]] = {}
    for code in codes:
        if len(code) == 9:
            townships.append(code)
            villages[code] = []
        elif code[:9] in villages:
            villages[code[:9]].append(code)
        else:
            raise PlanError(f"code: found village {code!r}, expected its township {code[:9]!r} too")
    blocks = allocator.fill("county", block, "township", county, townships)
    for township, inner in zip(townships, blocks, strict=True):
        if names := villages[township]:
            allocator.fill("township", inner, "village", county, names)


def _lock_of(folder: Path) -> Lock:
    lock = Lock(folder)
    if lock.root is None:
        raise PlanError(f"{folder}: found no lock, expected one to add to")
    return lock


def add(folder: Path, codes: Iterable[str], profile: Profile | None = None) -> list[str]:
    """Give prefixes to new townships and villages in a lock on disk; return the changed files.

    Reads and writes only the counties that are named. Raises PlanError, LockError.
    """
    lock = _lock_of(folder)
    assert lock.root is not None  # _lock_of says so
    allocator = Allocator(profile or read_profile("national"), lock.root, lock, dt.date.today())
    listed = sorted(codes)
    _valid(listed)
    counties = _counties(allocator, sorted({code[:6] for code in listed}))
    for county, new in groupby(listed, key=lambda code: code[:6]):
        here = {key.partition("/")[2] for key in lock.given(county)}
        _county(allocator, county, counties[county], sorted(here | set(new)))
        _come(lock, county, allocator.book.given(county))
    _come(lock, TOP, allocator.book.given(TOP))
    return write_lock(folder, lock)


def _come(lock: Lock, group: str, given: dict[str, int]) -> None:
    lock.given(group).update(given)
    back = set(given.values())
    lock.retired(group)[:] = [gone for gone in lock.retired(group) if gone.packed not in back]


def remove(folder: Path, codes: Iterable[str], today: dt.date | None = None) -> list[str]:
    """Retire townships (with their villages) and villages in a lock; return the changed files.

    Raises PlanError for a code that the lock does not hold, LockError.
    """
    lock = _lock_of(folder)
    for code in sorted(codes):
        group = code[:6]
        kind = "township" if len(code) == 9 else "village"
        given = lock.given(group)
        outer = given.get(f"{kind}/{code}")
        if outer is None:
            raise PlanError(f"code: found {code!r}, expected one that the lock holds")
        for key in [k for k, packed in given.items() if prefix.inside(packed, outer)]:
            lock.retired(group).append(Retired(given.pop(key), key, today or dt.date.today()))
    return write_lock(folder, lock)
