"""Each rule of the policy pack: what passes it, and what breaks it and how it says so."""

from __future__ import annotations

import dataclasses
import datetime as dt
from ipaddress import IPv6Network, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.policy import doc
from infra.policy.data import encrypted_volumes, no_versioned_sync
from infra.policy.model import UNKNOWN, Facts, Resource
from infra.policy.network import (
    GROUP,
    NETWORK,
    RULE,
    SUBNET,
    canonical_cidr,
    dual_stack,
    everybody,
    name_servers_of_family,
    no_open_ingress,
)
from infra.policy.rules import RULES
from infra.policy.zone import (
    CONTAINER,
    INSTANCE,
    PORT,
    PROJECT,
    QUOTAS,
    VOLUME,
    bounded_quotas,
    class_of_region,
    recovery_for_class_3,
    tags,
)

ROOT = Path(__file__).parents[2]
FACTS = Facts(
    today=dt.date(2026, 6, 1),
    region="primary",
    region_mlps=3,
    systems={"health": 3, "open-data": 2, "health-card": 2},
    departments=frozenset({"health-commission", "data-bureau"}),
)
NOTHING = Facts(today=dt.date(2026, 6, 1))


def urn(kind: str, name: str, chain: str = "gaoling:cloud:LandingZone$") -> str:
    return f"urn:pulumi:lab-primary-0::gaoling::{chain}{kind}::{name}"


def of(kind: str, name: str = "health", chain: str = "gaoling:cloud:LandingZone$", **props):
    return Resource(kind, urn(kind, name, chain), name, props)


def messages(rule, *resources, facts=FACTS):
    return [finding.en for finding in rule(resources, facts)]


# -- dual-stack


def network(*versions):
    net = of(NETWORK)
    subnets = [
        Resource(SUBNET, urn(SUBNET, f"health-{v}"), f"health-{v}", {"ipVersion": v},
                 {"networkId": [net]})
        for v in versions
    ]  # fmt: skip
    return [net, *subnets]


def test_dual_stack_passes():
    assert messages(dual_stack, *network(4, 6)) == []
    assert messages(dual_stack, *network(4, 6, 6)) == []


@pytest.mark.parametrize(
    ("versions", "found"), [((4,), "[4]"), ((6,), "[6]"), ((), "none"), ((4, 4), "[4]")]
)
def test_dual_stack_fails(versions, found):
    assert messages(dual_stack, *network(*versions)) == [
        f"network health: found IP versions {found}, expected 4 and 6"
    ]


def test_a_subnet_without_a_version_is_ipv4():
    net, four, six = network(4, 6)
    silent = dataclasses.replace(four, props={})
    assert messages(dual_stack, net, silent, six) == []
    assert messages(dual_stack, net, silent, four) != []


# -- no-open-ingress


def ingress(zone, tier="", uses=(), **props):
    group = of(GROUP, tags=["gaoling", f"zone={zone}", *([f"tier={tier}"] if tier else [])])
    rule = Resource(
        RULE, urn(RULE, "in"), "in", {"direction": "ingress", **props},
        {"securityGroupId": [group], **{name: [group] for name in uses}},
    )  # fmt: skip
    return [group, rule]


def test_no_open_ingress_passes():
    for prefix in ("10.0.0.0/8", "2001:db8::/32"):
        assert messages(no_open_ingress, *ingress("public", remoteIpPrefix=prefix)) == []
    assert messages(no_open_ingress, *ingress("internet", remoteIpPrefix="::/0")) == []
    assert messages(no_open_ingress, *ingress("internet", "web", remoteIpPrefix="::/0")) == []
    assert messages(no_open_ingress, *ingress("public", remoteGroupId="g")) == []
    assert messages(no_open_ingress, *ingress("public", remoteGroupId=UNKNOWN)) == []
    assert messages(no_open_ingress, *ingress("public", uses=["remoteGroupId"])) == []
    assert messages(no_open_ingress, of(RULE, "out", direction="egress")) == []


