"""The price list of a city, as data: `inventories/<city>/prices.yaml`, read with its lines.

Prices are decimal numbers of yuan (CNY) and stay what is written: nothing here is a float. A
version holds from the first moment of `valid_from` to the last of `valid_to`, in Asia/Shanghai.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from gaoling.city import Fault, RegisterError

FILE = "prices.yaml"
CHINA = ZoneInfo("Asia/Shanghai")
CURRENCY = "CNY"
DEFAULT = "default"  # the price of every volume type that has none of its own
DIGITS = 6  # after the point
TITLES = {
    "currency": "币种", "versions": "版本", "valid_from": "生效日期", "valid_to": "失效日期",
    "basis": "依据", "source": "来源", "prices": "单价", "vcpu_hour": "每核每小时",
    "memory_gib_hour": "内存每GiB每小时", "root_disk_gib_month": "系统盘每GiB每月",
    "volume_gib_month": "云盘每GiB每月", "object_gib_month": "对象存储每GiB每月",
    "floating_ip_hour": "浮动IP每小时",
}  # fmt: skip
# what is metered -> the key of its price; a volume's item is volume/<type>
KEYS = {
    "vcpu": "vcpu_hour", "memory": "memory_gib_hour", "disk": "root_disk_gib_month",
    "volume": "volume_gib_month", "object": "object_gib_month", "floating_ip": "floating_ip_hour",
}  # fmt: skip
_PRICE = f"a price in yuan, at least 0, at most {DIGITS} digits after the point"


@dataclass(frozen=True)
class Version:
    """Prices of some days: `last` is the last of them (None: until further notice)."""

    first: dt.date
    last: dt.date | None
    assumed: bool
    source: str
    prices: Mapping[str, Decimal]  # by item; volume/<type> for volumes
    line: int = 0

    @property
    def start(self) -> int:
        return _midnight(self.first)

    @property
    def end(self) -> int | None:
        """Return the first second that it does not hold any more; None when it is open."""
        return None if self.last is None else _midnight(self.last + dt.timedelta(days=1))

    def price(self, item: str) -> Decimal | None:
        """Return the price of an item; a volume type without one has that of `default`."""
        found = self.prices.get(item)
        if found is None and item.startswith("volume/"):
            found = self.prices.get(f"volume/{DEFAULT}")
        return found


@dataclass(frozen=True)
class PriceList:
    """All versions, in the order of their days; no two of them hold on one day."""

    file: str
    versions: tuple[Version, ...]

    def over(self, start: int, end: int) -> list[tuple[int, int, Version]]:
        """Return [start, end) cut into the spans of its versions (seconds since 1970).

        Raises RegisterError naming the days on which no price holds.
        """
        found, place = [], start
        for version in self.versions:
            first, last = max(version.start, place), min(version.end or end, end)
            if first >= last:
                continue
            if first > place:
                raise RegisterError([self._gap(place, first)])
            found.append((first, last, version))
            place = last
        if place < end:
            raise RegisterError([self._gap(place, end)])
        return found

    def _gap(self, start: int, end: int) -> Fault:
        days = f"{_day(start)} to {_day(end - 1)}"
        return Fault(self.file, 0, "versions", TITLES["versions"], f"none for {days}",
                     "a version that holds on each day of the bill")  # fmt: skip


def monthly(item: str) -> bool:
    """Whether an item's price is of a month, not of an hour."""
    return KEYS[item.partition("/")[0]].endswith("_month")


def _midnight(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp())


def _day(moment: int) -> dt.date:
    return dt.datetime.fromtimestamp(moment, CHINA).date()


# ------------------------------------------------------------------------------ reading
def read_prices(path: Path) -> PriceList:
    """Return a city's price list. Raises RegisterError with every fault of the file."""
    reader = _Reader(path.name)
    found = reader.read(path)
    if reader.faults:
        raise RegisterError(reader.faults)
    return PriceList(path.name, tuple(sorted(found, key=lambda v: v.first)))


