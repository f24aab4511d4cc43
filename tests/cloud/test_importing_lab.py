"""A project made by hand, taken over by Pulumi's real CLI: nothing is made twice or replaced."""

from __future__ import annotations

import base64
import csv
import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from gaoling.addressing import plan_city, read_lock
from gaoling.city import read_city
from gaoling.cli import context
from gaoling.cloud.connect import connect
from gaoling.cloud.sweep import sweep
from infra.components.servers import ANSWER

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.pulumi,
    pytest.mark.after_city,
    pytest.mark.timeout(900),
]

ROOT = Path(__file__).resolve().parents[2]
GAOLING = ROOT / ".venv/bin/gaoling"
SYSTEM = "zz-import"  # the last by name: no other system's addresses move
# what takes the next addresses, so that those of other scratch cities are none of ours
BEFORE = tuple(f"zz-before-{n}" for n in range(8))
NAMES = ("gx-by-hand", f"adopt-{SYSTEM}")  # before, and as the program calls it
STACK = "adopt-primary-0"


def gaoling(city, *arguments):
    state = os.environ.get("GAOLING_STATE") or "/var/lib/gaoling/lab/work"
    env = {**os.environ, "GAOLING_CITY": str(city), "GAOLING_STATE": state}
    done = subprocess.run(
        [GAOLING, "cloud", *arguments], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def admin():
    return connect(context.access("cloud") / "clouds.yaml", "primary", 120)


def until(true, seconds=90):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(1)


@pytest.fixture
def city(tmp_path):
    """A city of its own name with one system on the cloud: that of the project made by hand."""
    folder = tmp_path / "adopt"
    shutil.copytree(ROOT / "inventories/lab", folder)
    path = folder / "systems.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["migration"] = "off" if row["migration"] != "planned" else "planned"
    model = next(r for r in rows if r["id"] == "health")
    ours = {"id": SYSTEM, "migration": "migrating", "servers": "1", "volume_gb": "1"}
    rows += [{**model, **ours, "id": i, "recovery": "none", "mlps": "2"} for i in (*BEFORE, SYSTEM)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    settings = folder / "city.yaml"
    settings.write_text(settings.read_text().replace("id: lab", "id: adopt", 1))
    return folder


@pytest.fixture
def by_hand(landing_zones, city):
    """The project, made through the API as somebody would who has never heard of Pulumi."""
    cloud = admin()
    for left in [p for p in cloud.identity.projects() if p.name in NAMES]:
        remove(cloud, left)
    project = cloud.identity.create_project(name=NAMES[0], domain_id="default")
    try:
        role = cloud.identity.find_role("admin")
        cloud.identity.assign_project_role_to_user(project, cloud.current_user_id, role)
        yield make(scoped(cloud, project), cloud, city)
    finally:
        if cloud.identity.find_project(project.id):
            remove(cloud, project)
        sweep(context.access("cloud") / "clouds.yaml", ["primary", "dr"], {project.id})


def make(mine, cloud, city):
    """Make what a system needs, under the names of somebody else; return ids by kind."""
    found = read_city(city)
    tenant = plan_city(found, read_lock(city / "addresses")).tenant(SYSTEM, "primary")
    extranet = cloud.network.find_network("extranet")
    outside = {s.ip_version: s.id for s in cloud.network.subnets(network_id=extranet.id)}
    net = mine.network.create_network(name="intranet")
    pool = cloud.network.find_subnet_pool("extranet-ipv4")
    v4 = mine.network.create_subnet(
        network_id=net.id, ip_version=4, cidr=str(tenant.ipv4), subnet_pool_id=pool.id, name="v4"
    )
    v6 = mine.network.create_subnet(
        network_id=net.id, ip_version=6, cidr=str(tenant.ipv6), name="v6",
        ipv6_ra_mode="slaac", ipv6_address_mode="slaac",
    )  # fmt: skip
    gateways = ((4, tenant.gateway_ipv4), (6, tenant.gateway_ipv6))
    router = mine.network.create_router(name="gw", external_gateway_info={
        "network_id": extranet.id, "enable_snat": False,
        "external_fixed_ips": [
            {"subnet_id": outside[v], "ip_address": str(a)} for v, a in gateways
        ],
    })  # fmt: skip
    for subnet in (v4, v6):
        mine.network.add_interface_to_router(router, subnet=subnet.id)
    group = mine.network.create_security_group(name=SYSTEM)
    service = mine.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="tcp",
        port_range_min=80, port_range_max=80,
        remote_ip_prefix=str(found.settings.ipv4_aggregate),
    )  # fmt: skip
    ssh = mine.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="tcp",
        port_range_min=22, port_range_max=22,
    )  # fmt: skip
    port = mine.network.create_port(
        network_id=net.id, name="nic", security_groups=[group.id],
        fixed_ips=[{"subnet_id": v4.id}, {"subnet_id": v6.id}],
    )  # fmt: skip
    volume = mine.block_storage.create_volume(name="disk", size=1)
    text = ANSWER.format(system=SYSTEM, region="primary", port=80)
    server = mine.compute.create_server(
        name="vm", flavor_id=cloud.compute.find_flavor("gaoling-1c1g").id,
        image_id=cloud.image.find_image("gaoling-guest").id, networks=[{"port": port.id}],
        user_data=base64.b64encode(text.encode()).decode(),
    )  # fmt: skip
    until(lambda: mine.compute.get_server(server.id).status == "ACTIVE")
    until(lambda: mine.block_storage.get_volume(volume.id).status == "available")
    mine.compute.create_volume_attachment(server, volume=volume)
    until(lambda: mine.block_storage.get_volume(volume.id).status == "in-use")
    mine.object_store.create_container(name=f"{SYSTEM}-objects")
    interfaces = [p.id for p in mine.network.ports(device_id=router.id)
                  if p.device_owner == "network:router_interface"]  # fmt: skip
    return {
        "Project": {mine.current_project_id}, "Network": {net.id}, "Subnet": {v4.id, v6.id},
        "Router": {router.id}, "RouterInterface": set(interfaces), "SecGroup": {group.id},
        "SecGroupRule": {service.id}, "Port": {port.id}, "Instance": {server.id},
        "Volume": {volume.id}, "VolumeAttach": {f"{server.id}/{volume.id}"},
        "Container": {f"{SYSTEM}-objects"}, "not declared": {ssh.id},
    }  # fmt: skip