@pytest.mark.parametrize(
    "props",
    [
        {"remoteIpPrefix": "0.0.0.0/0"},
        {"remoteIpPrefix": "::/0"},
        {"remoteIpPrefix": "0.0.0.0/1"},  # half of everybody
        {"remoteIpPrefix": "2000::/3"},  # all that is routed
        {},
        {"remoteIpPrefix": "", "remoteGroupId": ""},  # as a state holds what was not asked for
    ],
)
@pytest.mark.parametrize(
    ("zone", "tier"), [("public", ""), ("dedicated", "web"), ("internet", "data")]
)
def test_no_open_ingress_fails(zone, tier, props):
    found = props.get("remoteIpPrefix") or "no remote prefix and no remote group"
    assert messages(no_open_ingress, *ingress(zone, tier, **props)) == [
        f"rule in: found {found}, expected a prefix of the extranet"
    ]


def test_a_rule_of_an_unknown_group_is_not_of_the_dmz():
    rule = of(RULE, "in", direction="ingress", remoteIpPrefix="0.0.0.0/0")
    assert len(messages(no_open_ingress, rule)) == 1


@given(st.ip_addresses(), st.integers(0, 128))
def test_what_contains_everybody_means_everybody(address, length):
    """A prefix that is wider than one that means everybody means everybody too."""
    length = min(length, address.max_prefixlen)
    narrow = ip_network(f"{address}/{length}", strict=False)
    wide = narrow.supernet() if narrow.prefixlen else narrow
    assert everybody(str(wide)) >= everybody(str(narrow))
    assert everybody(str(narrow)) == (narrow.prefixlen < (8 if narrow.version == 4 else 16))


# -- class-of-region


def test_class_of_region_passes():
    assert messages(class_of_region, of(PROJECT, tags=["mlps=3"])) == []
    assert messages(class_of_region, of(NETWORK, tags=["system=health"])) == []
    platform = of(NETWORK, "extranet", "gaoling:cloud:Platform$")
    assert messages(class_of_region, platform) == []


def test_class_of_region_fails():
    low = dataclasses.replace(FACTS, region_mlps=2)
    assert messages(class_of_region, of(PROJECT, tags=["mlps=3"]), facts=low) == [
        "project health: found class 3 in region primary of class 2, expected at most class 2"
    ]
    # in the other region there is no project: the network says whose it is
    assert messages(class_of_region, of(NETWORK, tags=["system=health"]), facts=low) == [
        "network health: found class 3 in region primary of class 2, expected at most class 2"
    ]
    assert messages(class_of_region, of(NETWORK, "nobody")) == [
        "network nobody: found neither a tag mlps nor its system in the register, expected the "
        "class of its system"
    ]
    assert messages(class_of_region, of(PROJECT, tags=["mlps=1"]), facts=NOTHING) == [
        "project health: class 1, found no class of its region, expected the region of a known "
        "city (GAOLING_CITY names one)"
    ]


@given(st.integers(1, 5), st.integers(1, 5))
def test_a_region_holds_its_class_and_below(system, region):
    facts = dataclasses.replace(FACTS, region_mlps=region)
    broken = messages(class_of_region, of(PROJECT, tags=[f"mlps={system}"]), facts=facts)
    assert bool(broken) == (system > region)


# -- recovery-for-class-3


def test_recovery_for_class_3_passes():
    assert messages(recovery_for_class_3, of(PROJECT, tags=["mlps=3", "recovery-region=dr"])) == []
    assert messages(recovery_for_class_3, of(PROJECT, tags=["mlps=2"])) == []


def test_recovery_for_class_3_fails():
    expected = (
        "project health: class 3, found no recovery region, expected a recovery policy in "
        "another region"
    )
    for given_tags in (["mlps=3", "recovery-region=none"], ["mlps=3"]):
        assert messages(recovery_for_class_3, of(PROJECT, tags=given_tags)) == [expected]
    assert messages(recovery_for_class_3, of(PROJECT)) == [
        "project health: found no tag mlps, expected its class"
    ]
    here = of(PROJECT, tags=["mlps=4", "recovery-region=primary"])
    assert messages(recovery_for_class_3, here) == [
        "project health: class 4, found recovery region primary, which is its own, expected a "
        "recovery policy in another region"
    ]


# -- encrypted-volumes

OFFERED = dataclasses.replace(FACTS, encrypted=frozenset({"luks"}))


def volume(system, **props):
    return of(VOLUME, f"{system}-data-1", metadata={"gaoling_system": system}, **props)


def test_encrypted_volumes_passes():
    assert messages(encrypted_volumes, volume("health")) == []  # none is offered
    assert messages(encrypted_volumes, volume("health", volumeType="luks"), facts=OFFERED) == []
    assert messages(encrypted_volumes, volume("open-data"), facts=OFFERED) == []
    assert messages(encrypted_volumes, volume("health", volumeType=UNKNOWN), facts=OFFERED) == []


