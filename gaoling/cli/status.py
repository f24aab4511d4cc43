"""`gaoling status`: the rates next to their targets, with what is unknown and how old all is."""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gaoling.city import City
from gaoling.cli import context

EXPORTER = "http://127.0.0.1:9464"
WAIT_SECONDS = 240.0
LOOKING = ("extranet_sites", "systems")
LAST_SUCCESS = "gaoling_collector_last_success_timestamp_seconds"
TOOK = "gaoling_collector_duration_seconds"
# rate, level, the target it is measured for, titles
ROWS = (
    ("cloud-adoption", "", "cloud-adoption", "上云率", "cloud adoption"),
    ("extranet-access", "all", "extranet-access", "接入率 市县乡合计", "extranet access, all"),
    ("extranet-access", "city", "", "接入率 市级", "extranet access, city"),
    ("extranet-access", "county", "", "接入率 县级", "extranet access, county"),
    ("extranet-access", "township", "", "接入率 乡级", "extranet access, township"),
    ("extranet-access", "village", "village-access", "接入率 村级", "extranet access, village"),
    ("ipv6-sites", "all", "extranet-upgrade", "IPv6 接入点 市县乡", "IPv6 sites"),
    ("ipv6-sites", "village", "", "IPv6 接入点 村级", "IPv6 sites, village"),
    ("ipv6-systems", "", "ipv6-support", "IPv6 系统", "IPv6 systems"),
)
SERIES = {
    "cloud-adoption": "gaoling_cloud_adoption_ratio",
    "extranet-access": "gaoling_extranet_access_ratio",
    "ipv6-sites": "gaoling_ipv6_sites_ratio",
    "ipv6-systems": "gaoling_ipv6_systems_ratio",
}
ZH = {
    "met": "已达到", "on_course": "进度正常", "late": "进度落后", "overdue": "逾期未达",
    "not_measured": "无数据", "none": "无数据", "assumed": "假定", "rate": "指标",
    "interval": "实测（下界–上界）", "count": "见到/应有", "target": "目标", "deadline": "期限",
    "state": "状态", "age": "证据时长", "missing": "缺/未知/豁免", "system": "系统",
    "point": "恢复点时长", "allowed": "允许", "ok": "达标", "old": "过旧", "recovery": "恢复点",
    "owner": "主管", "why": "原因", "who": "缺谁", "title": "两率与目标",
}  # fmt: skip
EN = {
    "met": "met", "on_course": "on course", "late": "late", "overdue": "overdue",
    "not_measured": "no data", "none": "no data", "assumed": "assumed", "rate": "rate",
    "interval": "measured (lower–upper)", "count": "seen/declared", "target": "target",
    "deadline": "deadline", "state": "state", "age": "evidence age",
    "missing": "missing/unknown/exempt", "system": "system", "point": "recovery point age",
    "allowed": "allowed", "ok": "ok", "old": "too old", "recovery": "recovery points",
    "owner": "owner", "why": "why", "who": "missing", "title": "rates and targets",
}  # fmt: skip
Labels = frozenset[tuple[str, str]]


class StatusError(Exception):
    """The exporter does not answer; the message says where it was asked and how to start it."""


class Metrics:
    """A page of metrics, to be asked for single values."""

    def __init__(self, text: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        self._values: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset(sample.labels.items())
                self._values.setdefault(sample.name, {})[labels] = sample.value

    def value(self, name: str, **labels: str) -> float | None:
        """Return one value; None when there is no such series."""
        return self._values.get(name, {}).get(frozenset(labels.items()))

    def labels(self, name: str) -> list[dict[str, str]]:
        """Return the labels of each series of a metric."""
        return [dict(found) for found in self._values.get(name, {})]


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise StatusError(
            f"{url}: {error}; start it (sudo gaoling lab up monitoring), name another with "
            "--exporter, or measure now with --fresh"
        ) from None


def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    lang: Annotated[str, typer.Option(help="zh or en.")] = "zh",
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure now, without exporter.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a new measurement.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Who is missing, and why.")] = False,
    exporter: Annotated[str, typer.Option(help="Address of the exporter.")] = "",
) -> None:
    """Print 上云率, 接入率, IPv6 and recovery points next to their targets.

    Exit code 1 when there is no data. Example: `gaoling status --missing`
    """
    city = context.city(quiet=as_json)
    url = exporter or os.environ.get("GAOLING_EXPORTER") or EXPORTER
    try:
        if fresh:
            page, rates = _measure()
        else:
            if wait:
                _wait(url)
            page = _get(f"{url}/metrics")
            rates = json.loads(_get(f"{url}/rates.json")) if missing or as_json else []
    except StatusError as error:
        typer.echo(f"gaoling: {error}", err=True)
        raise typer.Exit(1) from None
    found = collect(city, Metrics(page), time.time())
    by_rate = {(r["rate"], r["level"]): r["missing"] for r in rates}
    for row in found["rates"]:
        row["missing"] = by_rate.get((row["rate"], row["level"]), [])
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        _show(city, found, EN if lang == "en" else ZH, lang, missing)
    if not any(row["lower"] is not None for row in found["rates"]):
        raise typer.Exit(1)


