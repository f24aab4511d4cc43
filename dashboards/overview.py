"""总览: both rates beside their targets, IPv6, recovery points, and how old all of it is."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard

from dashboards.model import AMBER, GREEN, RED, Layout, course, figure, sheet

LEVELS = {
    "all": "市县乡合计",
    "city": "市级",
    "county": "县级",
    "township": "乡级",
    "village": "村级",
}
STATES = {"met": "已达到", "on_course": "进度正常", "late": "进度落后", "overdue": "逾期未达",
          "not_measured": "无数据"}  # fmt: skip
RATE = ((None, RED), (0.6, AMBER), (0.8, GREEN))
AGE = ((None, GREEN), (900, AMBER), (2700, RED))
INTERVAL = "下界只算亲眼所见；上界把未知也算上。"


def build() -> Any:
    """Return the dashboard."""
    layout = Layout()
    board = (
        dashboard.Dashboard("总览").uid("gaoling-overview").tags(["高岭"]).timezone("Asia/Shanghai")
        .refresh("30s").time("now-24h", "now").readonly().week_start("monday")
    )  # fmt: skip
    for part in (_rates, _targets, _extranet, _cloud, _evidence):
        for panel in part(layout):
            if hasattr(panel, "collapsed"):
                board = board.with_row(panel)
            else:
                board = board.with_panel(panel)
    return board


def _bounds(metric: str, more: str = "") -> dict[str, str]:
    return {
        word: f'{metric}{{{more}bound="{bound}"}}'
        for word, bound in (("下界", "lower"), ("上界", "upper"))
    }


def _rates(layout: Layout) -> list[Any]:
    level = 'level="all",'
    return [
        layout.row("两率与 IPv6"),
        figure(layout, "上云率", _bounds("gaoling_cloud_adoption_ratio"), "percentunit", steps=RATE,
               description=f"非涉密市级系统与分厅中，在主数据中心以自己的名义应答的比例。{INTERVAL}"),
        figure(layout, "接入率（市县乡）", _bounds("gaoling_extranet_access_ratio", level),
               "percentunit", steps=RATE,
               description=f"应接入点中，在用各地址族都可达的比例。{INTERVAL}"),
        figure(layout, "IPv6 接入点", _bounds("gaoling_ipv6_sites_ratio", level), "percentunit",
               description=f"IPv4 与 IPv6 都可达的接入点比例。{INTERVAL}"),
        figure(layout, "IPv6 系统", _bounds("gaoling_ipv6_systems_ratio"), "percentunit",
               description=f"IPv4 与 IPv6 都应答的系统比例。{INTERVAL}"),
        figure(layout, "上云率：30 天变化",
               {"变化": 'gaoling:cloud_adoption_ratio:change30d{bound="lower"}'}, "percentunit",
               height=3),
        figure(layout, "接入率：30 天变化",
               {"变化": 'gaoling:extranet_access_ratio:change30d{level="all"}'}, "percentunit",
               height=3),
        figure(layout, "数据时效（最旧证据）",
               {"上云率": 'gaoling:evidence_age:seconds{rate="cloud-adoption"}',
                "接入率": 'gaoling:evidence_age:seconds{rate="extranet-access",level="all"}'},
               "s", steps=AGE, height=3),
        figure(layout, "30 天内分母变更",
               {"次": "sum(gaoling:denominator_changes:count30d)"}, "short", height=3),
    ]  # fmt: skip


def _targets(layout: Layout) -> list[Any]:
    state = "max by (target, state) (gaoling_target_state == 1)"
    return [
        layout.row("目标与状态"),
        sheet(layout, "目标", [
            "gaoling_target_info",
            "gaoling_target_ratio",
            'gaoling_target_measured_ratio{bound="lower"}',
            'gaoling_target_measured_ratio{bound="upper"}',
            "gaoling_target_deadline_timestamp_seconds * 1000",
            state,
        ], {"name": "目标", "basis": "依据", "Value #B": "目标值",
            "Value #C": "实测下界", "Value #D": "实测上界", "Value #E": "期限", "state": "状态",
            "measured": "度量"},
              {"目标值": "percentunit", "实测下界": "percentunit", "实测上界": "percentunit",
               "期限": "dateTimeAsIso"},
              by="target", width=24, height=11,
              mappings={"状态": STATES, "依据": {"assumed": "假定", "stated": "规划明文"},
                        "度量": {"observed": "实测", "reported": "上报", "proxy": "代理指标"}},
              order=["name", "Value #B", "Value #C", "Value #D", "Value #E", "state", "measured",
                     "basis"],
              description="逾期目标在此常列，不作告警。假定：规划未写明，待确认。"),
    ]  # fmt: skip


def _extranet(layout: Layout) -> list[Any]:
    lines = {word: f'gaoling_extranet_access_ratio{{level="{level}",bound="lower"}}'
             for level, word in LEVELS.items()}  # fmt: skip
    return [
        layout.row("政务外网"),
        course(layout, "接入率（下界，按层级）", lines, "percentunit", top=1),
        sheet(layout, "各县接入点", [
            'sum by (county) (gaoling_sites{rung="declared",level="township"})',
            'sum by (county) (gaoling_sites{rung="reachable",level="township"})',
            'sum by (county) (gaoling_sites_missing{state="absent",level="township"})',
            'sum by (county) (gaoling_sites_missing{state="unknown",level="township"})',
            'sum by (county) (gaoling_routers{state="dead"})',
        ], {"county": "县区", "Value #A": "应接入乡镇", "Value #B": "可达", "Value #C": "不可达",
            "Value #D": "未知", "Value #E": "失联路由器"},
              dict.fromkeys(("应接入乡镇", "可达", "不可达", "未知", "失联路由器"), "short"),
              by="county"),
        sheet(layout, "因上级节点失联而未知", ["gaoling_sites_hidden"],
              {"device": "失联设备", "Value": "未知接入点"}, {"未知接入点": "short"}, by="device",
              width=8, height=6),
        sheet(layout, "尚缺（按主管）", [
            'sum by (owner) (gaoling_rate_missing{rate="cloud-adoption"})',
            'sum by (owner) (gaoling_rate_missing{rate="extranet-access",level="all"})',
        ], {"owner": "主管部门或县区", "Value #A": "缺系统", "Value #B": "缺接入点"},
              {"缺系统": "short", "缺接入点": "short"}, by="owner", width=8, height=6),
        figure(layout, "豁免",
               {"接入点": 'gaoling_rate_exempt{rate="extranet-access",level="all"}'}, "short",
               width=8, height=6),
    ]  # fmt: skip


def _cloud(layout: Layout) -> list[Any]:
    rungs = {"应上云": "declared", "已开通": "provisioned", "已编址": "addressed",
             "可达": "reachable", "应答": "answering"}  # fmt: skip
    return [
        layout.row("政务云与灾备"),
        figure(layout, "系统阶梯", {w: f'gaoling_systems{{rung="{r}"}}' for w, r in rungs.items()},
               "short", width=12, height=6),
        sheet(layout, "不计入上云率的系统", ["gaoling_systems_not_counted"],
              {"reason": "原因", "Value": "系统数"}, {"系统数": "short"}, by="reason", width=12,
              height=6, mappings={"原因": {"classified": "涉密", "provincial": "省级统建",
                                         "planned": "规划中", "retired": "已下线"}}),
        sheet(layout, "恢复点", [
            "gaoling_recovery_point_age_seconds",
            "gaoling_recovery_objective_seconds",
        ], {"system": "系统", "Value #A": "恢复点时长", "Value #B": "允许时长"},
              {"恢复点时长": "s", "允许时长": "s"}, by="system",
              description="以写入主中心、在灾备中心读到的哨兵对象计，不问任何程序自己的说法。"),
        course(layout, "恢复点时长",
               {"{{system}}": "gaoling_recovery_point_age_seconds"}, "s"),
        sheet(layout, "漂移（云上与所声明不符）", [
            f'sum by (system) (gaoling_cloud_drift{{kind="{kind}"}}) > 0'
            for kind in ("changed", "missing", "foreign", "orphan")
        ], {"system": "系统", "Value #A": "已变更", "Value #B": "缺失", "Value #C": "外来",
            "Value #D": "孤儿"},
              dict.fromkeys(("已变更", "缺失", "外来", "孤儿"), "short"), by="system",
              description="空表即无漂移，但先看采集“drift”是否成功。详情：gaoling cloud drift。"),
        figure(layout, "漂移合计", {"{{region}}": "sum by (region) (gaoling_cloud_drift)"}, "short",
               steps=((None, GREEN), (1, AMBER)), height=8),
        figure(layout, "声明读取于", {"距今": "time() - gaoling_cloud_declared_timestamp_seconds"},
               "s", height=8),
    ]  # fmt: skip


def _evidence(layout: Layout) -> list[Any]:
    return [
        layout.row("数据时效"),
        sheet(layout, "采集", [
            "gaoling_collector_success",
            "gaoling:collector_age:seconds",
            "gaoling_collector_duration_seconds",
            "gaoling:collector_coverage:ratio",
        ], {"collector": "采集项", "Value #A": "成功", "Value #B": "距上次成功",
            "Value #C": "耗时", "Value #D": "覆盖"},
              {"成功": "bool_yes_no", "距上次成功": "s", "耗时": "s", "覆盖": "percentunit"},
              by="collector"),
        course(layout, "最旧证据时长", {"{{rate}} {{level}}": "gaoling:evidence_age:seconds"}, "s"),
    ]  # fmt: skip
