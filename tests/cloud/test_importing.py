"""Files for `pulumi import`: what is written, what is left, what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gaoling.cloud.importing import (
    UNKNOWN,
    ImportingError,
    Item,
    Wanted,
    files,
    match,
    read_preview,
)
from gaoling.cloud.importing_state import Known, complete

ROOT = Path(__file__).resolve().parents[2]
ZONE = "gaoling:cloud:LandingZone"
DEFAULT = "urn:pulumi:s::gaoling::pulumi:providers:openstack::default_5_5_3"
STACK = "urn:pulumi:s::gaoling::pulumi:pulumi:Stack::gaoling-s"
NETWORK = "openstack:networking/network:Network"
SUBNET = "openstack:networking/subnet:Subnet"
ROUTER = "openstack:networking/router:Router"
INTERFACE = "openstack:networking/routerInterface:RouterInterface"
GROUP = "openstack:networking/secGroup:SecGroup"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
PORT = "openstack:networking/port:Port"
SERVER = "openstack:compute/instance:Instance"
VOLUME = "openstack:blockstorage/volume:Volume"
ATTACHMENT = "openstack:compute/volumeAttach:VolumeAttach"
CONTAINER = "openstack:objectstorage/container:Container"
PROJECT = "openstack:identity/project:Project"
ROLE = "openstack:identity/roleAssignment:RoleAssignment"
QUOTA = "openstack:compute/quotaSetV2:QuotaSetV2"
SECRET = "openstack:identity/applicationCredential:ApplicationCredential"


def urn(kind, name, *above):
    return f"urn:pulumi:s::gaoling::{'$'.join([*above, kind])}::{name}"


ZONE_URN = urn(ZONE, "clinic")
SCOPE = urn("pulumi:providers:openstack", "clinic", ZONE)


def component(kind):
    return urn(f"gaoling:cloud:{kind}", "clinic", ZONE)


def preview(op="create"):
    """What a preview of a small landing zone says, as the engine writes it."""
    steps = []

    def add(kind, name, parent, inputs=(), needs=(), provider=SCOPE, **more):
        above = parent.split("::")[2] if parent not in ("", STACK) else ""
        where = urn(kind, name, *([above] if above else []))
        state = {"type": kind, "urn": where, "parent": parent, "custom": provider is not None,
                 "inputs": dict(inputs), "propertyDependencies": dict(needs)} | more  # fmt: skip
        if provider:
            state["provider"] = f"{provider}::{UNKNOWN}"
        steps.append({"op": op, "urn": where, "newState": state})
        return where

    def part(kind):
        return add(f"gaoling:cloud:{kind}", "clinic", zone, provider=None)

    add("pulumi:pulumi:Stack", "gaoling-s", "", provider=None)
    zone = add(ZONE, "clinic", STACK, provider=None)
    project = add(PROJECT, "clinic", zone, {"name": "lab-clinic"}, provider=DEFAULT)
    role = add(ROLE, "clinic", zone, {"userId": "u", "roleId": "r", "projectId": UNKNOWN},
               provider=DEFAULT)  # fmt: skip
    add(QUOTA, "clinic", zone, {"projectId": UNKNOWN}, provider=DEFAULT)
    scope = add("pulumi:providers:openstack", "clinic", zone, provider="",
                dependencies=[project, role])  # fmt: skip
    assert scope == SCOPE
    add(SECRET, "clinic", zone, {"name": "x"})
    network = part("Network")
    net = add(NETWORK, "clinic", network, {"name": "clinic"})
    subnets = [
        add(SUBNET, f"clinic-ipv{v}", network,
            {"name": f"clinic-ipv{v}", "ipVersion": v, "cidr": cidr, "networkId": UNKNOWN},
            {"networkId": [net]})
        for v, cidr in ((4, "10.64.9.0/24"), (6, "2001:db8:9::/64"))
    ]  # fmt: skip
    router = add(ROUTER, "clinic", network, {"name": "clinic"})
    for subnet in subnets:
        add(INTERFACE, subnet.rpartition("::")[2], network, {},
            {"routerId": [router], "subnetId": [subnet]})  # fmt: skip
    groups = part("SecurityGroups")
    group = add(GROUP, "clinic", groups, {"name": "clinic"})
    for name, about in (
        ("service", {"protocol": "tcp", "portRangeMin": 80, "portRangeMax": 80,
                     "remoteIpPrefix": "10.0.0.0/8"}),
        ("icmp", {"protocol": "ipv6-icmp", "ethertype": "IPv6", "remoteIpPrefix": "2001:db8::/32"}),
        ("out", {"direction": "egress"}),
        ("peers", {"remoteGroupId": UNKNOWN}),
    ):  # fmt: skip
        needs = {"securityGroupId": [group]}
        if name == "peers":
            needs["remoteGroupId"] = [group]
        add(RULE, f"clinic-{name}", groups,
            {"direction": "ingress", "ethertype": "IPv4", **about}, needs)  # fmt: skip
    servers = part("Servers")
    made = []
    for number in (1, 2):
        port = add(PORT, f"clinic-{number}", servers, {"name": f"clinic-{number}"})
        made.append(add(SERVER, f"clinic-{number}", servers, {"name": f"clinic-{number}"},
                        {"networks": [port], "flavorId": []}))  # fmt: skip
    volumes = part("Volumes")
    for number, server in enumerate(made, 1):
        volume = add(VOLUME, f"clinic-data-{number}", volumes,
                     {"name": f"clinic-data-{number}", "size": 5})  # fmt: skip
        add(ATTACHMENT, f"clinic-data-{number}", volumes, {},
            {"instanceId": [server], "volumeId": [volume]})  # fmt: skip
    add(CONTAINER, "clinic", part("Container"), {"name": "clinic-objects"})
    return {"steps": steps}


def rule(identity, group="g", **about):
    return Item(RULE, identity, "", {
        "group": group, "direction": "ingress", "ethertype": "IPv4", "protocol": None,
        "first_port": None, "last_port": None, "prefix": None, "remote": None} | about)  # fmt: skip


def by_hand(server="clinic-", volume="clinic-data-"):
    """What somebody made by hand in the project."""
    return [
        Item(PROJECT, "p", "lab-clinic"),
        Item(ROLE, "/p//u/r", "", {"user": "u", "group": "", "role": "r"}),
        Item(ROLE, "/p//other/r", "", {"user": "other", "group": "", "role": "r"}),
        Item(NETWORK, "n", "intranet"),
        Item(SUBNET, "s4", "old", {"network": "n", "ip_version": 4, "cidr": "192.168.0.0/24"}),
        Item(SUBNET, "s6", "old6", {"network": "n", "ip_version": 6, "cidr": "2001:db8:9::/64"}),
        Item(ROUTER, "r1", "clinic"),
        Item(INTERFACE, "i4", "", {"router": "r1", "subnets": ["s4"]}),
        Item(INTERFACE, "i6", "", {"router": "r1", "subnets": ["s6"]}),
        Item(GROUP, "g", "clinic"),
        Item(GROUP, "g2", "other"),
        rule("r-http", protocol="tcp", first_port=80, last_port=80, prefix="10.0.0.0/8"),
        rule("r-ssh", protocol="tcp", first_port=22, last_port=22, prefix="10.0.0.0/8"),
        rule("r-icmp", protocol="icmpv6", ethertype="IPv6", prefix="2001:db8::/32"),
        rule("r-out", direction="egress"),
        rule("r-peers", remote="g"),
        rule("r-other", "g2", direction="egress"),
        Item(SERVER, "vm2", f"{server}2"),
        Item(SERVER, "vm1", f"{server}1"),
        Item(PORT, "port1", "", {"device": "vm1", "subnets": []}),
        Item(PORT, "port2", "", {"device": "vm2", "subnets": []}),
        Item(VOLUME, "v1", f"{volume}a", {"size": 5, "servers": ["vm1"]}),
        Item(VOLUME, "v2", f"{volume}b", {"size": 9, "servers": ["vm2"]}),
        Item(CONTAINER, "clinic-objects", "clinic-objects"),
        Item("outside:floating address", "f", "198.51.100.9"),
    ]


def found(items=None, data=None):
    return match(read_preview(data or preview(), "clinic"), items or by_hand(), "p", "primary")


def ids(result):
    return {(u.split("::")[-2].rpartition(":")[2], u.rpartition("::")[2]): i
            for u, i in result.ids.items()}  # fmt: skip


def test_each_thing_gets_the_id_that_the_provider_imports_it_by():
    assert ids(found()) == {
        ("Project", "clinic"): "p",
        ("RoleAssignment", "clinic"): "/p//u/r",
        ("QuotaSetV2", "clinic"): "p/primary",
        ("Network", "clinic"): "n",
        ("Subnet", "clinic-ipv4"): "s4",
        ("Subnet", "clinic-ipv6"): "s6",
        ("Router", "clinic"): "r1",
        ("RouterInterface", "clinic-ipv4"): "i4",
        ("RouterInterface", "clinic-ipv6"): "i6",
        ("SecGroup", "clinic"): "g",
        ("SecGroupRule", "clinic-service"): "r-http",
        ("SecGroupRule", "clinic-icmp"): "r-icmp",
        ("SecGroupRule", "clinic-out"): "r-out",
        ("SecGroupRule", "clinic-peers"): "r-peers",
        ("Instance", "clinic-1"): "vm1",
        ("Instance", "clinic-2"): "vm2",
        ("Port", "clinic-1"): "port1",
        ("Port", "clinic-2"): "port2",
        ("Volume", "clinic-data-1"): "v1",
        ("Volume", "clinic-data-2"): "v2",
        ("VolumeAttach", "clinic-data-1"): "vm1/v1",
        ("VolumeAttach", "clinic-data-2"): "vm2/v2",
        ("Container", "clinic"): "clinic-objects",
    }


def test_what_is_left_and_what_differs_is_said():
    result = found()
    assert [i.id for i in result.left] == ["/p//other/r", "g2", "r-ssh", "r-other", "f"]
    assert [(w.name, how) for w, how in result.differing] == [
        ("clinic-ipv4", "prefix is 192.168.0.0/24, the program says 10.64.9.0/24"),
        ("clinic-data-2", "size in GiB is 9, the program says 5"),
    ]
    assert [u.rpartition("::")[2] for u in result.by_order] == ["clinic"], "the only network"
    assert [(w.type, why) for w, why in result.missing] == [
        (SECRET, "no way to find it in the cloud is known (a secret, or a kind that is new here)")
    ]


def test_servers_of_other_names_are_paired_in_order_and_that_is_said():
    result = found(by_hand(server="old-vm-"))
    assert ids(result)["Instance", "clinic-1"] == "vm1"
    assert ids(result)["Port", "clinic-2"] == "port2"
    paired = {u.rpartition("::")[2] for u in result.by_order}
    assert {"clinic-1", "clinic-2"} <= paired


def test_too_many_or_too_few_are_never_guessed_at():
    more = [*by_hand(server="x"), Item(SERVER, "vm3", "x3")]
    result = found(more)
    assert not [k for k in ids(result) if k[0] in ("Instance", "VolumeAttach")]
    assert {"vm1", "vm2", "vm3"} <= {i.id for i in result.left}
    two = [*by_hand(), rule("r-http-2", protocol="tcp", first_port=80, last_port=80,
                            prefix="10.0.0.0/8")]  # fmt: skip
    assert ("SecGroupRule", "clinic-service") not in ids(found(two))


def test_an_empty_project_is_still_a_project_with_quotas():
    result = found([Item(PROJECT, "p", "lab-clinic")])
    assert ids(result) == {("Project", "clinic"): "p", ("QuotaSetV2", "clinic"): "p/primary"}
    assert len(result.missing) == 22


def test_a_stack_without_the_system_is_refused():
    with pytest.raises(ImportingError, match="found no landing zone of other in the stack's"):
        read_preview(preview(), "other")


# ---------------------------------------------------------------------------- the files
def check_file(data, state=()):
    """What the CLI asks of a file: unique names, parents and providers that it can resolve."""
    names = [r["name"] for r in data["resources"]]
    assert len(set(names)) == len(names)
    known = set(names) | data["nameTable"].keys()
    for each in data["resources"]:
        assert each.get("component", False) == ("id" not in each)
        assert each.get("parent", names[0]) in known
        if "provider" in each:
            assert each["provider"] in data["nameTable"]
    assert set(data["nameTable"].values()) <= set(state)


def test_the_zone_s_own_provider_needs_a_second_file():
    made = files(found())
    check_file(made.first)
    assert [(r["type"], r.get("id"), r.get("version")) for r in made.first["resources"]
            if "id" in r] == [
        (PROJECT, "p", "5.5.3"), (ROLE, "/p//u/r", "5.5.3"), (QUOTA, "p/primary", "5.5.3"),
    ]  # fmt: skip
    components = [r["type"] for r in made.first["resources"] if r.get("component")]
    assert components == [ZONE, *(f"gaoling:cloud:{k}" for k in (
        "Network", "SecurityGroups", "Servers", "Volumes", "Container"))]  # fmt: skip
    assert made.targets == (SCOPE,)
    check_file(made.second, {SCOPE, *(component(k) for k in (
        "Network", "SecurityGroups", "Servers", "Volumes", "Container"))})  # fmt: skip
    (net,) = [r for r in made.second["resources"] if r["type"] == NETWORK]
    assert net == {
        "type": NETWORK, "name": "Network-clinic", "logicalName": "clinic", "id": "n",
        "provider": "openstack-clinic", "parent": "component-Network-clinic",
    }  # fmt: skip


def test_what_a_target_depends_on_and_nobody_has_is_a_target_too():
    without_role = [i for i in by_hand() if i.kind != ROLE]
    assert files(found(without_role)).targets == (urn(ROLE, "clinic", ZONE), SCOPE)


def test_a_project_of_another_name_gets_its_name_before_its_provider():
    items = [replace(i, name="old") if i.kind == PROJECT else i for i in by_hand()]
    result = found(items)
    assert ("clinic", "name is old, the program says lab-clinic") in [
        (w.name, how) for w, how in result.differing
    ]
    assert files(result).targets == (urn(PROJECT, "clinic", ZONE), SCOPE)


def test_with_the_provider_in_the_state_one_file_is_enough():
    data = preview()
    for step in data["steps"]:
        if step["newState"]["type"] in (ZONE, PROJECT, ROLE, QUOTA, "pulumi:providers:openstack"):
            step["op"] = "same"
            step["oldState"] = {"id": "p"}
    made = files(found(data=data))
    assert made.second is None
    assert made.targets == ()
    check_file(made.first, {ZONE_URN, SCOPE})
    assert PROJECT not in [r["type"] for r in made.first["resources"]]


def test_a_state_that_holds_all_of_it_leaves_nothing_to_import():
    data = preview(op="same")
    with pytest.raises(ImportingError, match="found nothing in the project"):
        files(found(data=data))


@given(st.sets(st.integers(0, len(by_hand()) - 1)))
def test_whatever_a_project_lacks_the_files_can_be_read_and_nothing_is_taken_twice(gone):
    items = [i for n, i in enumerate(by_hand()) if n not in gone]
    result = found(items or [Item(PROJECT, "p", "lab-clinic")])
    made = files(result)
    check_file(made.first)
    used = [i for u, i in result.ids.items() if "Quota" not in u]
    assert len(set(used)) == len(used)
    everything = len([w for w in result.wanted if w.custom and "providers" not in w.type])
    assert everything == len(result.ids) + len(result.missing)


def test_an_input_that_is_not_known_yet_is_not_compared():
    one = Wanted("u::n", "t", "", "", True, True, {"a": UNKNOWN, "b": "", "c": 4}, {})
    assert (one.given("a"), one.given("b"), one.given("c")) == (None, None, 4)
    assert replace(one, needs={"a": ["x", "y"]}).source("a") == ""


# ---------------------------------------------------------------------------- the command
@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "found neither --system nor --project, expected one of them"),
     (["--system", "nobody"], "--system: found 'nobody', expected a system of the register (e-"),
     (["--project", "lab-nobody"], "--system: found 'nobody', expected a system of the register"),
     (["--system", "e-document"], "e-document: found migration off and state live, expected a"),
     (["--system", "health", "--region", "mars"], "--region: found 'mars', expected one of prim")],
)  # fmt: skip
def test_what_cannot_be_meant_ends_with_2(arguments, said):
    from gaoling.cli.main import app

    done = CliRunner().invoke(
        app, ["--city", "lab", "cloud", "import", *arguments], env={"COLUMNS": "400"}
    )
    assert done.exit_code == 2
    assert said in done.output


def test_what_was_made_is_written_and_the_commands_name_it(tmp_path):
    from gaoling.cli.cloud_import import _commands, _write

    made = files(found())
    paths = _write(tmp_path / "clinic.json", made)
    assert [p.name for p in paths] == ["clinic.json", "clinic.inside.json"]
    assert json.loads(paths[1].read_text()) == made.second
    said = _commands(made, paths, "s", tmp_path / "Pulumi.s.yaml")
    assert [c.split()[:2] for c in said] == [
        ["pulumi", "import"], ["env", "-u"], ["pulumi", "import"], ["pulumi", "preview"],
    ]  # fmt: skip
    assert f"--target '{SCOPE}'" in said[1]


# ---------------------------------------------------------------------------- the state
def imported(port=""):
    return {"version": 3, "deployment": {"resources": [
        {"urn": urn(NETWORK, "clinic"), "type": NETWORK, "outputs": {}},
        {"urn": urn(SERVER, "clinic-1"), "type": SERVER, "id": "vm1",
         "inputs": {"name": "clinic-1", "networks": [{"name": "clinic"}]},
         "outputs": {"name": "clinic-1", "userData": None,
                     "networks": [{"mac": "fa:16:3e:00:00:01", "port": port, "uuid": "n"}]}},
    ]}}  # fmt: skip


def test_an_imported_server_gets_what_the_provider_does_not_read():
    def ask(server):
        assert server == "vm1"
        return Known({"fa:16:3e:00:00:01": "port1"}, b"password: secret", "group1")

    made, done = complete(imported(), ask)
    assert done == [urn(SERVER, "clinic-1")]
    server = made["deployment"]["resources"][1]
    assert server["outputs"]["networks"] == [
        {"mac": "fa:16:3e:00:00:01", "port": "port1", "uuid": "n"}
    ]
    assert server["inputs"]["networks"] == [{"__defaults": [], "port": "port1"}]
    assert server["outputs"]["userData"] == "21a1ce9e31e04201b7b452537659c941177abebd"
    assert server["outputs"]["schedulerHints"][0]["group"] == "group1"
    assert "secret" not in json.dumps(made), "only the hash of user_data comes into the state"
    assert complete(made, lambda _: pytest.fail("asked for a server that is whole")) == (made, [])


def test_an_imported_group_gets_the_flag_of_its_creation():
    group = {"urn": urn(GROUP, "clinic"), "type": GROUP, "id": "g",
             "inputs": {"name": "clinic"}, "outputs": {"name": "clinic"}}  # fmt: skip
    made, done = complete({"deployment": {"resources": [group]}}, lambda _: pytest.fail("asked"))
    (found,) = made["deployment"]["resources"]
    assert done == [group["urn"]]
    assert found["inputs"]["deleteDefaultRules"] is found["outputs"]["deleteDefaultRules"] is True
    assert complete(made, lambda _: pytest.fail("asked")) == (made, [])


def test_a_server_whose_port_is_not_found_changes_nothing():
    with pytest.raises(ImportingError, match="found no port with MAC fa:16:3e:00:00:01, expected"):
        complete(imported(), lambda _: Known({}, b"", ""))


def test_a_state_without_imported_servers_stays_as_it_is():
    whole = imported(port="p")
    assert complete(whole, lambda _: pytest.fail("asked")) == (whole, [])
