"""The rules as a Pulumi policy pack: all of them mandatory."""

from __future__ import annotations

from typing import Any

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

from infra.policy.rules import RULES, Resource, Rule

NAME = "gaoling"


def pack() -> PolicyPack:
    """Serve the pack until the engine is done with it."""
    return PolicyPack(
        NAME,
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[_policy(rule) for rule in RULES],
    )


def _policy(rule: Rule) -> ResourceValidationPolicy | StackValidationPolicy:
    about: dict[str, Any] = {
        "name": rule.id,
        "description": rule.reason,
        "severity": Severity[rule.severity.upper()],
        "enforcement_level": EnforcementLevel.MANDATORY,
    }
    if rule.scope == "resource":

        def one(args: ResourceValidationArgs, report: ReportViolation) -> None:
            seen = Resource(args.resource_type, args.urn, args.name, args.props)
            for message, _ in rule.check([seen]):
                report(message, None)

        return ResourceValidationPolicy(validate=one, **about)

    def together(args: StackValidationArgs, report: ReportViolation) -> None:
        for message, urn in rule.check(_resources(args.resources)):
            report(message, urn)

    return StackValidationPolicy(validate=together, **about)


def _resources(given: list[PolicyResource]) -> list[Resource]:
    """Return the stack's resources in our form, the uses of each resolved one step deep."""
    plain = {r.urn: Resource(r.resource_type, r.urn, r.name, r.props) for r in given}
    return [
        Resource(
            r.resource_type,
            r.urn,
            r.name,
            r.props,
            {
                name: [plain[d.urn] for d in found if d.urn in plain]
                for name, found in r.property_dependencies.items()
            },
        )
        for r in given
    ]