@dataclass
class _Reader:
    """Walks the YAML's nodes: they know their lines, and numbers are still as written."""

    file: str
    faults: list[Fault] = field(default_factory=list)

    def fault(self, node: Any, name: str, found: str, expected: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 0
        title = TITLES.get(name.rpartition(".")[2], "")
        self.faults.append(Fault(self.file, line, name, title, found, expected))

    def read(self, path: Path) -> list[Version]:
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except FileNotFoundError:
            self.fault(None, "file", "nothing", "a price list (docs/metering.md)")
            return []
        except (OSError, UnicodeDecodeError) as error:
            self.fault(None, "file", type(error).__name__, "a readable UTF-8 file")
            return []
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            self.faults.append(Fault(self.file, line, "file", "", str(error.problem), "YAML"))
            return []
        except yaml.YAMLError as error:
            self.fault(None, "file", str(error).partition("\n")[0], "YAML")
            return []
        if root is None:
            self.fault(None, "file", "nothing", "a price list (docs/metering.md)")
            return []
        top = self.mapping(root, "file", {"currency", "versions"}, {"currency", "versions"})
        if (currency := top.get("currency")) is not None:
            text = self.text(currency, "currency")
            if text is not None and text != CURRENCY:
                self.fault(currency, "currency", repr(text), CURRENCY)
        found = [v for v in map(self.version, self.items(top.get("versions"))) if v is not None]
        self.overlaps(found)
        return found

    def mapping(
        self, node: Any, name: str, known: set[str] | None, needed: set[str]
    ) -> dict[str, Any]:
        """Return a mapping's nodes by key; what is unknown, double or missing is a fault."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, name, _kind(node), "keys with values")
            return {}
        found: dict[str, Any] = {}
        prefix = "" if name == "file" else f"{name}."
        for key, value in node.value:
            word = str(key.value)
            if known is not None and word not in known:
                self.fault(
                    key, prefix + word, "an unknown key", f"one of {', '.join(sorted(known))}"
                )
            elif word in found:
                self.fault(key, prefix + word, "the key twice", "once")
            else:
                found[word] = value
        for word in sorted(needed - found.keys()):
            self.fault(node, prefix + word, "nothing", "a value")
        return found

    def items(self, node: Any) -> Iterator[Any]:
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fault(node, "versions", _kind(node), "a list with at least one version")
            return
        yield from node.value

    def text(self, node: Any, name: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self.fault(node, name, _kind(node), "a value")
            return None
        return str(node.value).strip()

    def day(self, node: Any, name: str) -> dt.date | None:
        text = self.text(node, name)
        if text is None:
            return None
        day: dt.date | None
        try:
            day = dt.datetime.strptime(text, "%Y-%m-%d").date()
        except ValueError:
            day = None
        if day is None or not 2000 <= day.year <= 2999:
            self.fault(node, name, repr(text), "a day as 2026-01-31 (an open end: no valid_to)")
            return None
        return day

    def version(self, node: Any) -> Version | None:
        before = len(self.faults)
        known = {"valid_from", "valid_to", "basis", "source", "prices"}
        parts = self.mapping(node, "versions", known, {"valid_from", "basis", "prices"})
        first = self.day(parts["valid_from"], "valid_from") if "valid_from" in parts else None
        last = self.day(parts["valid_to"], "valid_to") if "valid_to" in parts else None
        if first and last and last < first:
            self.fault(parts["valid_to"], "valid_to", str(last), f"{first} or later")
        basis = self.text(parts["basis"], "basis") if "basis" in parts else None
        if basis not in (None, "assumed", "confirmed"):
            self.fault(parts["basis"], "basis", repr(basis), "assumed or confirmed")
        source = self.text(parts["source"], "source") if "source" in parts else ""
        if basis == "confirmed" and not source:
            self.fault(node, "source", "nothing", "the document that a confirmed price stands in")
        prices = self.prices(parts["prices"]) if "prices" in parts else {}
        if first is None or len(self.faults) > before:
            return None
        line = node.start_mark.line + 1
        return Version(first, last, basis == "assumed", source or "", prices, line)

    def prices(self, node: Any) -> dict[str, Decimal]:
        keys = set(KEYS.values())
        found: dict[str, Decimal] = {}
        parts = self.mapping(node, "prices", keys, keys)
        for item, key in KEYS.items():
            if key not in parts:
                continue
            if item != "volume":
                self.price(parts[key], f"prices.{key}", item, found)
                continue
            name = f"prices.{key}"
            for kind, value in self.mapping(parts[key], name, None, {DEFAULT}).items():
                self.price(value, f"{name}.{kind}", f"volume/{kind}", found)
        return found

    def price(self, node: Any, name: str, item: str, found: dict[str, Decimal]) -> None:
        text = str(node.value).strip() if isinstance(node, yaml.ScalarNode) else ""
        whole, _, rest = text.partition(".")
        right = whole.isascii() and whole.isdigit() and len(whole) <= 9 and len(rest) <= DIGITS
        if right and (not rest or (rest.isascii() and rest.isdigit())) and not text.endswith("."):
            found[item] = Decimal(text)
        else:
            self.fault(node, name, repr(text) if text else _kind(node), _PRICE)

    def overlaps(self, found: list[Version]) -> None:
        ordered = sorted(found, key=lambda v: v.first)
        for before, after in pairwise(ordered):
            if before.last is None or before.last >= after.first:
                until = before.last or "further notice"
                found_there = f"{after.first}, while line {before.line} holds until {until}"
                title = TITLES["valid_from"]
                self.faults.append(
                    Fault(self.file, after.line, "valid_from", title, found_there,
                          "versions that do not overlap")
                )  # fmt: skip


def _kind(node: Any) -> str:
    if isinstance(node, yaml.MappingNode):
        return "keys with values"
    if isinstance(node, yaml.SequenceNode):
        return "a list" if node.value else "an empty list"
    return repr(node.value) if node is not None and node.value else "nothing"
