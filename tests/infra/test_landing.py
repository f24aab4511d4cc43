"""What `landing` of city.yaml and a stack's configuration add to landing zones and platforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from gaoling.city import read_city
from gaoling.city.landing import Landing
from gaoling.cloud.demand import demands
from infra import program
from tests.infra.recorder import PLATFORM, ROOT, Recorder, platform, shard
from tests.infra.test_stacks import schema

CITY = read_city(ROOT / "inventories/lab")
LANDED = {s.id for s in CITY.systems if s.has_landing_zone}
NARROW = {s.id for s in CITY.systems if s.has_landing_zone and s.mlps >= 3}
HERE = {**PLATFORM, "pool_ipv6": "pool-6", "baseline": "baseline-id", "names_zone": "zone-id"}
EVERYTHING = {
    "credential_until": "2027-06-30",
    "auditor": {"kind": "group", "name": "auditors"},
    "volume_type": "standard",
    "volume_types": [
        {"name": "standard", "iops": 500},
        {"name": "plain"},
        {"name": "sealed", "encrypted": True, "made_by": "cloud"},
    ],
    "host_groups": [
        {"region": "primary", "name": "hall-1", "zone": "az-1", "hosts": ["host-2", "host-1"]},
        {"region": "dr", "name": "hall-9", "hosts": ["host-9"]},
    ],
    "shared_services": [
        {"region": "primary", "ipv4": "10.66.0.0/24", "ipv6": "2001:db8:ffff:1::/64"}
    ],
    "baseline_group": True,
    "names": "designate",
    "systems": [
        {
            "system": "e-license",
            "data_tier": {"servers": 1, "port": 5432},
            "load_balancer": True,
            "ipv6_mode": "dhcpv6-stateful",
            "object_gb": 7,
            "volume_type": "sealed",
        }
    ],
}
OFFERED = {"load_balancer": "octavia", "ipv6_pool": True, "availability_zones": ("az-1", "az-2")}


@pytest.fixture
def landed(declared, monkeypatch) -> Callable[..., Recorder]:
    """Return a function that declares a stack of the lab's city with that `landing`."""

    def declare(settings, landing: dict[str, Any] | None = None, **city: Any) -> Recorder:
        given = {"object_gb": 1, **(landing or {})}
        told = CITY.settings.model_copy(update={"landing": Landing.model_validate(given)})
        changed = CITY.model_copy(update={"settings": told, **city})
        monkeypatch.setattr("infra.settings.read_city", lambda _: changed)
        monkeypatch.setattr(program, "unencrypted", lambda clouds, cloud, types: [])
        if not settings.is_platform:  # by name: all of it together is more than one shard holds
            settings = replace(settings, systems=tuple(sorted(LANDED)))
        recorder = declared(settings, Recorder(platform=dict(HERE)))
        made = [r for r in recorder.resources if r.type != "pulumi:pulumi:Stack"]
        if not settings.is_platform:
            counted = sum(d.resources for d in demands(changed, settings.region))
            assert len(made) == counted, "gaoling.cloud.demand counts other than is declared"
        return recorder

    return declare


def rules(recorder: Recorder, group: str) -> set[tuple[Any, ...]]:
    """Return the rules of a group: direction, family, protocol, port, the other end."""
    return {
        (
            r.inputs["direction"],
            r.inputs["ethertype"],
            r.inputs.get("protocol"),
            r.inputs.get("portRangeMin"),
            r.inputs.get("remoteIpPrefix") or r.inputs.get("remoteGroupId"),
        )
        for r in recorder.of(":SecGroupRule")
        if r.inputs["securityGroupId"] == f"{group}-id"
    }


# --- access


def test_every_project_has_one_credential_that_is_a_member_and_no_more(landed):
    made = landed(shard()).of(":ApplicationCredential")
    assert {r.name for r in made} == LANDED
    for resource in made:
        assert resource.inputs["roles"] == ["member"]
        assert resource.inputs["unrestricted"] is False
        assert "expiresAt" not in resource.inputs
        # the project is the provider's: a credential is always of the project one is scoped to
        assert resource.provider.rpartition("::")[0].endswith(f"::{resource.name}")


