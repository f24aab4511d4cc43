"""The rules as a Pulumi policy pack: all of them mandatory, what is exempt advisory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import policy as sdk
from pulumi_policy.proxy import UnknownValueError

from infra.policy.context import Context, context_of, given_city
from infra.policy.exemptions import FILE, Exemption, exempt
from infra.policy.model import UNKNOWN, Finding, Language, Resource, Rule
from infra.policy.rules import RULES

NAME = "gaoling"
LANGUAGE = "GAOLING_POLICY_LANG"  # of the messages: en, or zh
STACK = "pulumi:pulumi:Stack"
# Policies beside the rules. Pulumi gives a level to a policy, not to a finding: what is exempt is
# said by policies of their own.
WHOLE = "exemptions"
EXEMPT = "exempt"
EXEMPT_STACK = "exempt-stack"
Scope = Literal["resource", "stack"]
_CONFIG: dict[str, str] = {}
Policy = ResourceValidationPolicy | StackValidationPolicy
# a finding, and the rule that it breaks
Said = tuple[Rule, Finding, Exemption | None]


class _Servicer(sdk._PolicyAnalyzerServicer):
    """The SDK's own, which drops the stack's configuration: ours keeps city and region."""

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        for name in ("gaoling:city", "gaoling:region"):
            if name in request.config:
                _CONFIG[name] = request.config[name]
        return super().ConfigureStack(request, context)


def pack() -> PolicyPack:
    """Serve the pack until the engine is done with it."""
    sdk._PolicyAnalyzerServicer = _Servicer  # type: ignore[misc]
    return PolicyPack(
        NAME,
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[_whole(), *map(_policy, RULES), _exempt("resource"), _exempt("stack")],
    )


def judged(
    rules: Sequence[Rule], resources: Sequence[Resource], context: Context
) -> Iterator[Said]:
    """Yield what breaks the rules, with its exemption where it has one."""
    for rule in rules:
        for finding in rule.check(resources, context.facts):
            yield rule, finding, exempt(context.exemptions, rule.id, finding, context.facts)


def exempt_text(rule: Rule, finding: Finding, by: Exemption, language: Language) -> str:
    """Return how an exempt finding is said: it is never dropped."""
    text = finding.text(language)
    if language == "zh":
        return f"[{rule.id}] {text}（豁免至 {by.until}：{by.reason}；{FILE}:{by.line}）"
    return f"[{rule.id}] {text} (exempt until {by.until}: {by.reason}; {FILE}:{by.line})"


def language() -> Language:
    return "zh" if os.environ.get(LANGUAGE) == "zh" else "en"


# -- policies


def _policy(rule: Rule) -> Policy:
    def say(said: Said, report: Callable[[str, str], None]) -> None:
        _, finding, by = said
        if by is None:
            report(finding.text(language()), finding.resource.urn)

    about: dict[str, Any] = {
        "description": f"{rule.title}: {rule.reason} [{rule.clause}]",
        "display_name": rule.title,
        "severity": Severity[rule.severity.upper()],
        "remediation_steps": rule.mend,
    }
    return _made(rule.id, rule.scope, (rule,), say, EnforcementLevel.MANDATORY, about)


def _exempt(scope: Scope) -> Policy:
    def say(said: Said, report: Callable[[str, str], None]) -> None:
        rule, finding, by = said
        if by is not None:
            report(exempt_text(rule, finding, by, language()), finding.resource.urn)

    about: dict[str, Any] = {
        "description": "豁免: a rule is broken, and an exemption with a reason and an end says so.",
        "display_name": "豁免",
        "severity": Severity.LOW,
    }
    rules = tuple(rule for rule in RULES if rule.scope == scope)
    name = EXEMPT if scope == "resource" else EXEMPT_STACK
    return _made(name, scope, rules, say, EnforcementLevel.ADVISORY, about)


def _made(
    name: str,
    scope: Scope,
    rules: tuple[Rule, ...],
    say: Callable[[Said, Callable[[str, str], None]], None],
    level: EnforcementLevel,
    about: dict[str, Any],
) -> Policy:
    looked_at = {kind for rule in rules for kind in rule.types}
    advisory = level is EnforcementLevel.ADVISORY

    def one(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type not in looked_at:
            return
        context = _context(_stack_of(args.urn))
        if advisory and not context.exemptions:
            return
        seen = Resource(args.resource_type, args.urn, args.name, plain(args.props))
        for said in judged([r for r in rules if args.resource_type in r.types], [seen], context):
            say(said, lambda text, _: report(text, None))

    def together(args: StackValidationArgs, report: ReportViolation) -> None:
        wanted = [r for r in args.resources if r.resource_type in looked_at]
        if not wanted:
            return
        context = _context(_stack_of(wanted[0].urn))
        if advisory and not context.exemptions:
            return
        for said in judged(rules, _resources(wanted), context):
            say(said, report)

    if scope == "resource":
        return ResourceValidationPolicy(name=name, validate=one, enforcement_level=level, **about)
    return StackValidationPolicy(name=name, validate=together, enforcement_level=level, **about)


def _whole() -> Policy:
    """Return the policy that stops a run at its first resource when nothing can be judged."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type == STACK:
            for fault in _context(_stack_of(args.urn)).faults:
                report(str(fault), None)

    return ResourceValidationPolicy(
        name=WHOLE,
        description="豁免有效: every exemption has a reason and an end that is not past, and the "
        "register is whole.",
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        display_name="豁免有效",
        severity=Severity.HIGH,
        remediation_steps="mend the line of the file that is named, or take the exemption out",
    )


# -- what the engine gives, in our form


def plain(value: Any) -> Any:
    """Return a value with UNKNOWN where the preview does not know it yet.

    pulumi-policy raises at the first look at such a value, and passes over the whole rule.
    """
    if isinstance(value, Mapping):
        return {name: _known(value, name) for name in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_known(value, place) for place in range(len(value))]
    return value


def _known(holder: Any, key: Any) -> Any:
    try:
        return plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


def _resources(given: list[PolicyResource]) -> list[Resource]:
    """Return resources in our form, the uses of each resolved one step deep.

    What was imported has no dependencies in the state: there the ids say what is used.
    """
    found = {r.urn: Resource(r.resource_type, r.urn, r.name, plain(r.props)) for r in given}
    by_id: dict[Any, list[Resource]] = {}
    for resource in found.values():
        if isinstance(resource.props.get("id"), str):
            by_id.setdefault(resource.props["id"], []).append(resource)
    return [
        Resource(r.resource_type, r.urn, r.name, found[r.urn].props, _uses(r, found, by_id))
        for r in given
    ]


def _uses(
    given: PolicyResource, found: Mapping[str, Resource], by_id: Mapping[Any, list[Resource]]
) -> dict[str, list[Resource]]:
    props = found[given.urn].props
    uses = {
        name: by_id[value]
        for name, value in props.items()
        if name != "id" and isinstance(value, str) and value in by_id
    }
    for name, used in given.property_dependencies.items():
        if known := [found[d.urn] for d in used if d.urn in found]:
            uses[name] = known
    return uses


def _stack_of(urn: str) -> str:
    return urn.split("::")[0].removeprefix("urn:pulumi:")


@cache
def _context(stack: str) -> Context:
    return context_of(stack, pulumi.runtime.get_config_env() | _CONFIG, given_city())
