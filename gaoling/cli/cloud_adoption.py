"""`gaoling cloud adoption`: what the register says of each system, and what the cloud shows."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaoling.cli import context

if TYPE_CHECKING:
    from gaoling.city import City
    from gaoling.cloud.adoption import Adoption, Place

RUNGS = {
    "declared": "已登记", "provisioned": "已开通", "addressed": "已编址", "reachable": "可达",
    "answering": "已应答",
}  # fmt: skip
OBSERVED = {
    "off": "云上没有", "migrating": "迁移中", "on_cloud": "已上云", "retired": "已停用，数据在云上",
    "unknown": "未知",
}  # fmt: skip
COLOURS = {"on_cloud": "green", "migrating": "yellow", "unknown": "dim"}


def adoption(
    exporter: Annotated[str, typer.Option(help="Address of the exporter with the evidence.")] = "",
    evidence: Annotated[
        bool, typer.Option("--evidence/--no-evidence", help="Ask the exporter what answered.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare each system's migration state in the register with what is really there.

    Whether something is provisioned is asked of the cloud now; whether it answers is the exporter's
    evidence. Exit codes: 0 nothing contradicts, 1 the cloud could not be asked, 2 bad credentials,
    3 contradictions.

    Example: `gaoling cloud adoption --json`
    """
    from gaoling.cli import cloud_bill
    from gaoling.cloud import adoption as adoptions

    city = context.city(quiet=as_json)
    places = adoptions.look(cloud_bill.connections(city))
    rates, why = _rates(exporter) if evidence else ([], "--no-evidence")
    found = adoptions.judge(city, places, adoptions.evidence(city, rates))
    oldest = next((r["oldest"] for r in rates if r["rate"] == "cloud-adoption"), None)
    if as_json:
        about: dict[str, Any] = {"evidence": {"oldest": oldest, "missing_because": why}}
        print(json.dumps(adoptions.as_json(city, found) | about, ensure_ascii=False, indent=1))
    else:
        _show(city, found, oldest)
    if why:
        print(f"gaoling: 没有应答证据 (no evidence): {why}", file=sys.stderr)
    if found.contradictions:
        raise typer.Exit(3)


def _rates(exporter: str) -> tuple[list[dict[str, Any]], str]:
    """Return the exporter's rates, and why there are none."""
    from gaoling.cli import status

    url = exporter or os.environ.get("GAOLING_EXPORTER") or status.EXPORTER
    try:
        found: list[dict[str, Any]] = json.loads(status._get(f"{url}/rates.json"))
        return found, ""
    except (status.StatusError, ValueError) as error:
        return [], str(error)


def _show(city: City, found: Adoption, oldest: float | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from gaoling.city.words import word_of

    console = Console(width=None if os.isatty(1) else 160)
    table = Table(title=f"{city.settings.name} 上云状态：登记与观测", box=box.SIMPLE)
    for column in ("系统", "部门", "登记", "观测", "证据", "云上资源", "矛盾与说明"):
        table.add_column(column)
    for row in found.rows:
        department = city.department[row.system.department].name
        state = word_of("migration", row.system.migration)
        said = [*(f"[red]矛盾：{c}[/]" for c in row.contradictions), *row.remarks]
        why = f"（{row.because}）" if row.because else ""
        table.add_row(
            f"{row.system.name} {row.system.id}", department, state,
            f"[{COLOURS.get(row.observed, 'default')}]{OBSERVED[row.observed]}[/]",
            RUNGS[row.rung] + why, _held(row.place), "\n".join(said),
        )  # fmt: skip
    for place in found.foreign:
        table.add_row(place.system, place.department, "登记中没有", "", "", _held(place),
                      f"[red]矛盾：云上有项目 {place.name}，登记中没有这个系统[/]")  # fmt: skip
    console.print(table)
    if oldest is not None:
        age = max(0, time.time() - oldest)
        console.print(f"· 应答证据最旧 {age / 60:.0f} 分钟；云上资源为刚才所查", highlight=False)
    count = found.contradictions
    console.print(f"· 矛盾 {count} 处" if count else "· 没有矛盾", highlight=False)


def _held(place: Place | None) -> str:
    if place is None:
        return ""
    parts = [
        f"{region}: 服务器 {h.running}/{h.servers} 云盘 {h.volumes} 网络 {h.networks}"
        for region, h in sorted(place.holdings.items())
    ]
    return "\n".join(parts) or "空项目"
