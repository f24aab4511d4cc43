"""What the stacks of the lab declare, registered with a recorder in place of the engine."""

from __future__ import annotations

import ast
import asyncio
import gzip
import json
import re
from ipaddress import ip_network

import pulumi
import pytest

from gaoling.city import read_city
from gaoling.cloud.demand import demands
from infra.program import quiet, settled
from tests.infra.recorder import ROOT, Recorder, platform, shard

CITY = read_city(ROOT / "inventories/lab")
LANDED = {s.id for s in CITY.systems if s.has_landing_zone}
WITH_DR = {s.id for s in CITY.systems if s.has_landing_zone and s.recovery != "none"}


def systems(recorder: Recorder) -> set[str]:
    return {r.name for r in recorder.of("gaoling:cloud:LandingZone")}


def test_primary_has_every_system_on_the_cloud_and_no_other(declared):
    assert systems(declared(shard())) == LANDED
    assert len(LANDED) == 8


def test_dr_has_what_the_policies_ask(declared):
    recorder = declared(shard("dr"))
    assert systems(recorder) == WITH_DR
    # objects: network and container; warm-standby: servers too
    assert {r.inputs["metadata"]["gaoling_system"] for r in recorder.of(":Instance")} == {
        "one-window"
    }
    assert {r.name for r in recorder.of(":Container") if "objectstorage" in r.type} == WITH_DR
    assert not recorder.of("identity/project:Project")


@pytest.mark.parametrize("region", ["primary", "dr"])
def test_demand_counts_what_is_declared(declared, region):
    recorder = declared(shard(region))
    made = [r for r in recorder.resources if r.type != "pulumi:pulumi:Stack"]
    assert len(made) == sum(d.resources for d in demands(CITY, region))


def test_every_network_has_both_families_from_the_plan(declared):
    recorder = declared(shard())
    for name in LANDED:
        v4 = recorder.one(":Subnet", f"{name}-ipv4").inputs
        v6 = recorder.one(":Subnet", f"{name}-ipv6").inputs
        assert (v4["ipVersion"], v6["ipVersion"]) == (4, 6)
        assert v4["subnetpoolId"] == "pool-4"
        assert v6["ipv6RaMode"] == v6["ipv6AddressMode"] == "slaac"
        assert ip_network(v4["cidr"]).prefixlen == 24
        assert str(ip_network(v6["cidr"])) == v6["cidr"]  # canonical, or the provider refuses it
        router = recorder.one(":Router", name).inputs
        assert [ip["subnetId"] for ip in router["externalFixedIps"]] == [
            "subnet-provider-4",
            "subnet-provider-6",
        ]
        assert router["enableSnat"] is False


def test_gateways_are_in_the_order_in_which_neutron_answers(declared):
    """198.51.100.x comes before 2001:db8::, 203.0.113.x after it: their text is compared."""
    for region in ("primary", "dr"):
        for router in declared(shard(region)).of(":Router"):
            addresses = [ip["ipAddress"] for ip in router.inputs["externalFixedIps"]]
            assert addresses == sorted(addresses)


def test_only_the_internet_zone_is_open(declared):
    recorder = declared(shard())
    for name in LANDED:
        group = recorder.one(":SecGroup", name).inputs
        assert group["deleteDefaultRules"] is True
        rules = [
            r.inputs for r in recorder.of(":SecGroupRule")
            if r.inputs["securityGroupId"] == f"{name}-id" and r.inputs["direction"] == "ingress"
        ]  # fmt: skip
        prefixes = {r["remoteIpPrefix"] for r in rules if "remoteIpPrefix" in r}
        opened = prefixes & {"0.0.0.0/0", "::/0"}
        assert bool(opened) == (CITY.system[name].zone == "internet")
        assert {"10.0.0.0/8", "2001:db8::/32"} <= prefixes
        assert all("remoteIpPrefix" in r or "remoteGroupId" in r for r in rules)


def test_servers_of_one_system_stand_apart_and_name_it(declared):
    recorder = declared(shard())
    servers = [
        r for r in recorder.of(":Instance") if r.inputs["metadata"]["gaoling_system"] == "e-license"
    ]
    assert [r.name for r in servers] == ["e-license-1", "e-license-2"]
    assert all(r.inputs["schedulerHints"] == [{"group": "e-license-id"}] for r in servers)
    assert [r.inputs["policies"] for r in recorder.of(":ServerGroup")] == ["soft-anti-affinity"]
    assert '"system": "%s"' in servers[0].inputs["userData"]
    assert "[::]:80" in servers[0].inputs["userData"]