def test_the_other_region_makes_no_second_credential(landed):
    assert landed(shard("dr")).of(":ApplicationCredential") == []


def test_credentials_end_on_the_day_that_the_city_says(landed):
    """At the end of that day in Asia/Shanghai; a later day is another name, so a new one."""
    until = {"credential_until": "2027-06-30"}
    credential = landed(shard(), until).one(":ApplicationCredential", "health").inputs
    assert credential["name"] == "lab-health-2027-06-30"
    assert credential["expiresAt"] == "2027-06-30T15:59:59Z"


def test_the_credentials_are_exported_and_their_secrets_are_secret(landed, monkeypatch):
    told: dict[str, Any] = {}
    monkeypatch.setattr(program.pulumi, "export", lambda name, value: told.update({name: value}))
    landed(shard())
    assert set(told["credentials"]) == LANDED
    sealed: list[bool] = []

    @pulumi.runtime.test
    async def look():
        for one in told["credentials"].values():
            sealed.append(await one["secret"].is_secret())

    look()
    assert sealed == [True] * len(LANDED)


@pytest.mark.parametrize(("kind", "field"), [("group", "groupId"), ("user", "userId")])
def test_the_auditor_only_reads(landed, kind, field):
    recorder = landed(shard(), {"auditor": {"kind": kind, "name": "auditors"}})
    made = [r for r in recorder.of(":RoleAssignment") if r.name.endswith("-audit")]
    assert {r.inputs["projectId"] for r in made} == {f"{s}-id" for s in LANDED}
    assert all(r.inputs[field] == f"{kind} auditors" for r in made)
    assert all(r.inputs["roleId"] == "role reader" for r in made)


def test_without_an_auditor_nobody_else_has_a_role(landed):
    assert {r.name for r in landed(shard()).of(":RoleAssignment")} == LANDED


# --- objects, addresses, volumes, servers


def test_every_container_has_a_bound_the_same_in_both_regions(landed):
    wishes = {"object_gb": 5, "systems": [{"system": "health", "object_gb": 7}]}
    for region in ("primary", "dr"):
        made = landed(shard(region), wishes).of("objectstorage/container:Container")
        found = {r.name: int(r.inputs["metadata"]["quota-bytes"]) for r in made}
        assert found.pop("health") == 7 * 2**30
        assert found
        assert set(found.values()) == {5 * 2**30}


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"])
def test_ipv6_comes_as_the_city_and_the_system_say(landed, mode):
    """Both modes are the same: what Neutron's router announces is what its DHCP agent does."""
    other = "dhcpv6-stateless" if mode == "slaac" else "slaac"
    wishes = {"ipv6_mode": mode, "systems": [{"system": "health", "ipv6_mode": other}]}
    recorder = landed(shard(), wishes)
    for name in LANDED:
        subnet = recorder.one(":Subnet", f"{name}-ipv6").inputs
        expected = other if name == "health" else mode
        assert (subnet["ipv6RaMode"], subnet["ipv6AddressMode"]) == (expected, expected)
        assert "ipv6RaMode" not in recorder.one(":Subnet", f"{name}-ipv4").inputs


def test_volumes_have_the_type_of_the_city_or_of_their_system(landed):
    types = {
        "volume_types": [{"name": "standard"}, {"name": "fast"}],
        "volume_type": "standard",
        "systems": [{"system": "health", "volume_type": "fast"}],
    }
    found = {r.name: r.inputs.get("volumeType") for r in landed(shard(), types).of(":Volume")}
    assert found.pop("health-data-1") == "fast"
    assert set(found.values()) == {"standard"}
    assert all("volumeType" not in r.inputs for r in landed(shard()).of(":Volume"))


def test_an_encrypted_type_that_the_region_does_not_encrypt_is_refused(landed, monkeypatch):
    wishes = {
        "volume_types": [{"name": "sealed", "encrypted": True, "made_by": "cloud"}],
        "systems": [{"system": "health", "volume_type": "sealed"}],
    }
    asked = []
    landed(shard(), wishes)
    monkeypatch.setattr(
        program, "unencrypted", lambda clouds, cloud, types: asked.append(types) or ["sealed"]
    )
    settings = program.Settings(**{**shard().__dict__})
    city = CITY.model_copy(
        update={
            "settings": CITY.settings.model_copy(update={"landing": Landing.model_validate(wishes)})
        }
    )
    expected = "volume type sealed: not there or not encrypted in region primary"
    with pytest.raises(pulumi.RunError, match=expected):
        program._offered(settings, city, list(demands(city, "primary")))
    assert asked == [{"sealed"}]


