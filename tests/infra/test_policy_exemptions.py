"""Exemptions: what they let pass, how that is said, and which of them are errors."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaoling.city import RegisterError, read_city
from infra.policy.context import Context, context_of, facts_of
from infra.policy.exemptions import Exemption, exempt, matches, read_exemptions
from infra.policy.model import SHANGHAI, Facts, Finding, Resource, today
from infra.policy.network import NETWORK
from infra.policy.pack import exempt_text, judged, plain
from infra.policy.rules import RULE_BY_ID, RULES

ROOT = Path(__file__).parents[2]
LAB = ROOT / "inventories" / "lab"
DAY = dt.date(2026, 6, 1)
FACTS = Facts(today=DAY, region="primary", region_mlps=3, systems={"health": 3, "open-data": 2})
URN = f"urn:pulumi:lab-primary-0::gaoling::gaoling:cloud:LandingZone${NETWORK}::health"

GOOD = """\
- rule: dual-stack
  resource: health
  reason: 设备不支持 IPv6
  until: 2026-06-01
"""


def read(folder: Path, text: str, day: dt.date = DAY):
    (folder / "exemptions.yaml").write_text(text, encoding="utf-8")
    return read_exemptions(folder, day, {"health", "open-data"})


def faults(folder: Path, text: str, day: dt.date = DAY) -> list[str]:
    with pytest.raises(RegisterError) as caught:
        read(folder, text, day)
    return [str(fault) for fault in caught.value.faults]


def test_a_city_without_the_file_has_none(tmp_path):
    assert read_exemptions(tmp_path, DAY, ()) == ()
    assert read(tmp_path, "") == ()


def test_an_exemption_holds_to_the_end_of_its_day(tmp_path):
    (found,) = read(tmp_path, GOOD)
    assert found == Exemption("dual-stack", "health", "设备不支持 IPv6", DAY, 1)
    assert faults(tmp_path, GOOD, DAY + dt.timedelta(days=1)) == [
        "exemptions.yaml:4: until（截止日期）: found '2026-06-01', "
        "expected a day that is not past (today is 2026-06-02)"
    ]


def test_the_day_is_that_of_shanghai():
    assert today() == dt.datetime.now(dt.UTC).astimezone(SHANGHAI).date()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  reason: 设备不支持 IPv6\n", "",
         "exemptions.yaml:1: reason（理由）: found '', "
         "expected a reason: why the rule does not hold there"),
        ("reason: 设备不支持 IPv6", "reason: '  '",
         "exemptions.yaml:3: reason（理由）: found '', "
         "expected a reason: why the rule does not hold there"),
        ("until: 2026-06-01", "until: soon",
         "exemptions.yaml:4: until（截止日期）: found 'soon', expected a day as 2026-12-31"),
        ("  until: 2026-06-01\n", "",
         "exemptions.yaml:1: until（截止日期）: found '', expected a day as 2026-12-31"),
        ("rule: dual-stack", "rule: dualstack",
         "exemptions.yaml:1: rule（规则）: found 'dualstack', "
         f"expected one of {', '.join(RULE_BY_ID)}"),
        ("resource: health", "resource: '*'",
         "exemptions.yaml:2: resource（资源）: found '*', "
         "expected a system of systems.csv, or a URN (* for anything)"),
        ("resource: health", "resource: urn:*",
         "exemptions.yaml:2: resource（资源）: found 'urn:*', "
         "expected a URN that names something"),
        ("  until", "  untill",
         "exemptions.yaml:4: untill: found an unknown field, "
         "expected one of rule, resource, reason, until"),
        ("  until", "  rule: tags\n  until",
         "exemptions.yaml:4: rule（规则）: found the field twice, expected once"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path, old, new, expected):
    assert old in GOOD
    assert expected in faults(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rule: x\n", "exemptions.yaml:1: file: found a mapping, expected a list of exemptions"),
        ("- x\n",
         "exemptions.yaml:1: item: found a scalar, "
         "expected an exemption: rule, resource, reason, until"),
        ("- [\n",
         "exemptions.yaml:2: file: found expected the node content, but found '<stream end>', "
         "expected YAML"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_exemptions_is_refused(tmp_path, text, expected):
    assert faults(tmp_path, text) == [expected]


def test_one_fault_ends_all_exemptions(tmp_path):
    second = GOOD.replace("resource: health", "resource: nobody")
    assert len(faults(tmp_path, GOOD + second)) == 1


def finding(urn: str = URN) -> Finding:
    return Finding(Resource(NETWORK, urn, urn.rpartition("::")[2], {}), "en", "中文")


def by(rule: str, resource: str, until: dt.date = DAY) -> Exemption:
    return Exemption(rule, resource, "why", until, 1)


def test_an_exemption_covers_a_system_or_a_pattern():
    whole, rest = URN.split("::health")[0], "urn:pulumi:lab-dr-*"
    assert exempt([by("dual-stack", "health")], "dual-stack", finding(), FACTS)
    assert exempt([by("dual-stack", f"{whole}::*")], "dual-stack", finding(), FACTS)
    assert not exempt([by("dual-stack", "open-data")], "dual-stack", finding(), FACTS)
    assert not exempt([by("dual-stack", rest)], "dual-stack", finding(), FACTS)
    assert not exempt([by("tags", "health")], "dual-stack", finding(), FACTS)


def test_of_several_exemptions_the_one_that_holds_longest_is_named():
    later = by("dual-stack", "health", DAY + dt.timedelta(days=9))
    assert exempt([by("dual-stack", "health"), later], "dual-stack", finding(), FACTS) == later


@given(st.text(alphabet="ab[]?*:$-", max_size=12), st.text(alphabet="ab[]?*:$-", max_size=12))
def test_only_the_star_is_special_in_a_pattern(text, other):
    assert matches(text, text)
    assert matches(text, "*")
    assert matches(text + other, text + "*")
    if "*" not in text:
        assert matches(other, text) == (other == text)


def test_what_is_exempt_is_still_found():
    net = finding().resource
    context = Context(FACTS, (by("dual-stack", "health"),))
    ((rule, found, exemption),) = judged([RULE_BY_ID["dual-stack"]], [net], context)
    assert exempt_text(rule, found, exemption, "en") == (
        "[dual-stack] network health: found IP versions none, expected 4 and 6 "
        "(exempt until 2026-06-01: why; exemptions.yaml:1)"
    )
    assert exempt_text(rule, found, exemption, "zh") == (
        "[dual-stack] 网络 health：IP 版本为 无，应为 4 和 6"
        "（豁免至 2026-06-01：why；exemptions.yaml:1）"
    )


@given(
    st.lists(st.sampled_from([rule.id for rule in RULES]), max_size=3),
    st.sampled_from(["health", "open-data", f"{URN[:20]}*"]),
)
def test_an_exemption_changes_how_a_finding_is_said_and_never_whether(rules, resource):
    context = Context(FACTS, tuple(by(rule, resource) for rule in rules))
    seen = [Resource(NETWORK, URN, "health", {}), Resource("x:y:Z", f"{URN}-2", "x", {})]
    with_them = [(r.id, f.resource.urn) for r, f, _ in judged(RULES, seen, context)]
    without = [(r.id, f.resource.urn) for r, f, _ in judged(RULES, seen, Context(FACTS))]
    assert with_them == without
    assert len(without) >= 3


# -- which city a stack is of


def test_a_stack_is_judged_by_the_city_of_its_configuration(tmp_path):
    city = shutil.copytree(LAB, tmp_path / "other")
    settings = city / "city.yaml"
    settings.write_text(settings.read_text().replace("mlps: 三级", "mlps: 二级", 1))
    config = {"gaoling:city": str(city), "gaoling:region": "primary"}
    assert context_of("lab-primary-0", config).facts.region_mlps == 2
    assert context_of("lab-primary-0", {}).facts.region_mlps == 3
    assert context_of("lab-primary-0", {}, given=str(city)).facts.region_mlps == 2
    # a city of another name is not that stack's
    assert context_of("jingdezhen-dr-3", {}, given=str(city)).facts.region == "dr"


def test_a_stack_of_no_city_is_judged_without_facts():
    facts = context_of("nowhere-primary-0", {}).facts
    assert (facts.region_mlps, facts.systems, facts.departments) == (None, None, None)


def test_a_broken_file_is_a_fault_and_exempts_nothing(tmp_path):
    city = shutil.copytree(LAB, tmp_path / "lab")
    (city / "exemptions.yaml").write_text(GOOD.replace("dual-stack", "no-such-rule"))
    context = context_of("lab-primary-0", {"gaoling:city": str(city)})
    assert context.exemptions == ()
    assert any("found 'no-such-rule'" in str(fault) for fault in context.faults)


def test_the_facts_are_the_register_s():
    city = read_city(LAB)
    facts = facts_of(city, "dr")
    assert facts.region_mlps == city.region["dr"].mlps
    assert facts.systems == {s.id: s.mlps for s in city.systems}
    assert facts.departments == set(city.department)
    assert facts_of(city, "nowhere").region_mlps is None


def test_what_a_preview_does_not_know_loses_no_rule():
    from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

    given_props = {"projectId": UNKNOWN_STRING_VALUE, "cores": -1, "list": [UNKNOWN_STRING_VALUE]}
    seen = plain(unknown_checking_proxy(given_props))
    assert repr(seen) == "{'projectId': not known yet, 'cores': -1, 'list': [not known yet]}"
