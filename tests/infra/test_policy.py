"""Each rule of the policy pack: what passes it, and what breaks it and how it says so."""

from __future__ import annotations

import pytest

from infra.policy.rules import (
    GROUP,
    NETWORK,
    PROJECT,
    QUOTAS,
    RULE,
    RULES,
    SUBNET,
    Resource,
    bounded_quotas,
    dual_stack,
    no_open_ingress,
    recovery_for_class_3,
)


def messages(rule, *resources):
    return [message for message, _ in rule(resources)]


def network(*versions):
    net = Resource(NETWORK, "urn:net", "health", {})
    subnets = [
        Resource(SUBNET, f"urn:{v}", f"health-{v}", {"ipVersion": v}, {"networkId": [net]})
        for v in versions
    ]
    return [net, *subnets]


def test_dual_stack_passes():
    assert messages(dual_stack, *network(4, 6)) == []


@pytest.mark.parametrize(
    ("versions", "found"), [((4,), "[4]"), ((6,), "[6]"), ((), "none"), ((4, 4), "[4]")]
)
def test_dual_stack_fails(versions, found):
    assert messages(dual_stack, *network(*versions)) == [
        f"network health: found IP versions {found}, expected 4 and 6"
    ]


def ingress(zone, **props):
    group = Resource(GROUP, "urn:group", "health", {"tags": ["gaoling", f"zone={zone}"]})
    rule = Resource(
        RULE, "urn:rule", "in", {"direction": "ingress", **props}, {"securityGroupId": [group]}
    )
    return [group, rule]


def test_no_open_ingress_passes():
    for prefix in ("10.0.0.0/8", "2001:db8::/32"):
        assert messages(no_open_ingress, *ingress("public", remoteIpPrefix=prefix)) == []
    assert messages(no_open_ingress, *ingress("internet", remoteIpPrefix="::/0")) == []
    assert messages(no_open_ingress, *ingress("public", remoteGroupId="g")) == []
    egress = Resource(RULE, "urn:rule", "out", {"direction": "egress"})
    assert messages(no_open_ingress, egress) == []


@pytest.mark.parametrize("props", [{"remoteIpPrefix": "0.0.0.0/0"}, {"remoteIpPrefix": "::/0"}, {}])
@pytest.mark.parametrize("zone", ["public", "dedicated"])
def test_no_open_ingress_fails(zone, props):
    found = props.get("remoteIpPrefix", "no remote prefix and no remote group")
    assert messages(no_open_ingress, *ingress(zone, **props)) == [
        f"rule in: found {found}, expected a prefix of the extranet"
    ]


def project(*tags):
    return Resource(PROJECT, "urn:project", "health", {"tags": list(tags)})


def test_recovery_for_class_3_passes():
    assert messages(recovery_for_class_3, project("mlps=3", "recovery-region=dr")) == []
    assert messages(recovery_for_class_3, project("mlps=2", "recovery-region=none")) == []


def test_recovery_for_class_3_fails():
    expected = (
        "project health: class 3, found no recovery region, expected a recovery policy in "
        "another region"
    )
    assert messages(recovery_for_class_3, project("mlps=3", "recovery-region=none")) == [expected]
    assert messages(recovery_for_class_3, project("mlps=3")) == [expected]
    assert messages(recovery_for_class_3, project()) == [
        "project health: found no tag mlps, expected its class"
    ]


@pytest.mark.parametrize("kind", QUOTAS)
def test_bounded_quotas(kind):
    def quota(value):
        return Resource(kind, "urn:quota", "health", {"projectId": "p", "volumes": value})

    assert messages(bounded_quotas, quota(0)) == []
    assert messages(bounded_quotas, quota(-1)) == [
        "quota health: volumes is -1, expected 0 or more"
    ]


def test_every_rule_says_why():
    assert len({rule.id for rule in RULES}) == len(RULES) == 4
    assert all(rule.reason.endswith(".") and rule.severity for rule in RULES)
