"""Values as people write them in a spreadsheet: 市级 for municipal, 在用 for live."""

from __future__ import annotations

from gaoling.city.model import City, Row
from gaoling.city.provenance import canonical
from gaoling.city.values import plain, tidy, value_text

# field -> code -> the words for it; the first one is what an export says
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "tier": {
        "municipal": ("市级", "本级", "市本级"),
        "provincial": ("省级",),
        "provincial_branch": ("省级分厅", "分厅"),
    },
    "zone": {
        "internet": ("互联网区", "互联网"),
        "public": ("公用网络区", "公用", "公用网"),
        "dedicated": ("专用网络区", "专用", "专网"),
    },
    "state": {
        "planned": ("规划", "规划中", "拟建"),
        "building": ("在建", "建设中"),
        "live": ("在用", "运行", "已建", "已建成"),
        "retired": ("停用", "退役", "已停用"),
    },
    "migration": {
        "planned": ("计划上云", "计划", "规划"),
        "migrating": ("迁移中", "正在上云"),
        "on_cloud": ("已上云", "上云"),
        "off": ("未上云", "不上云"),
    },
    "level": {
        "city": ("市", "市级"),
        "county": ("县", "县级", "区县"),
        "township": ("乡", "乡级", "乡镇"),
        "village": ("村", "村级", "村（社区）"),
    },
    "kind": {
        "department": ("部门",), "facility": ("机房", "设施"), "county": ("县区",),
        "subdistrict": ("街道",), "town": ("镇",), "township": ("乡",), "unit": ("单位",),
        "village": ("村", "社区", "村（社区）"),
        "ratio": ("比率",), "count": ("数量",), "completion": ("完成",),
    },
    "role": {
        "core": ("核心",), "aggregation": ("汇聚",), "border": ("出口",), "leaf": ("数据中心",),
        "county": ("县区",), "township": ("乡镇",), "village": ("村",), "peer": ("省级对端",),
        "vantage": ("观测点",),
    },
    "measured": {"observed": ("自测",), "reported": ("上报",), "proxy": ("代理指标",)},
    "deadline_basis": {"stated": ("规划写明",), "plan_end_assumed": ("规划期末（假定）",)},
}  # fmt: skip
FREE = {"name", "carries", "section", "deadline_of", "note", "exempt_reason", "unit"}
_CODES = {
    field: {plain(word): code for code, words in codes.items() for word in words}
    for field, codes in WORDS.items()
}


def code_of(city: City, model: type[Row], field: str, written: str) -> str:
    """Return the text that the register holds for what somebody wrote in a cell.

    Words become codes, names of departments and policies their ids; free text keeps its
    punctuation, all other is folded to its plain form (NFKC, no outer spaces).
    """
    text = str(tidy(written) if field in FREE else plain(written))
    if found := _CODES.get(field, {}).get(text):
        return found
    if field == "department":
        names = {str(plain(d.name)): d.id for d in city.departments}
        return names.get(text, text)
    if field == "recovery":
        return {str(plain(p.name)): p.id for p in city.settings.recovery_policies}.get(text, text)
    return text


def text_of(model: type[Row], field: str, written: str) -> str:
    """Return a cell's one canonical text: 是 for yes, 3 for 三级, a date as it was worded."""
    value = canonical(model, field, written)
    return written if value is written else value_text(value)


def word_of(field: str, text: str) -> str:
    """Return what an export says for a code; the code itself where there is no word for it."""
    words = WORDS.get(field, {}).get(text)
    return words[0] if words else text
