"""Landing zones on the lab: what an owner's credential can do, bounds, and the way out."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gaoling.city import read_city
from gaoling.cli import context
from gaoling.cloud.connect import connect
from gaoling.cloud.home import Home

pytestmark = [pytest.mark.cloud, pytest.mark.pulumi, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
CITY = read_city(ROOT / "inventories/lab")
SYSTEM, OTHER = "health", "open-data"  # class 3 and class 2


def home() -> Home:
    state = Path(os.environ.get("GAOLING_STATE") or "/var/lib/gaoling/lab/work")
    return Home(state, context.access("cloud") / "clouds.yaml")


def admin(region: str) -> Any:
    return connect(context.access("cloud") / "clouds.yaml", region)


@pytest.fixture(scope="module")
def credentials(landing_zones) -> dict[str, dict[str, str]]:
    """Every system's application credential, fetched as an owner would."""
    done = subprocess.run(
        ["pulumi", "stack", "output", "credentials", "--json", "--show-secrets",
         "--stack", "lab-primary-0", "--non-interactive"],
        env=home().environment(), cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def owner(credential: dict[str, str], region: str = "primary") -> Any:
    """Return a connection with that credential and nothing else."""
    import openstack

    identity = admin("primary").config.auth["auth_url"]
    return openstack.connect(
        auth_type="v3applicationcredential",
        auth={
            "auth_url": identity,
            "application_credential_id": credential["id"],
            "application_credential_secret": credential["secret"],
        },
        region_name=admin(region).config.region_name,
        load_envvars=False,
        load_yaml_config=False,
    )


def test_an_owner_is_a_member_of_its_own_project_and_no_more(credentials):
    from keystoneauth1 import exceptions as refused
    from openstack import exceptions

    assert set(credentials) == {s.id for s in CITY.systems if s.has_landing_zone}
    api = owner(credentials[SYSTEM])
    access = api.session.auth.get_access(api.session)
    assert access.project_name == f"lab-{SYSTEM}"
    assert "member" in access.role_names
    assert not {"admin", "manager"} & set(access.role_names)
    assert {s.name for s in api.compute.servers()} == {f"{SYSTEM}-1"}
    assert [s.name for s in owner(credentials[SYSTEM], "dr").compute.servers()] == []
    with pytest.raises(exceptions.ForbiddenException):
        list(api.compute.servers(all_projects=True))
    with pytest.raises(exceptions.ForbiddenException):
        api.identity.create_project(name="zz-landing-mine")
    with pytest.raises((exceptions.ForbiddenException, refused.Forbidden)):
        api.identity.create_application_credential(
            user=access.user_id, name="zz-landing-another", roles=[{"name": "admin"}]
        )


def test_the_state_holds_the_secrets_as_ciphertext(credentials):
    def pulumi(*words):
        command = ["pulumi", "stack", *words, "--stack", "lab-primary-0", "--non-interactive"]
        return subprocess.run(command, env=home().environment(), cwd=ROOT, capture_output=True,
                              text=True, check=True).stdout  # fmt: skip

    texts = [pulumi("export")]
    if folder := home().local:  # older copies too
        texts += [p.read_text(errors="replace") for p in folder.rglob("*") if p.is_file()]
    assert any("ApplicationCredential" in text for text in texts)
    for one in credentials.values():
        assert not [text for text in texts if one["secret"] in text]
    logs = "".join(p.read_text(errors="replace") for p in home().logs.rglob("*") if p.is_file())
    assert not [one for one in credentials.values() if one["secret"] in logs]
    masked = pulumi("output", "credentials", "--json")
    assert "[secret]" in masked
    assert not [one for one in credentials.values() if one["secret"] in masked]


def test_a_container_takes_no_more_than_its_bound(credentials):
    """Swift refuses by the length that is announced: nothing of it is sent."""
    bound = CITY.settings.landing.object_gb * 2**30
    api = owner(credentials[SYSTEM])
    url = urlsplit(api.object_store.get_endpoint())
    name = f"{url.path}/{SYSTEM}-objects/zz-landing-{uuid.uuid4().hex}"
    for length, expected in ((bound + 1, 413), (2, 201)):
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        connection.putrequest("PUT", name)
        connection.putheader("X-Auth-Token", api.session.get_token())
        connection.putheader("Content-Length", str(length))
        connection.endheaders(b"ok" if expected == 201 else None)
        assert connection.getresponse().status == expected
        connection.close()
    assert api.object_store.delete(f"{api.object_store.get_endpoint()}{name[len(url.path) :]}").ok


def test_the_way_out_is_narrow_from_class_3_on(landing_zones):
    """The data-centre leaf is off the extranet's prefixes: only class 2 may call it over IPv4."""
    (leaf,) = [
        str(subnet.gateway_ip) for subnet in admin("primary").network.subnets(name="extranet-ipv4")
    ]
    servers = {s.name: s.id for s in admin("primary").compute.servers(all_projects=True)}
    found = {}
    for name in (f"{SYSTEM}-1", f"{OTHER}-1"):
        router = admin("primary").network.find_router(name[:-2], ignore_missing=False)
        (inner,) = [
            ip["ip_address"]
            for port in admin("primary").network.ports(device_id=router.id)
            if port.device_owner == "network:router_interface"
            for ip in port.fixed_ips
            if "." in ip["ip_address"]
        ]
        found[name] = {to: _ping(servers[name], to) for to in (inner, leaf)}
    here, there = found[f"{SYSTEM}-1"], found[f"{OTHER}-1"]
    assert list(there.values()) == [True, True], found
    assert list(here.values()) == [True, False], found


def _ping(server: str, address: str) -> bool:
    done = subprocess.run(
        ["ip", "netns", "exec", f"vm-{server}", "ping", "-c", "1", "-W", "2", address],
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def test_groups_in_the_cloud_are_those_of_the_class(landing_zones):
    network = admin("primary").network
    groups = {g.name: g for g in network.security_groups(tags="tier=web")}
    assert set(groups) >= {SYSTEM, OTHER}
    for name, group in groups.items():
        if name not in CITY.system:
            continue
        out = {
            r["remote_ip_prefix"] for r in group.security_group_rules if r["direction"] == "egress"
        }
        narrow = {"10.0.0.0/8", "2001:db8::/32", "169.254.169.254/32"}
        assert out == (narrow if CITY.system[name].mlps >= 3 else {None})


OFFERS = '''
"""What a platform may offer, declared by itself: names of its own beside the lab's platform."""
import pulumi
import pulumi_openstack as openstack
from infra.components.baseline import Baseline, BaselineArgs
from infra.components.host_groups import HostGroup, HostGroups, HostGroupsArgs
from infra.components.shared_services import SharedServices, SharedServicesArgs
from infra.components.volume_types import VolumeTypes, VolumeTypesArgs

VolumeTypes("zz-types", VolumeTypesArgs([("zz-landing-standard", 500), ("zz-landing-plain", None)]))
HostGroups("zz-groups", HostGroupsArgs([HostGroup("zz-landing-hall", "", [])]))
Baseline("zz-landing-baseline", BaselineArgs("10.0.0.0/8", "2001:db8::/32"))
scope = openstack.networking.get_address_scope_output(name="extranet-ipv4")
net = openstack.networking.get_network_output(name="extranet")
four = openstack.networking.get_subnet_output(name="extranet-ipv4")
six = openstack.networking.get_subnet_output(name="extranet-ipv6")
SharedServices("zz-landing-shared", SharedServicesArgs(
    ipv4="10.99.0.0/24", ipv6="2001:db8:ffff:ff::/64", scope_ipv4=scope.id, pool_ipv6=None,
    provider_network=net.id,
    gateway_ipv4=("{gateway4}", four.id), gateway_ipv6=("{gateway6}", six.id)))
'''


@pytest.fixture
def offers(landing_zones, tmp_path) -> Any:
    """Return a function that runs Pulumi on the platform's optional parts; all goes afterwards."""
    network = admin("primary").network
    (four,) = network.subnets(name="extranet-ipv4")
    (six,) = network.subnets(name="extranet-ipv6")
    ends = [s.allocation_pools[0]["end"] for s in (four, six)]
    program = tmp_path / "__main__.py"
    program.write_text(OFFERS.replace("{gateway4}", ends[0]).replace("{gateway6}", ends[1]))
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(
        "name: gaoling-zz-landing\n"
        f"runtime: {{name: python, options: {{virtualenv: {ROOT / '.venv'}}}}}\n"
    )
    env = {
        **home().environment(),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PYTHONPATH": str(ROOT),
    }
    env.pop("PULUMI_OPTION_POLICY_PACK", None)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--stack", "zz", "--non-interactive", "--color", "never"],
            env=env, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    run("stack", "init")
    run("config", "set", "openstack:cloud", "primary")
    try:
        yield run
    finally:
        run("destroy", "--yes", "--skip-preview")


def test_the_optional_parts_of_a_platform_come_stay_and_go(offers):
    offers("up", "--yes", "--skip-preview")
    offers("preview", "--expect-no-changes")
    offers("refresh", "--preview-only", "--expect-no-changes")
    api = admin("primary")
    types = {t.name: t for t in api.block_storage.types()}
    assert {"zz-landing-standard", "zz-landing-plain"} <= set(types)
    (group,) = api.network.security_groups(name="baseline")
    member = admin("primary")
    shared = [p for p in member.network.rbac_policies() if p.object_id == group.id]
    assert [(p.action, p.target_project_id) for p in shared] == [("access_as_shared", "*")]
    assert [a.name for a in api.compute.aggregates() if a.name.startswith("zz-")] == [
        "zz-landing-hall"
    ]
    (network,) = api.network.networks(name="shared-services")
    assert network.is_shared
    assert len(network.subnet_ids) == 2
    from gaoling.cloud.encryption import unencrypted

    clouds = context.access("cloud") / "clouds.yaml"
    asked = ["zz-landing-standard", "zz-landing-nowhere"]
    assert unencrypted(clouds, "primary", asked) == sorted(asked)
    sealed = types["zz-landing-plain"]
    api.block_storage.create_type_encryption(
        sealed, provider="luks", cipher="aes-xts-plain64", key_size=256,
        control_location="front-end",
    )  # fmt: skip
    assert unencrypted(clouds, "primary", ["zz-landing-plain"]) == []