def test_servers_are_spread_over_the_zones_that_the_stack_names(landed):
    servers = landed(shard(availability_zones=("az-1", "az-2"))).of(":Instance")
    found = {r.name: r.inputs["availabilityZone"] for r in servers}
    assert (found["e-license-1"], found["e-license-2"]) == ("az-1", "az-2")
    assert found["health-1"] == "az-1"
    assert all("availabilityZone" not in r.inputs for r in landed(shard()).of(":Instance"))


# --- tiers and classes


def test_from_class_3_on_servers_call_the_extranet_and_no_more(landed):
    recorder = landed(shard())
    assert NARROW
    assert NARROW != LANDED
    for name in LANDED:
        out = {r[1:] for r in rules(recorder, name) if r[0] == "egress"}
        if name in NARROW:
            assert out == {
                ("IPv4", None, None, "10.0.0.0/8"),
                ("IPv6", None, None, "2001:db8::/32"),
                ("IPv4", "tcp", 80, "169.254.169.254/32"),
            }
        else:
            assert out == {("IPv4", None, None, None), ("IPv6", None, None, None)}


def test_class_3_reaches_name_servers_off_the_extranet_by_their_port_alone(declared):
    dns = ("10.0.0.53", "192.0.2.53", "3fff::53")
    recorder = declared(shard(dns=dns))
    out = {r[1:] for r in rules(recorder, "health") if r[0] == "egress" and r[3] == 53}
    assert out == {
        (family, protocol, 53, prefix)
        for family, prefix in (("IPv4", "192.0.2.53/32"), ("IPv6", "3fff::53/128"))
        for protocol in ("udp", "tcp")
    }
    assert {r for r in rules(recorder, "open-data") if r[3] == 53} == set()


def test_the_data_tier_is_called_by_the_web_tier_alone(landed):
    tier = {"systems": [{"system": "e-license", "data_tier": {"servers": 1, "port": 5432}}]}
    recorder = landed(shard(), tier)
    data = {r for r in rules(recorder, "e-license-data") if r[0] == "ingress"}
    assert data == {
        ("ingress", "IPv4", "tcp", 5432, "e-license-id"),
        ("ingress", "IPv6", "tcp", 5432, "e-license-id"),
        ("ingress", "IPv4", "icmp", None, "10.0.0.0/8"),
        ("ingress", "IPv6", "ipv6-icmp", None, "2001:db8::/32"),
    }
    groups = {r.name: r.inputs["securityGroupIds"] for r in recorder.of(":Port")}
    assert groups["e-license-1"] == ["e-license-id"]
    assert groups["e-license-2"] == ["e-license-data-id"]
    # one server a tier: nobody to be a peer of
    assert not [r for r in recorder.of(":SecGroupRule") if "-peers-" in r.name]
    tags = {r.name: set(r.inputs["tags"]) for r in recorder.of(":SecGroup")}
    assert {"tier=web", "zone=public"} <= tags["e-license"]
    assert {"tier=data", "zone=public"} <= tags["e-license-data"]


def test_a_system_of_the_internet_zone_opens_its_web_tier_alone(landed):
    two = [s.model_copy(update={"servers": 3}) if s.id == "ganfutong" else s for s in CITY.systems]
    tier = {"systems": [{"system": "ganfutong", "data_tier": {"servers": 2, "port": 5432}}]}
    recorder = landed(shard(), tier, systems=tuple(two))
    assert ("ingress", "IPv6", "tcp", 80, "::/0") in rules(recorder, "ganfutong")
    data = {r for r in rules(recorder, "ganfutong-data") if r[0] == "ingress"}
    assert not {r for r in data if r[4] in ("0.0.0.0/0", "::/0")}
    assert ("ingress", "IPv4", None, None, "ganfutong-data-id") in data  # replication