def test_resources_in_a_project_are_made_by_its_own_provider(declared):
    recorder = declared(shard())
    providers = {r.name: r.inputs for r in recorder.of("pulumi:providers:openstack")}
    assert {name: p["cloud"] for name, p in providers.items()} == {
        name: f"primary:lab-{name}" for name in LANDED
    }
    assert all(set(p) <= {"cloud", "version"} for p in providers.values())
    inside = (
        ":Instance",
        ":Volume",
        ":VolumeAttach",
        ":ServerGroup",
        ":Port",
        ":Network",
        ":Router",
    )
    for kind in inside:
        for resource in recorder.of(kind):
            if resource.type.startswith("openstack:"):
                assert resource.provider.rpartition("::")[0].endswith(
                    tuple(f"::{name}" for name in LANDED)
                ), resource


def test_data_is_attached_and_sized(declared):
    recorder = declared(shard())
    assert {r.name for r in recorder.of(":VolumeAttach")} == {
        "e-license-data-1", "e-license-data-2", "one-window-data-1", "public-credit-data-1",
        "health-data-1",
    }  # fmt: skip
    assert recorder.one(":Volume", "e-license-data-1").inputs["size"] == 2


def test_containers_sync_to_dr_with_a_key_of_their_own(declared):
    here, there = declared(shard()), declared(shard("dr"))
    keys = set()
    for name in WITH_DR:
        source = here.one("objectstorage/container:Container", name).inputs
        copy = there.one("objectstorage/container:Container", name).inputs
        assert source["containerSyncTo"] == f"//gaoling/dr/AUTH_{name}-id/{name}-objects"
        assert "containerSyncTo" not in copy
        assert source["containerSyncKey"] == copy["containerSyncKey"]
        keys.add(str(source["containerSyncKey"]))
    assert len(keys) == len(WITH_DR)
    plain = here.one("objectstorage/container:Container", "open-data").inputs
    assert "containerSyncKey" not in plain


def test_a_retired_system_keeps_its_data_and_loses_its_servers(declared, monkeypatch):
    rows = [
        s.model_copy(update={"state": "retired"}) if s.id == "e-license" else s
        for s in CITY.systems
    ]
    monkeypatch.setattr("infra.settings.read_city", lambda _: CITY.with_systems(rows))
    recorder = declared(shard())
    assert not [r for r in recorder.of(":Instance") if r.name.startswith("e-license")]
    assert not [r for r in recorder.of(":VolumeAttach") if r.name.startswith("e-license")]
    assert len([r for r in recorder.of(":Volume") if r.name.startswith("e-license")]) == 2
    assert recorder.one("objectstorage/container:Container", "e-license")


def test_quotas_are_numbers(declared):
    recorder = declared(shard())
    quotas = [r for r in recorder.resources if "quot" in r.type.lower()]
    assert len(quotas) == 3 * len(LANDED)
    for quota in quotas:
        numbers = {k: v for k, v in quota.inputs.items() if k != "projectId"}
        assert all(v >= 0 for v in numbers.values()), quota
    volume = recorder.one("quoteSetV3:QuoteSetV3", "e-license").inputs
    assert volume["gigabytes"] == 6  # two of 2 GB, and one to replace with


def test_platform_offers_flavors_pool_and_provider_network(declared):
    recorder = declared(platform())
    assert [r.name for r in recorder.of(":Flavor")] == ["gaoling-1c1g"]
    network = recorder.one(":Network", "extranet").inputs
    assert network["external"] is True
    assert network["segments"] == [{"networkType": "flat", "physicalNetwork": "physnet1"}]
    assert recorder.one(":Subnet", "extranet-ipv4").inputs["gatewayIp"] == "198.51.100.1"
    pool = recorder.one(":SubnetPool", "extranet-ipv4").inputs
    assert pool["prefixes"] == ["198.51.100.0/24", "10.64.0.0/16"]


def test_preview_goes_on_before_the_platform_and_the_projects_are_there(declared):
    empty = Recorder(platform={}, projects={})
    assert systems(declared(shard("dr"), empty, preview=True)) == WITH_DR


