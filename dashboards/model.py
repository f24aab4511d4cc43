"""The few kinds of panels that our dashboards have, on top of grafana-foundation-sdk.

Every panel has an id, a Chinese title, a unit and words for "no data": the linter asks for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

NO_DATA = "无数据"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="gaoling")
GREEN, AMBER, RED = "green", "orange", "red"
Steps = Sequence[tuple[float | None, str]]


@dataclass
class Layout:
    """Places panels from left to right, row by row, and numbers them from 1 (id 0 breaks them)."""

    x: int = 0
    y: int = 0
    height: int = 0
    ids: Any = field(default_factory=lambda: itertools.count(1))

    def place(self, width: int, height: int) -> model.GridPos:
        if self.x + width > 24:
            self.x, self.y, self.height = 0, self.y + self.height, 0
        found = model.GridPos(h=height, w=width, x=self.x, y=self.y)
        self.x += width
        self.height = max(self.height, height)
        return found

    def row(self, title: str) -> Any:
        """Return a row's heading on a line of its own."""
        self.x, self.y, self.height = 0, self.y + self.height, 0
        found = dashboard.Row(title).id(next(self.ids)).collapsed(False)
        found = found.grid_pos(model.GridPos(h=1, w=24, x=0, y=self.y))
        self.y += 1
        return found


def query(expr: str, legend: str = "", ref: str = "A", instant: bool = True) -> Any:
    found = prometheus.Dataquery().expr(expr).ref_id(ref).legend_format(legend or "__auto")
    return found.instant() if instant else found.range()


def _steps(steps: Steps) -> Any:
    made = [model.Threshold(value=value, color=color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(made)


def figure(
    layout: Layout, title: str, queries: Mapping[str, str], unit: str, *,
    steps: Steps = ((None, "text"),), width: int = 6, height: int = 5, description: str = "",
    decimals: int | None = None,
) -> Any:  # fmt: skip
    """Return a panel of one or more figures; `queries` is legend -> expression."""
    panel = stat.Panel().id(next(layout.ids)).title(title).description(description)
    panel = panel.datasource(SOURCE).grid_pos(layout.place(width, height)).unit(unit)
    panel = panel.no_value(NO_DATA).thresholds(_steps(steps))
    panel = panel.graph_mode(common_model.BigValueGraphMode.NONE)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    if decimals is not None:
        panel = panel.decimals(decimals)
    for ref, (legend, expr) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(query(expr, legend, ref))
    return panel


def course(
    layout: Layout, title: str, queries: Mapping[str, str], unit: str, *, width: int = 12,
    height: int = 8, description: str = "", top: float | None = None,
) -> Any:  # fmt: skip
    """Return a panel of lines over time. Gaps stay gaps: no data is not a straight line."""
    panel = timeseries.Panel().id(next(layout.ids)).title(title).description(description)
    panel = panel.datasource(SOURCE).grid_pos(layout.place(width, height)).unit(unit)
    panel = panel.no_value(NO_DATA).span_nulls(False).fill_opacity(5).line_width(2)
    if top is not None:
        panel = panel.min(0).max(top)
    for ref, (legend, expr) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(query(expr, legend, ref, instant=False))
    return panel


def sheet(
    layout: Layout, title: str, queries: Sequence[str], names: Mapping[str, str],
    units: Mapping[str, str], *, by: str, width: int = 12, height: int = 8, description: str = "",
    mappings: Mapping[str, Mapping[str, str]] | None = None, order: Sequence[str] = (),
) -> Any:  # fmt: skip
    """Return a table: queries joined by a label, columns named in Chinese, others left out.

    `units` is by column title; `mappings` gives words for values, by column title.
    """
    panel = table.Panel().id(next(layout.ids)).title(title).description(description)
    panel = panel.datasource(SOURCE).grid_pos(layout.place(width, height)).unit("none")
    panel = panel.no_value(NO_DATA)
    for ref, expr in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query(expr, ref=ref).format(prometheus_format_table()))
    panel = panel.with_transformation(
        model.DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"})
    )
    panel = panel.with_transformation(
        model.DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(names)}}
        )
    )
    organize: dict[str, Any] = {"renameByName": dict(names)}
    if order:
        organize["indexByName"] = {name: place for place, name in enumerate(order)}
    panel = panel.with_transformation(
        model.DataTransformerConfig(id_val="organize", options=organize)
    )
    for column, unit in units.items():
        properties = [model.DynamicConfigValue(id_val="unit", value=unit)]
        panel = panel.override_by_name(column, properties)
    for column, words in (mappings or {}).items():
        options = {value: {"text": text} for value, text in words.items()}
        value = [{"type": "value", "options": options}]
        panel = panel.override_by_name(
            column, [model.DynamicConfigValue(id_val="mappings", value=value)]
        )
    return panel


def prometheus_format_table() -> Any:
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    return PromQueryFormat.TABLE