def test_encrypted_volumes_fails():
    assert messages(encrypted_volumes, volume("health"), facts=OFFERED) == [
        "volume health-data-1: class 3, found volume type none, expected one that encrypts: luks"
    ]
    assert messages(encrypted_volumes, volume("lost", volumeType="plain"), facts=OFFERED) == [
        "volume lost-data-1: of no known class, found volume type plain, expected one that "
        "encrypts: luks"
    ]


# -- tags

WHOLE = ["system=health", "department=health-commission", "mlps=3", "expires=none"]


def test_tags_passes():
    assert messages(tags, of(PROJECT, tags=WHOLE)) == []
    until = [*WHOLE[:3], "expires=2026-06-01"]  # to the end of that day
    assert messages(tags, of(PROJECT, tags=until)) == []
    assert messages(tags, of(PORT, tags=WHOLE[:2])) == []
    assert messages(tags, of(PORT, tags=["system=new", "department=new"]), facts=NOTHING) == []
    assert messages(tags, of(INSTANCE, metadata={"gaoling_system": "health"})) == []
    assert messages(tags, of(CONTAINER, metadata={"gaoling-system": "health"})) == []
    # what a region offers to all is of no system
    assert messages(tags, of(NETWORK, "extranet", "gaoling:cloud:Platform$")) == []


@pytest.mark.parametrize(
    ("lost", "put", "expected"),
    [
        (0, "", "tag system: found nothing, expected the system's id"),
        (0, "system=gone", "tag system: found gone, expected a system of the register"),
        (1, "", "tag department: found nothing, expected the department's id"),
        (1, "department=x", "tag department: found x, expected a department of the register"),
        (2, "mlps=三级", "tag mlps: found 三级, expected a class 1 to 5"),
        (3, "", "tag expires: found nothing, expected a day as 2026-12-31, or none"),
        (3, "expires=soon", "tag expires: found soon, expected a day as 2026-12-31, or none"),
        (3, "expires=2026-05-31",
         "tag expires: found 2026-05-31, expected a day that is not past: it should be gone"),
    ],
)  # fmt: skip
def test_tags_fails(lost, put, expected):
    given_tags = [t for n, t in enumerate(WHOLE) if n != lost] + [put]
    assert messages(tags, of(PROJECT, tags=given_tags)) == [f"project health: {expected}"]


def test_what_is_in_no_component_has_to_name_its_system():
    by_hand = of(NETWORK, "test", "")
    assert messages(tags, by_hand) == [
        "network test: tag system: found nothing, expected the system's id",
        "network test: tag department: found nothing, expected the department's id",
    ]
    assert messages(tags, of(VOLUME, "test", "")) == [
        "volume test: tag metadata gaoling_system: found nothing, expected the system's id"
    ]


# -- bounded-quotas


@pytest.mark.parametrize("kind", QUOTAS)
def test_bounded_quotas(kind):
    def quota(value):
        return of(kind, projectId=UNKNOWN, volumes=value)

    assert messages(bounded_quotas, quota(0), quota(UNKNOWN)) == []
    assert messages(bounded_quotas, quota(-1)) == [
        "quota health: volumes is -1, expected 0 or more"
    ]


def test_a_quota_of_one_volume_type_is_a_quota():
    quota = of(QUOTAS[2], volumeTypeQuota={"volumes_ssd": "-1", "gigabytes_ssd": "10"})
    assert messages(bounded_quotas, quota) == [
        "quota health: volumeTypeQuota.volumes_ssd is -1, expected 0 or more"
    ]


# -- pairs that the cloud refuses


def test_no_versioned_sync():
    target = "//gaoling/dr/AUTH_x/objects"
    assert messages(no_versioned_sync, of(CONTAINER, containerSyncTo=target)) == []
    assert messages(no_versioned_sync, of(CONTAINER, versioning=True)) == []
    off = of(CONTAINER, versioning=False, containerSyncTo=target)
    assert messages(no_versioned_sync, off) == []
    for name, value in (("versioning", True), ("versioningLegacy", {"type": "history"})):
        pair = of(CONTAINER, containerSyncTo=UNKNOWN, **{name: value})
        assert messages(no_versioned_sync, pair) == [
            f"container health: found {name} with containerSyncTo, expected one of them"
        ]