def test_a_retired_system_has_no_data_tier_and_no_balancer(landed):
    rows = [
        s.model_copy(update={"state": "retired"}) if s.id == "e-license" else s
        for s in CITY.systems
    ]
    recorder = landed(shard(**OFFERED), EVERYTHING, systems=tuple(rows))
    names = {r.name for r in recorder.resources if r.name.startswith("e-license")}
    assert "e-license-data" not in names
    assert "e-license-ipv4" in names  # its subnet
    assert not recorder.of(":LoadBalancer")


def test_with_a_baseline_group_every_server_has_it_and_no_icmp_of_its_own(landed):
    recorder = landed(shard(), {"baseline_group": True})
    assert all(r.inputs["securityGroupIds"][-1] == "baseline-id" for r in recorder.of(":Port"))
    assert not [r for r in recorder.of(":SecGroupRule") if "icmp" in r.inputs.get("protocol", "")]


# --- load balancer, names


WISH = {"systems": [{"system": "e-license", "load_balancer": True}]}


def test_a_load_balancer_where_there_is_none_is_refused_by_name(landed):
    expected = (
        r"system e-license: city.yaml asks for a load balancer \(landing.systems\), region primary "
        "offers none: set gaoling:loadBalancer"
    )
    with pytest.raises(pulumi.RunError, match=expected):
        landed(shard(), WISH)


def test_a_load_balancer_has_both_families_and_every_server(landed):
    recorder = landed(shard(load_balancer="octavia"), WISH)
    balancers = recorder.of("loadBalancer:LoadBalancer")
    assert {r.inputs["vipSubnetId"] for r in balancers} == {
        "e-license-ipv4-id",
        "e-license-ipv6-id",
    }
    members = {r.name: r.inputs["members"] for r in recorder.of(":Members")}
    assert [m["address"] for m in members["e-license-ipv4"]] == ["10.64.0.5"] * 2
    assert [m["address"] for m in members["e-license-ipv6"]] == ["2001:db8::5"] * 2
    assert {m["protocolPort"] for ms in members.values() for m in ms} == {80}
    assert {r.inputs["type"] for r in recorder.of(":Monitor")} == {"TCP"}
    (quota,) = [r for r in recorder.of(":Quota") if r.type.startswith("openstack:loadbalancer")]
    assert all(v >= 1 for k, v in quota.inputs.items() if k != "projectId")


def test_designate_names_a_system_in_both_families(landed):
    recorder = landed(shard(), {"names": "designate"})
    records = {(r.inputs["name"], r.inputs["type"]): r.inputs for r in recorder.of(":RecordSet")}
    assert len(records) == 2 * len(LANDED)
    assert records["health.lab.example.", "AAAA"]["records"] == ["2001:db8::5"]
    assert records["health.lab.example.", "A"]["records"] == ["10.64.0.5"]
    assert {r["zoneId"] for r in records.values()} == {"zone-id"}
    assert not landed(shard("dr"), {"names": "designate"}).of(":RecordSet")
    assert not landed(shard()).of(":RecordSet")


def test_the_zone_is_made_once_by_the_first_region(landed):
    zone = landed(platform(), {"names": "designate"}).one("dns/zone:Zone", "names").inputs
    assert (zone["name"], zone["email"]) == ("lab.example.", "hostmaster@lab.example")
    assert not landed(platform("dr"), {"names": "designate"}).of("dns/zone:Zone")


# --- the platform


def test_a_platform_offers_nothing_more_by_itself(landed):
    kinds = {r.type for r in landed(platform()).resources}
    assert not {k for k in kinds if "olumeType" in k or "rbac" in k.lower()}
    assert not landed(platform()).of(":Router")


def test_volume_types_have_their_qos(landed):
    recorder = landed(platform(), EVERYTHING)
    assert {r.name for r in recorder.of(":VolumeTypeV3")} == {"standard", "plain"}
    quality = recorder.one(":QosV3", "standard").inputs
    assert (quality["consumer"], quality["specs"]) == ("front-end", {"total_iops_sec": "500"})
    (joined,) = recorder.of(":QosAssociationV3")
    assert joined.inputs == {"qosId": "standard-id", "volumeTypeId": "standard-id"}


