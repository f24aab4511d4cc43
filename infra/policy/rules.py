"""The rules. Each yields what breaks it; a rule knows nothing of Pulumi's machinery."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

NETWORK = "openstack:networking/network:Network"
SUBNET = "openstack:networking/subnet:Subnet"
GROUP = "openstack:networking/secGroup:SecGroup"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
PROJECT = "openstack:identity/project:Project"
QUOTAS = (
    "openstack:compute/quotaSetV2:QuotaSetV2",
    "openstack:networking/quotaV2:QuotaV2",
    "openstack:blockstorage/quoteSetV3:QuoteSetV3",
)
OPEN = ("0.0.0.0/0", "::/0")
DMZ = "zone=internet"


@dataclass(frozen=True)
class Resource:
    """A resource as a rule sees it; `uses` names by property the resources it was made from."""

    type: str
    urn: str
    name: str
    props: Mapping[str, Any]
    uses: Mapping[str, Sequence[Resource]] = field(default_factory=dict)


Broken = Iterator[tuple[str, str]]  # what is wrong, and the URN of what it is wrong with


@dataclass(frozen=True)
class Rule:
    """One rule. `scope` is resource (before each is made) or stack (all of them together)."""

    id: str
    reason: str
    scope: Literal["resource", "stack"]
    check: Callable[[Sequence[Resource]], Broken]
    severity: Literal["low", "medium", "high", "critical"] = "high"


def dual_stack(resources: Sequence[Resource]) -> Broken:
    """Every network of a landing zone has a subnet of both families."""
    families: dict[str, set[int]] = {}
    for subnet in resources:
        if subnet.type == SUBNET:
            for network in subnet.uses.get("networkId", ()):
                families.setdefault(network.urn, set()).add(int(subnet.props["ipVersion"]))
    for network in resources:
        if network.type == NETWORK and families.get(network.urn, set()) != {4, 6}:
            found = sorted(families.get(network.urn, ()))
            yield (
                f"network {network.name}: found IP versions {found or 'none'}, expected 4 and 6",
                network.urn,
            )


def no_open_ingress(resources: Sequence[Resource]) -> Broken:
    """Below the DMZ (every zone but 互联网区) no ingress from everywhere."""
    for rule in resources:
        if rule.type != RULE or rule.props.get("direction") != "ingress":
            continue
        prefix = rule.props.get("remoteIpPrefix")
        if prefix not in OPEN and (prefix or _present(rule, "remoteGroupId")):
            continue
        groups = [g for g in rule.uses.get("securityGroupId", ()) if g.type == GROUP]
        if groups and all(DMZ in (g.props.get("tags") or ()) for g in groups):
            continue
        found = prefix or "no remote prefix and no remote group"
        yield f"rule {rule.name}: found {found}, expected a prefix of the extranet", rule.urn


def _present(resource: Resource, name: str) -> bool:
    """Say whether a property is set: its value may not be known yet, what it comes from is."""
    return name in resource.props or bool(resource.uses.get(name))


def recovery_for_class_3(resources: Sequence[Resource]) -> Broken:
    """A system of MLPS class 3 or above has a recovery policy in another region."""
    for project in resources:
        if project.type != PROJECT:
            continue
        tags = dict(t.split("=", 1) for t in project.props.get("tags") or () if "=" in t)
        mlps = tags.get("mlps", "")
        if not mlps.isdigit():
            yield f"project {project.name}: found no tag mlps, expected its class", project.urn
        elif int(mlps) >= 3 and tags.get("recovery-region", "none") == "none":
            yield (
                f"project {project.name}: class {mlps}, found no recovery region, expected a "
                "recovery policy in another region",
                project.urn,
            )


def bounded_quotas(resources: Sequence[Resource]) -> Broken:
    """No quota is unlimited (-1)."""
    for quota in resources:
        if quota.type not in QUOTAS:
            continue
        for name, value in quota.props.items():
            if isinstance(value, int | float) and value < 0:
                yield f"quota {quota.name}: {name} is {value}, expected 0 or more", quota.urn


RULES = (
    Rule(
        id="dual-stack",
        reason="The city's plan asks for IPv6 everywhere; IPv4 stays until the last caller has it.",
        scope="stack",
        check=dual_stack,
    ),
    Rule(
        id="no-open-ingress",
        reason="GB/T 22239 8.1.3.2: access across a boundary is allowed by name, never to all.",
        scope="stack",
        check=no_open_ingress,
        severity="critical",
    ),
    Rule(
        id="recovery-for-class-3",
        reason="GB/T 22239 8.1.4.9: class 3 asks for off-site copies in real time.",
        scope="resource",
        check=recovery_for_class_3,
        severity="critical",
    ),
    Rule(
        id="bounded-quotas",
        reason="One project without a bound can take what all others need.",
        scope="resource",
        check=bounded_quotas,
    ),
)