def test_up_refuses_without_platform_and_projects(declared):
    with pytest.raises(Exception, match="run that stack first"):
        declared(shard(), Recorder(platform={}))
    with pytest.raises(pulumi.RunError, match=r"project lab-.*: not in the cloud"):
        declared(shard("dr"), Recorder(projects={}))


def test_bad_configuration_is_named(declared):
    with pytest.raises(pulumi.RunError, match=r"gaoling:region: found 'nowhere'"):
        declared(shard("nowhere"))
    with pytest.raises(pulumi.RunError, match=r"gaoling:stack: found 'x'"):
        declared(shard(stack="x"))
    with pytest.raises(pulumi.RunError, match=r"gaoling:systems: nobody: not in the register"):
        declared(shard(systems=("nobody",)))
    with pytest.raises(pulumi.RunError, match="gaoling:syncSecret"):
        declared(shard(sync_secret=None))


def schema() -> dict:
    path = ROOT / "tools/pulumi/provider/schema/schema.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


def test_every_argument_exists_in_the_labs_provider(declared):
    """The SDK is newer than the lab's provider: what it takes and the provider has not is lost."""
    known = schema()["resources"]
    unknown = set()
    for settings in (platform(), shard(), shard("dr")):
        for resource in declared(settings).resources:
            if resource.type.startswith("openstack:"):
                takes = known[resource.type]["inputProperties"]
                unknown |= {f"{resource.type} {a}" for a in resource.inputs if a not in takes}
    assert not unknown


def test_every_function_exists_in_the_labs_provider():
    known = set(schema()["functions"])
    for token in (
        "openstack:identity/getAuthScope:getAuthScope",
        "openstack:identity/getRole:getRole",
        "openstack:images/getImage:getImage",
    ):
        assert token in known


COMPONENTS = sorted((ROOT / "infra/components").glob("*.py"))


def test_every_component_registers_its_outputs_last():
    seen = 0
    for path in COMPONENTS:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ClassDef):
                continue
            if not any("ComponentResource" in ast.unparse(base) for base in node.bases):
                continue
            (init,) = [
                n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"
            ]
            first = ast.unparse(init.body[0])
            assert first.startswith("super().__init__('gaoling:cloud:"), f"{path}: {first}"
            last = ast.unparse(init.body[-1])
            assert last.startswith("self.register_outputs("), f"{path}: {node.name}: {last}"
            seen += 1
    assert seen == 13


def test_nothing_is_declared_inside_apply():
    for path in COMPONENTS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "apply":
                inner = " ".join(ast.unparse(a) for a in node.args)
                assert "openstack." not in inner, f"{path}:{node.lineno}"


def test_nothing_registers_a_transform_or_a_hook():
    """`settled` would wait for the server of theirs for ever."""
    words = r"\b(transforms|transformations|hooks)=|\bregister_\w*transform|\bResourceHook"
    found = {str(path) for path in (ROOT / "infra").rglob("*.py")
             if re.search(words, path.read_text())}  # fmt: skip
    assert found == set()


@pytest.mark.parametrize("said", ["", "1"])
def test_debug_messages_are_kept_back_where_the_run_says_so_and_only_there(monkeypatch, said):
    monkeypatch.setenv("GAOLING_PULUMI_QUIET", said)
    sent = []
    monkeypatch.setattr("pulumi.log.debug", sent.append)
    quiet()
    pulumi.log.debug("registering resource")
    assert sent == ([] if said else ["registering resource"])


def test_settled_waits_for_what_is_under_way_what_that_begins_and_what_fails():
    ended = []

    async def work(name, *, seconds=0.0, then=None, fails=False):
        await asyncio.sleep(seconds)
        if then:
            then()
        ended.append(name)
        if fails:
            raise ValueError(name)

    async def program():
        later = []
        first = asyncio.ensure_future(work("first", then=lambda: later.append(
            asyncio.ensure_future(work("begun by the first", seconds=0.02)))))  # fmt: skip
        failed = asyncio.ensure_future(work("failed", seconds=0.01, fails=True))
        await settled()
        assert [task.done() for task in (first, failed, *later)] == [True] * 3
        assert isinstance(failed.exception(), ValueError)  # it is the SDK that raises it

    asyncio.run(program())
    assert ended == ["first", "failed", "begun by the first"]