def _measure() -> tuple[str, list[dict[str, Any]]]:
    """Run every collector once, here and now; return the page and the rates."""
    from exporters.build import build
    from exporters.rates import as_json, judge

    folder, _ = context.city_folder()
    journal = context.state() / "network" / folder.name / "journal.jsonl"
    with tempfile.TemporaryDirectory(prefix="gaoling-") as own:
        schedule = build(
            folder, context.access("extranet"), context.access("cloud") / "clouds.yaml",
            Path(own), Path(own) / "ssh", journal,
        )  # fmt: skip
        schedule.once()
        schedule.close()
        now = schedule.context.clock()
        return schedule.page.decode(), as_json(judge(schedule.context, now))


def _wait(url: str) -> None:
    """Wait until sites and systems were looked at again, from now on; give up quietly."""
    begin = time.time()
    while time.time() - begin < WAIT_SECONDS:
        try:
            page = Metrics(_get(f"{url}/metrics"))
        except StatusError:
            page = Metrics("")
        if measured_since(page, begin):
            return
        time.sleep(2)


def measured_since(page: Metrics, begin: float) -> bool:
    """Say whether the rates rest on looks that were begun after `begin`, in Unix seconds.

    A look that ends after it may have begun before: what it saw is then of no use to somebody who
    has just changed something.
    """

    def begun(collector: str) -> float:
        return done(collector) - (page.value(TOOK, collector=collector) or 0.0)

    def done(collector: str) -> float:
        return page.value(LAST_SUCCESS, collector=collector) or 0.0

    if min(map(begun, LOOKING)) < begin or begun("rates") < max(map(done, LOOKING)):
        return False
    return all(row["lower"] is not None for row in _rates(page, begin)[:2])


def collect(city: City, page: Metrics, now: float) -> dict[str, Any]:
    """Return all that status shows, as plain data."""
    return {
        "city": city.settings.id,
        "time": now,
        "rates": _rates(page, now, city),
        "recovery": _recovery(city, page),
        "collectors": [
            {"collector": x["collector"],
             "success": page.value("gaoling_collector_success", **x) == 1}
            for x in page.labels("gaoling_collector_success")
        ],
    }  # fmt: skip


def _rates(page: Metrics, now: float, city: City | None = None) -> list[dict[str, Any]]:
    found = []
    for rate, level, target, zh, en in ROWS:
        of_level = {"level": level} if level else {}
        labels = {"rate": rate, "level": level}
        oldest = page.value("gaoling_evidence_oldest_timestamp_seconds", **labels)
        row: dict[str, Any] = {
            "rate": rate, "level": level, "zh": zh, "en": en,
            "lower": page.value(SERIES[rate], bound="lower", **of_level),
            "upper": page.value(SERIES[rate], bound="upper", **of_level),
            "declared": page.value("gaoling_rate_denominator", **labels),
            "exempt": page.value("gaoling_rate_exempt", **labels),
            "age": None if oldest is None else max(0.0, now - oldest),
            "target": target or None,
        }  # fmt: skip
        for state in ("observed", "absent", "unknown"):
            row[state] = page.value("gaoling_rate_subjects", state=state, **labels)
        for info in page.labels("gaoling_rate_info"):
            if (info["rate"], info["level"]) == (rate, level):
                row |= {k: info[k] for k in ("definition", "denominator_hash")}
        if target:
            row |= _target(page, target, city)
        found.append(row)
    return found


def _target(page: Metrics, target: str, city: City | None) -> dict[str, Any]:
    end = page.value("gaoling_target_deadline_timestamp_seconds", target=target)
    infos = [x for x in page.labels("gaoling_target_info") if x["target"] == target]
    states = [x["state"] for x in page.labels("gaoling_target_state") if x["target"] == target
              and page.value("gaoling_target_state", **x) == 1]  # fmt: skip
    about = next((t for t in city.targets if t.id == target), None) if city else None
    return {
        "target_ratio": page.value("gaoling_target_ratio", target=target),
        "deadline": end,
        "state": states[0] if states else None,
        "assumed": bool(infos and infos[0]["basis"] == "assumed"),
        "target_name": about.name if about else target,
    }