def scoped(cloud, project):
    return cloud.connect_as_project({"id": project.id})


def remove(cloud, project):
    """Remove the project with all that is in it, whoever made it."""
    cloud.identity.assign_project_role_to_user(
        project, cloud.current_user_id, cloud.identity.find_role("admin")
    )
    mine = scoped(cloud, project)
    for server in list(mine.compute.servers()):
        mine.compute.delete_server(server)
    until(lambda: not list(mine.compute.servers()))
    for group in list(mine.compute.server_groups()):
        mine.compute.delete_server_group(group)
    for volume in list(mine.block_storage.volumes()):
        until(lambda v=volume: mine.block_storage.get_volume(v.id).status in ("available", "error"))
        mine.block_storage.delete_volume(volume)
    for router in list(mine.network.routers(project_id=project.id)):
        for port in list(mine.network.ports(device_id=router.id)):
            if port.device_owner == "network:router_interface":
                mine.network.remove_interface_from_router(router, port=port.id)
        mine.network.delete_router(router)
    for port in list(mine.network.ports(project_id=project.id)):
        if port.device_owner != "network:dhcp":
            mine.network.delete_port(port)
    for network in list(mine.network.networks(project_id=project.id)):
        mine.network.delete_network(network)
    for group in list(mine.network.security_groups(project_id=project.id)):
        if group.name != "default":
            mine.network.delete_security_group(group)
    for container in list(mine.object_store.containers()):
        mine.object_store.delete_container(container)
    until(lambda: not list(mine.block_storage.volumes()))
    cloud.identity.delete_project(project)


@pytest.fixture
def pulumi(city):
    """Pulumi as `gaoling cloud env` sets it up; the scratch stack is empty again afterwards."""
    exports = [line.removeprefix("export ") for line in gaoling(city, "env").splitlines()]
    said = dict(shlex.split(line)[0].split("=", 1) for line in exports)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "PULUMI_"))} | said
    env["PATH"] = f"{GAOLING.parent}:{env['PATH']}"

    def run(*command):
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def forget():
        subprocess.run(
            ["pulumi", "stack", "rm", STACK, "--yes", "--force", "--preserve-config"],
            cwd=ROOT, env=env, capture_output=True, check=False,
        )  # fmt: skip

    forget()
    yield run
    forget()


def test_a_project_made_by_hand_is_taken_over_and_nothing_of_it_is_replaced(
    city, by_hand, pulumi, tmp_path
):
    file = tmp_path / "taken.json"
    told = json.loads(gaoling(
        city, "import", "--system", SYSTEM, "--project", NAMES[0], "--write", str(file), "--json"
    ))  # fmt: skip
    left = {item["id"] for item in told["left"]}
    assert by_hand["not declared"] <= left
    assert "prefix" not in str(told["differing"])

    work = os.environ.get("GAOLING_STATE") or "/var/lib/gaoling/lab/work"
    state = {"GAOLING_CITY": str(city), "GAOLING_STATE": work}
    *steps, _preview = [shlex.split(command) for command in told["commands"]]
    assert [s[:2] for s in steps] == [
        ["pulumi", "import"], ["env", "-u"], ["pulumi", "import"], ["gaoling", "cloud"],
    ]  # fmt: skip
    for step in steps:
        if step[0] == "gaoling":
            step = ["env", *(f"{k}={v}" for k, v in state.items()), *step]
        if step[1] == "import":
            step.append("--protect=false")  # a scratch stack
        pulumi(*step)

    # every id is in the state, under the name that the program gives it
    held = json.loads(pulumi("pulumi", "stack", "export", "--stack", STACK))
    resources = held["deployment"]["resources"]
    for kind, ids in by_hand.items():
        if kind != "not declared":
            there = {r.get("id") for r in resources if r["type"].endswith(f":{kind}")}
            assert there >= ids, kind

    # what is still wanted: never a replacement of what was there, never a second one of it
    config = told["commands"][-1].partition("--config-file ")[2]
    preview = json.loads(pulumi(
        "pulumi", "preview", "--json", "--stack", STACK, "--config-file", shlex.split(config)[0]
    ))  # fmt: skip
    taken = set(told["imported"])
    steps = {s["urn"]: s["op"] for s in preview["steps"]}
    assert {steps.get(urn, "same") for urn in taken} <= {"same", "update"}
    created = {u.split("::")[-2].rpartition(":")[2] for u, op in steps.items() if op == "create"}
    assert not created & (by_hand.keys() - {"SecGroupRule"}), created

    # an import knows of no dependency, the first run writes them down: then all goes in order
    gaoling(city, "up", "--stack", STACK, "--yes")
    gaoling(city, "destroy", "--stack", STACK, "--yes")
    cloud = admin()
    assert not [p for p in cloud.identity.projects() if p.name in NAMES]
    assert cloud.compute.find_server("vm", all_projects=True) is None