def test_host_groups_are_those_of_the_region(landed):
    """Beside those that capacity.yaml names."""
    group = landed(platform(), EVERYTHING).one(":AggregateV2", "hall-1")
    assert group.inputs == {"name": "hall-1", "zone": "az-1", "hosts": ["host-1", "host-2"]}
    there = {g.name: g.inputs for g in landed(platform("dr"), EVERYTHING).of(":AggregateV2")}
    assert "hall-1" not in there
    assert "zone" not in there["hall-9"]


def test_the_baseline_group_is_everybodys(landed):
    recorder = landed(platform(), {"baseline_group": True})
    (shared,) = recorder.of(":RbacPolicyV2")
    assert shared.inputs == {
        "action": "access_as_shared", "objectType": "security_group",
        "objectId": "baseline-id", "targetTenant": "*",
    }  # fmt: skip
    assert rules(recorder, "baseline") == {
        ("ingress", "IPv4", "icmp", None, "10.0.0.0/8"),
        ("ingress", "IPv6", "ipv6-icmp", None, "2001:db8::/32"),
    }


def test_shared_services_stand_in_a_network_of_both_families(landed):
    recorder = landed(platform(), EVERYTHING)
    assert recorder.one(":Network", "shared-services").inputs["shared"] is True
    assert recorder.one(":Subnet", "shared-services-ipv4").inputs["cidr"] == "10.66.0.0/24"
    assert recorder.one(":Subnet", "shared-services-ipv6").inputs["ipv6RaMode"] == "slaac"
    # the same address scope as the extranet: else Neutron would not route between them
    pool = recorder.one(":SubnetPool", "shared-services-ipv4").inputs
    assert pool["addressScopeId"] == "extranet-ipv4-id"
    (router,) = recorder.of(":Router")
    addresses = {ip["ipAddress"] for ip in router.inputs["externalFixedIps"]}
    for family in ("4", "6"):
        subnet = recorder.one(":Subnet", f"extranet-ipv{family}").inputs
        assert not {p["end"] for p in subnet["allocationPools"]} & addresses


def test_ipv6_of_tenants_comes_from_a_pool_where_the_stack_says_so(landed):
    recorder = landed(platform(ipv6_pool=True))
    scope = recorder.one(":AddressScope", "extranet-ipv6").inputs
    assert (scope["ipVersion"], scope["shared"]) == (6, True)
    assert recorder.one(":SubnetPool", "extranet-ipv6").inputs["prefixes"] == ["2001:db8::/32"]
    assert recorder.one(":Subnet", "extranet-ipv6").inputs["subnetpoolId"] == "extranet-ipv6-id"
    tenant = landed(shard(ipv6_pool=True)).one(":Subnet", "health-ipv6").inputs
    assert tenant["subnetpoolId"] == "pool-6"
    assert "subnetpoolId" not in landed(shard()).one(":Subnet", "health-ipv6").inputs


# --- all of it together


def test_the_name_of_a_balanced_system_is_its_balancers(landed):
    recorder = landed(shard(load_balancer="octavia"), {**WISH, "names": "designate"})
    found = {r.name: r.inputs["records"] for r in recorder.of(":RecordSet")}
    assert found["e-license-a"] == ["10.64.0.9"]
    assert found["e-license-aaaa"] == ["2001:db8::9"]
    assert found["health-a"] == ["10.64.0.5"]


@pytest.mark.parametrize("region", ["primary", "dr"])
def test_every_argument_of_every_option_exists_in_the_labs_provider(landed, region):
    known = schema()["resources"]
    unknown, kinds = set(), set()
    for settings in (platform(region, ipv6_pool=True), shard(region, **OFFERED)):
        for resource in landed(settings, EVERYTHING).resources:
            if resource.type.startswith("openstack:"):
                kinds.add(resource.type)
                takes = known[resource.type]["inputProperties"]
                unknown |= {f"{resource.type} {a}" for a in resource.inputs if a not in takes}
    assert not unknown
    if region == "primary":
        assert len(kinds) >= 30


def test_every_function_of_every_option_exists_in_the_labs_provider():
    known = set(schema()["functions"])
    for name in ("Group", "User", "Role"):
        assert f"openstack:identity/get{name}:get{name}" in known
