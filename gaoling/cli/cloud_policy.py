"""`gaoling cloud policy`: the rules of the policy pack, on what there is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gaoling.cli import context

if TYPE_CHECKING:
    from infra.policy.analyze import Breach, Judgement
    from infra.policy.exemptions import Exemption
    from infra.policy.model import Language

SEVERITY = {"critical": "严重", "high": "高", "medium": "中", "low": "低"}
STATE = {
    "zh": {"judged": "已评估", "empty": "空栈，未评估", "absent": "无状态，未评估"},
    "en": {"judged": "judged", "empty": "empty: not judged", "absent": "no state: not judged"},
}


def policy(
    stack: Annotated[
        list[str] | None, typer.Option("--stack", help="Only this stack; may be repeated.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List the rules; judge nothing.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Stacks judged at once.")] = 2,
    lang: Annotated[
        Literal["zh", "en"] | None, typer.Option(help="zh unless --json is given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge the state of every stack by the rules that preview and up have. No cloud is asked.

    What is exempt is listed with reason and end. Exit codes: 0 nothing is broken, 1 a state cannot
    be judged, 2 bad input (an exemption that is expired or has no reason, no state at all), 3
    something is broken.

    Example: `gaoling cloud policy --stack lab-primary-0`
    """
    language: Language = lang or ("en" if as_json else "zh")
    if rules:
        _list(language, as_json)
        return
    from gaoling.cli.cloud_flow import home as home_of
    from infra.policy.analyze import analyze, stacks_of, unused
    from infra.policy.exemptions import read_exemptions
    from infra.policy.model import today

    city = context.city()
    exemptions = read_exemptions(city.directory, today(), city.system)
    home = home_of()
    known = stacks_of(home, city)
    if unknown := sorted(set(stack or ()) - set(known)):
        raise typer.BadParameter(f"--stack {', '.join(unknown)}: expected of {', '.join(known)}")
    wanted = [name for name in known if not stack or name in stack]
    found = analyze(home, city, wanted, exemptions, language, jobs)
    idle = unused(exemptions, found) if not stack else []
    if as_json:
        print(json.dumps(_object(found, idle), ensure_ascii=False, indent=1))
    else:
        _print(found, idle, language)
    if not any(j.state == "judged" for j in found):
        print(f"gaoling: {home.url}: found no stack of the city with resources, expected one; "
              "nothing was judged", file=sys.stderr)  # fmt: skip
        raise typer.Exit(2)
    if any(j.broken for j in found):
        raise typer.Exit(3)


def _list(language: Language, as_json: bool) -> None:
    from infra.policy.rules import RULES

    if as_json:
        rows = [
            {"rule": r.id, "title": r.title, "severity": r.severity, "refuses": r.refuses,
             "reason": r.reason, "clause": r.clause, "mend": r.mend, "scope": r.scope}
            for r in RULES
        ]  # fmt: skip
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for r in RULES:
        if language == "zh":
            print(f"{r.id}  {r.title}（{SEVERITY[r.severity]}）\n  不允许：{r.refuses_zh}\n"
                  f"  理由：{r.reason_zh}\n  依据：{r.clause}")  # fmt: skip
        else:
            print(f"{r.id}  ({r.severity})\n  refuses: {r.refuses}\n"
                  f"  reason: {r.reason}\n  clause: {r.clause}\n  mend: {r.mend}")  # fmt: skip


def _object(found: Sequence[Judgement], idle: Sequence[Exemption]) -> dict[str, Any]:
    return {
        "broken": sum(not b.exempt for j in found for b in j.breaches),
        "exempt": sum(b.exempt for j in found for b in j.breaches),
        "stacks": [
            {"stack": j.stack, "state": j.state, "findings": [_row(b) for b in j.breaches]}
            for j in found
        ],
        "unused_exemptions": [_exemption(e) for e in idle],
    }


def _row(breach: Breach) -> dict[str, Any]:
    return {
        "rule": breach.rule,
        "severity": breach.severity,
        "urn": breach.urn,
        "message": breach.message,
        "exemption": _exemption(breach.exemption) if breach.exemption else None,
        "level": "advisory" if breach.exempt else "mandatory",
    }


def _exemption(given: Exemption) -> dict[str, Any]:
    return {"rule": given.rule, "resource": given.resource, "reason": given.reason,
            "until": given.until.isoformat(), "line": given.line}  # fmt: skip


def _print(found: Sequence[Judgement], idle: Sequence[Exemption], language: Language) -> None:
    from infra.policy.rules import RULE_BY_ID

    zh = language == "zh"
    for judgement in found:
        print(f"{judgement.stack:<28} {STATE[language][judgement.state]}")
        for b in judgement.breaches:
            rule = RULE_BY_ID.get(b.rule)
            title = f"{rule.title} " if rule and zh else ""
            severity = SEVERITY.get(b.severity, b.severity) if zh else b.severity
            mark = ("豁免" if zh else "exempt") if b.exempt else f"! {severity}"
            print(f"  {mark:<8} {title}{b.rule}: {b.message}")
    broken = sum(not b.exempt for j in found for b in j.breaches)
    exempt = sum(b.exempt for j in found for b in j.breaches)
    judged = sum(j.state == "judged" for j in found)
    for e in idle:
        text = "豁免未用到，可删除" if zh else "an exemption that lets nothing pass"
        print(f"exemptions.yaml:{e.line}: {text}: {e.rule} {e.resource}")
    if zh:
        print(f"评估 {judged}/{len(found)} 个栈：违规 {broken} 项，豁免 {exempt} 项")
    else:
        print(f"{judged} of {len(found)} stacks judged: {broken} broken, {exempt} exempt")