def test_name_servers_of_family():
    def subnet(version, *servers):
        return of(SUBNET, ipVersion=version, dnsNameservers=list(servers))

    assert messages(name_servers_of_family, subnet(6, "2001:db8::53"), subnet(4, "10.0.0.53")) == []
    assert messages(name_servers_of_family, subnet(6), subnet(4, UNKNOWN), of(SUBNET)) == []
    assert messages(name_servers_of_family, subnet(6, "2001:db8::53", "10.0.0.53")) == [
        "subnet health: found name server 10.0.0.53, expected addresses of IP version 6"
    ]
    assert messages(name_servers_of_family, subnet(4, "2001:db8::53")) == [
        "subnet health: found name server 2001:db8::53, expected addresses of IP version 4"
    ]


def test_canonical_cidr():
    for cidr in ("2001:db8:1::/64", "10.0.0.0/24", UNKNOWN, ""):
        assert messages(canonical_cidr, of(SUBNET, cidr=cidr)) == []
    assert messages(canonical_cidr, of(SUBNET, cidr="2001:db8:1:0::/64")) == [
        "subnet health: found cidr 2001:db8:1:0::/64, expected its canonical form 2001:db8:1::/64"
    ]
    assert messages(canonical_cidr, of(SUBNET, cidr="10.0.0.1/24")) == [
        "subnet health: found cidr 10.0.0.1/24, expected its canonical form 10.0.0.0/24"
    ]
    assert messages(canonical_cidr, of(SUBNET, cidr="10.0.0/24")) == [
        "subnet health: found cidr '10.0.0/24', expected an IP prefix"
    ]


@given(st.ip_addresses(v=6), st.integers(0, 128))
def test_only_one_spelling_of_a_prefix_is_canonical(address, length):
    prefix = IPv6Network((int(address), length), strict=False)
    assert messages(canonical_cidr, of(SUBNET, cidr=str(prefix))) == []
    long = prefix.exploded
    if long != str(prefix):
        assert messages(canonical_cidr, of(SUBNET, cidr=long)) == [
            f"subnet health: found cidr {long}, expected its canonical form {prefix}"
        ]


# -- whose a resource is


def test_a_resource_is_of_the_system_that_its_tags_or_its_name_say():
    assert FACTS.system_of(of(QUOTAS[0], "health")) == "health"
    assert FACTS.system_of(of(RULE, "health-icmp-ipv4")) == "health"
    assert FACTS.system_of(of(RULE, "health-card-icmp-ipv4")) == "health-card"
    assert FACTS.system_of(of(RULE, "healthy")) == ""
    assert FACTS.system_of(of(PORT, "x", tags=["system=open-data"])) == "open-data"
    assert FACTS.system_of(of(NETWORK, "health", "gaoling:cloud:Platform$")) == ""


# -- the list


def test_every_rule_says_why():
    assert len({rule.id for rule in RULES}) == len(RULES) == 10
    for rule in RULES:
        assert rule.reason.endswith(".")
        assert rule.reason_zh.endswith("。")
        assert rule.clause
        assert rule.mend
        assert rule.refuses
        assert rule.refuses_zh
        assert rule.types


def test_a_rule_looks_at_nothing_but_its_types():
    """The pack passes over all other types unread."""
    kinds = {kind for rule in RULES for kind in rule.types}
    for rule in RULES:
        others = [of(kind) for kind in sorted(kinds - set(rule.types))]
        assert list(rule.check(others, OFFERED)) == [], rule.id


def test_what_is_said_is_said_in_both_languages():
    broken = [of(PROJECT), of(NETWORK), of(SUBNET, cidr="x", dnsNameservers=["::1"]),
              of(VOLUME), *ingress("public"), *(of(q, cores=-1) for q in QUOTAS)]  # fmt: skip
    found = [f for rule in RULES for f in rule.check(broken, OFFERED)]
    assert len(found) > 10
    for finding in found:
        assert any("\u4e00" <= c <= "\u9fff" for c in finding.zh), finding
        assert "expected" in finding.en
        assert finding.resource.name in finding.zh


def test_the_generated_page_is_up_to_date():
    """Else: python -m infra.policy.doc"""
    assert (ROOT / doc.FILE).read_text(encoding="utf-8") == doc.generated()