def _recovery(city: City, page: Metrics) -> list[dict[str, Any]]:
    found = []
    for labels in sorted(
        page.labels("gaoling_recovery_objective_seconds"), key=lambda x: x["system"]
    ):
        system = city.system.get(labels["system"])
        age = page.value("gaoling_recovery_point_age_seconds", **labels)
        allowed = page.value("gaoling_recovery_objective_seconds", **labels)
        found.append({"system": labels["system"], "name": system.name if system else "",
                      "age": age, "allowed": allowed})  # fmt: skip
    return found


# ---------------------------------------------------------------------- for people
def _percent(value: float | None, words: Mapping[str, str]) -> str:
    if value is None:
        return words["none"]
    return f"{value * 100:.1f}".rstrip("0").rstrip(".") + " %"


def _interval(row: Mapping[str, Any], words: Mapping[str, str]) -> str:
    low, high = row["lower"], row["upper"]
    if low is None or low == high:
        return _percent(low, words)
    return f"{_percent(low, words).removesuffix(' %')}–{_percent(high, words)}"


def _seconds(value: float | None, words: Mapping[str, str]) -> str:
    if value is None:
        return words["none"]
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value:.0f} s"


def _day(end: float | None) -> str:
    """Return the last day before a deadline's end, as the plan names it."""
    if end is None:
        return ""
    china = dt.timezone(dt.timedelta(hours=8))
    return (dt.datetime.fromtimestamp(end, china) - dt.timedelta(seconds=1)).date().isoformat()


def _owner(city: City, owner: str) -> str:
    """Return the name of a department, a county or the city, by its id or code."""
    if owner in city.department:
        return city.department[owner].name
    return city.site[owner].name if owner in city.site else city.settings.name


def _show(
    city: City, found: Mapping[str, Any], words: Mapping[str, str], lang: str, missing: bool
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if os.isatty(1) else 150)
    table = Table(title=f"{city.settings.name} {words['title']}", box=box.SIMPLE)
    for column in ("rate", "interval", "count", "missing", "target", "deadline", "state", "age"):
        table.add_column(words[column])
    colours = {"met": "green", "on_course": "green", "late": "yellow", "overdue": "red"}
    for row in found["rates"]:
        measured = row["lower"] is not None
        count = f"{row['observed']:.0f}/{row['declared']:.0f}" if measured else ""
        gone = (f"{row['absent']:.0f}/{row['unknown']:.0f}/{row['exempt']:.0f}"
                if measured else "")  # fmt: skip
        state = row.get("state")
        ratio = row.get("target_ratio")
        mark = f"（{words['assumed']}）" if row.get("assumed") else ""
        table.add_row(
            row["en" if lang == "en" else "zh"],
            _interval(row, words),
            count,
            gone,
            _percent(ratio, words) if ratio is not None else "",
            _day(row.get("deadline")) + mark,
            f"[{colours.get(state or '', 'dim')}]{words[state]}[/]" if state else "",
            _seconds(row["age"], words) if measured else "",
        )
    console.print(table)
    if found["recovery"]:
        table = Table(title=words["recovery"], box=box.SIMPLE)
        for column in ("system", "point", "allowed", "state"):
            table.add_column(words[column])
        for row in found["recovery"]:
            late = row["age"] is not None and row["age"] > row["allowed"]
            word = "none" if row["age"] is None else "old" if late else "ok"
            table.add_row(row["system"] if lang == "en" else row["name"],
                          _seconds(row["age"], words), _seconds(row["allowed"], words),
                          words[word])  # fmt: skip
        console.print(table)
    if missing:
        table = Table(title=words["who"], box=box.SIMPLE)
        for column in ("rate", "who", "owner", "why"):
            table.add_column(words[column])
        for row in found["rates"]:
            if row["level"] == "all":
                continue  # its levels are listed each
            for one in row["missing"]:
                table.add_row(row["en" if lang == "en" else "zh"],
                              f"{one['name']} {one['subject']}", _owner(city, one["owner"]),
                              one["because"])  # fmt: skip
        console.print(table)
    failing = [c["collector"] for c in found["collectors"] if not c["success"]]
    if failing:
        console.print(f"采集失败 (collectors failing): {', '.join(failing)}", style="yellow")
