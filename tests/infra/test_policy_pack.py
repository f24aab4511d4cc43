"""The pack under Pulumi's own CLI: previews that it stops, states that it judges. No cloud."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gaoling.cloud.home import Home
from infra.policy.rules import RULES

pytestmark = pytest.mark.pulumi

ROOT = Path(__file__).parents[2]
GAOLING = Path(sys.executable).parent / "gaoling"
CLOUDS = """
clouds:
  nowhere:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: u, password: p, project_name: p,
           user_domain_name: Default, project_domain_name: Default}
"""
# A landing zone as the components make it, of no more than what the rules look at
PROGRAM = """
import pulumi
import pulumi_openstack as o

zone = pulumi.ComponentResource("gaoling:cloud:LandingZone", "health")
inside = pulumi.ResourceOptions(parent=zone)
tags = ["system=health", "department={owner}"]
project = o.identity.Project("health", name="health", opts=inside,
    tags=[*tags, "mlps=3", "recovery-region={recovery}", "expires=none"])
o.compute.QuotaSetV2("health", project_id=project.id, cores={cores}, opts=inside)
network = o.networking.Network("health", tags=tags, opts=inside)
for version, cidr in {subnets}.items():
    o.networking.Subnet(f"health-{{version}}", network_id=network.id, ip_version=version,
        cidr=cidr, tags=tags, opts=inside)
group = o.networking.SecGroup("health", name="health", tags=[*tags, "zone=public"], opts=inside)
o.networking.SecGroupRule("peers", security_group_id=group.id, direction="ingress",
    ethertype="IPv4", remote_group_id=group.id, opts=inside)
o.networking.SecGroupRule("service", security_group_id=group.id, direction="ingress",
    ethertype="IPv4", remote_ip_prefix="{prefix}", opts=inside)
"""
WHOLE = {
    "owner": "health-commission",
    "recovery": "dr",
    "cores": "2",
    "subnets": '{4: "10.64.1.0/24", 6: "2001:db8:1::/64"}',
    "prefix": "10.0.0.0/8",
}
EXEMPTION = """\
- rule: dual-stack
  resource: health
  reason: 设备不支持 IPv6
  until: {until}
"""


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A copy of the lab's city, under its own id."""
    return Path(shutil.copytree(ROOT / "inventories" / "lab", tmp_path / "inventories" / "lab"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A state folder of one's own."""
    (tmp_path / "access" / "cloud").mkdir(parents=True)
    given = tmp_path / "access" / "cloud" / "clouds.yaml"
    given.write_text(CLOUDS)
    made = Home(tmp_path / "state", given).make()
    shutil.copy(given, made.clouds)
    monkeypatch.setenv("GAOLING_STATE", str(made.state))
    monkeypatch.setenv("GAOLING_ACCESS", str(tmp_path / "access"))
    return made


def pulumi(home: Home, *arguments: str, cwd: Path | None = None, given: str | None = None):
    return subprocess.run(
        ["pulumi", *arguments, "--non-interactive", "--color", "never"],
        cwd=cwd or home.stacks,
        env=home.environment() | {"OS_CLOUD": "nowhere"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


# -- previews


@pytest.fixture
def landing_zone(home: Home, city: Path, tmp_path: Path):
    """Return a function that runs Pulumi (a preview) on a zone that differs from a whole one."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: gaoling\nruntime: python\n")
    config = {"gaoling:city": str(city), "gaoling:region": "primary"}
    (folder / "Pulumi.lab-primary-0.yaml").write_text(json.dumps({"config": config}))
    assert pulumi(home, "stack", "init", "lab-primary-0", cwd=folder).returncode == 0
    path = folder / "Pulumi.lab-primary-0.yaml"

    def run(*command: str, program: str = PROGRAM, **more: str) -> subprocess.CompletedProcess[str]:
        (folder / "__main__.py").write_text(program.format(**WHOLE | more))
        assert str(city) in path.read_text()
        command = command or ("preview",)
        return pulumi(home, *command, "--stack", "lab-primary-0", cwd=folder)

    return run


def broken(run: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the rules that were mandatory and broken."""
    lines = [line for line in run.stdout.splitlines() if "[mandatory]" in line]
    return {line.split("]")[-1].split()[0] for line in lines}


def test_a_whole_landing_zone_passes(landing_zone):
    run = landing_zone()
    assert run.returncode == 0, run.stdout
    assert broken(run) == set()
    assert "can't run policy" not in run.stdout


def test_a_broken_rule_stops_a_preview(landing_zone):
    """Though the ids of project, group and network are not known before they are made."""
    run = landing_zone(
        prefix="0.0.0.0/0",
        cores="-1",
        recovery="primary",
        owner="nobody",
        subnets='{6: "2001:db8:1:0::/64"}',
    )
    assert run.returncode != 0
    for rule, message in {
        "no-open-ingress": "rule service: found 0.0.0.0/0, expected a prefix of the extranet",
        "bounded-quotas": "quota health: cores is -1, expected 0 or more",
        "recovery-for-class-3": "project health: class 3, found recovery region primary, which is "
        "its own, expected a recovery policy in another region",
        "dual-stack": "network health: found IP versions [6], expected 4 and 6",
        "tags": "project health: tag department: found nobody, expected a department of the "
        "register",
        "canonical-cidr": "subnet health-6: found cidr 2001:db8:1:0::/64, expected its canonical "
        "form 2001:db8:1::/64",
    }.items():
        assert rule in broken(run)
        assert message in run.stdout
    assert len(broken(run)) == 6
    assert "can't run policy" not in run.stdout


def test_what_breaks_a_rule_is_not_made(landing_zone):
    """Also where nobody previewed: the cloud, which is not there, is not even asked."""
    program = PROGRAM.split("o.compute")[0]
    run = landing_zone("up", "--yes", "--skip-preview", program=program, owner="nobody")
    assert run.returncode != 0
    assert broken(run) == {"tags"}
    assert "connection refused" not in run.stdout
    assert (
        "connection refused"
        in landing_zone("up", "--yes", "--skip-preview", program=program).stdout
    )


def test_a_region_of_a_lower_class_stops_a_preview(landing_zone, city):
    settings = city / "city.yaml"
    settings.write_text(settings.read_text().replace("mlps: 三级", "mlps: 二级", 1))
    run = landing_zone()
    assert run.returncode != 0
    assert broken(run) == {"class-of-region"}
    for what in ("project", "network"):
        text = f"{what} health: found class 3 in region primary of class 2, expected at most class"
        assert text in run.stdout


def test_what_is_exempt_passes_and_is_said(landing_zone, city):
    (city / "exemptions.yaml").write_text(EXEMPTION.format(until="9999-12-31"))
    run = landing_zone(subnets='{6: "2001:db8:1::/64"}')
    assert run.returncode == 0, run.stdout
    assert broken(run) == set()
    assert "[advisory]" in run.stdout
    assert (
        "[dual-stack] network health: found IP versions [6], expected 4 and 6 "
        "(exempt until 9999-12-31: 设备不支持 IPv6; exemptions.yaml:1)"
    ) in run.stdout


def test_an_expired_exemption_stops_a_preview(landing_zone, city):
    (city / "exemptions.yaml").write_text(EXEMPTION.format(until="2020-01-01"))
    run = landing_zone()
    assert run.returncode != 0
    assert broken(run) == {"exemptions"}
    assert (
        "exemptions.yaml:4: until（截止日期）: found '2020-01-01', expected a day that is not past"
    ) in run.stdout


# -- states


def state(stack: str, versions: tuple[int, ...], linked: bool = True) -> str:
    """Return a state with one network of these families.

    Not linked, it is as an import leaves it: a subnet names its network by id alone.
    """
    chain = "gaoling:cloud:LandingZone"
    tags = ["system=health", "department=health-commission"]

    def urn(kind: str, name: str) -> str:
        return f"urn:pulumi:{stack}::gaoling::{kind}::{name}"

    def made(kind: str, name: str, props: dict, **uses: str) -> dict:
        return {
            "urn": urn(f"{chain}${kind}", name), "custom": True, "id": f"{name}-id", "type": kind,
            "inputs": props, "outputs": props | {"id": f"{name}-id"},
            "parent": urn(chain, "health"),
            "provider": urn("pulumi:providers:openstack", "p") + "::1",
            "propertyDependencies": {name: [used] for name, used in uses.items() if linked},
            "dependencies": list(uses.values()) if linked else [],
        }  # fmt: skip

    network = made("openstack:networking/network:Network", "health", {"tags": tags})
    subnets = [
        made("openstack:networking/subnet:Subnet", f"health-{v}",
             {"ipVersion": v, "tags": tags, "networkId": network["id"]},
             networkId=network["urn"])
        for v in versions
    ]  # fmt: skip
    root = urn("pulumi:pulumi:Stack", f"gaoling-{stack}")
    resources = [
        {"urn": root, "custom": False, "type": "pulumi:pulumi:Stack"},
        {"urn": urn("pulumi:providers:openstack", "p"), "custom": True, "id": "1",
         "type": "pulumi:providers:openstack", "inputs": {}, "outputs": {}},
        {"urn": urn(chain, "health"), "custom": False, "type": chain, "parent": root},
        network, *subnets,
    ]  # fmt: skip
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
    return json.dumps({"version": 3, "deployment": {"manifest": manifest, "resources": resources}})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a sound stack, a broken one and an empty one."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "clouds.yaml").write_text(CLOUDS)
    home = Home(folder / "state", folder / "clouds.yaml").make()
    for stack, versions in (("lab-primary-0", (4, 6)), ("lab-dr-0", (4,)), ("lab-dr-platform", ())):
        assert pulumi(home, "stack", "init", stack, "--no-select").returncode == 0
        if versions:
            holds(home, stack, versions)
    return folder / "state"


def holds(home: Home, stack: str, versions: tuple[int, ...], linked: bool = True) -> None:
    text = state(stack, versions, linked)
    done = pulumi(home, "stack", "import", "--stack", stack, given=text)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def states(home: Home, built: Path) -> Home:
    """A home with a copy of what was built."""
    shutil.copytree(built, home.state, dirs_exist_ok=True)
    return home


def policy(city: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "GAOLING_CITY": str(city)}
    return subprocess.run(
        [str(GAOLING), "cloud", "policy", *arguments],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


FOUND = {
    "rule": "dual-stack",
    "severity": "high",
    "urn": "urn:pulumi:lab-dr-0::gaoling::gaoling:cloud:LandingZone$"
    "openstack:networking/network:Network::health",
    "message": "network health: found IP versions [4], expected 4 and 6",
    "exemption": None,
    "level": "mandatory",
}


def test_the_state_of_every_stack_is_judged(states, city):
    done = policy(city, "--json")
    assert done.returncode == 3, done.stderr
    said = json.loads(done.stdout)
    assert said == {
        "broken": 1,
        "exempt": 0,
        "stacks": [
            {"stack": "lab-primary-platform", "state": "absent", "findings": []},
            {"stack": "lab-dr-platform", "state": "empty", "findings": []},
            {"stack": "lab-primary-0", "state": "judged", "findings": []},
            {"stack": "lab-dr-0", "state": "judged", "findings": [FOUND]},
        ],
        "unused_exemptions": [],
    }
    done = policy(city)
    assert done.returncode == 3
    assert "! 高      双栈 dual-stack: 网络 health：IP 版本为 [4]，应为 4 和 6" in done.stdout
    assert "lab-primary-platform         无状态，未评估" in done.stdout
    assert "评估 2/4 个栈：违规 1 项，豁免 0 项" in done.stdout
    assert policy(city, "--stack", "lab-primary-0").returncode == 0


def test_by_hand_the_same_is_found(states):
    arguments = ["policy", "analyze", "--stack", "lab-dr-0", "--json"]
    done = pulumi(states, *arguments, cwd=ROOT)  # the pack is in the environment
    assert done.returncode != 0
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (found,) = [e["policyEvent"] for e in events if "policyEvent" in e]
    assert found["policyName"] == "dual-stack"
    assert found["resourceUrn"] == FOUND["urn"]
    assert found["message"].endswith(FOUND["message"])


def test_an_exemption_is_listed_and_one_that_is_not_needed_too(states, city):
    until = "9999-12-31"
    idle = EXEMPTION.format(until=until).replace("health", "e-license")
    (city / "exemptions.yaml").write_text(EXEMPTION.format(until=until) + idle)
    done = policy(city, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    about = {"rule": "dual-stack", "reason": "设备不支持 IPv6", "until": until}
    (found,) = said["stacks"][3]["findings"]
    assert found["exemption"] == {**about, "resource": "health", "line": 1}
    assert (found["rule"], found["level"]) == ("dual-stack", "advisory")
    assert said["unused_exemptions"] == [{**about, "resource": "e-license", "line": 5}]
    assert (said["broken"], said["exempt"]) == (0, 1)
    text = policy(city).stdout
    assert "豁免" in text
    assert "（豁免至 9999-12-31：设备不支持 IPv6；exemptions.yaml:1）" in text
    assert "exemptions.yaml:5: 豁免未用到，可删除: dual-stack e-license" in text


def test_an_expired_exemption_is_bad_input(states, city):
    (city / "exemptions.yaml").write_text(EXEMPTION.format(until="2020-01-01"))
    done = policy(city)
    assert done.returncode == 2
    assert "exemptions.yaml:4: until（截止日期）: found '2020-01-01'" in done.stderr


def test_where_nothing_was_judged_nothing_passes(home, city):
    done = policy(city)
    assert done.returncode == 2
    assert (
        f"gaoling: {home.url}: found no stack of the city with resources, expected one; "
        "nothing was judged"
    ) in done.stderr


def test_a_stack_of_another_city_is_refused(states, city):
    done = policy(city, "--stack", "jingdezhen-dr-0")
    assert done.returncode == 2
    assert "--stack jingdezhen-dr-0: expected of lab-primary-platform" in done.stderr


def test_a_stack_that_the_register_has_no_more_is_judged_too(states, city):
    assert pulumi(states, "stack", "init", "lab-dr-7", "--no-select").returncode == 0
    holds(states, "lab-dr-7", (6,), linked=False)
    done = policy(city, "--stack", "lab-dr-7", "--lang", "en")
    assert done.returncode == 3
    assert "! high   dual-stack: network health: found IP versions [6]" in done.stdout
    assert "1 of 1 stacks judged: 1 broken, 0 exempt" in done.stdout


def test_a_state_that_cannot_be_read_is_no_pass(states, city):
    path = next(states.backend.rglob("lab-primary-0.json"))
    path.write_text(path.read_text()[:200])
    done = policy(city)
    assert done.returncode == 1
    assert f"gaoling: {path}: found 200 bytes that are not a whole state" in done.stderr


def test_the_rules_are_listed(city):
    listed = json.loads(policy(city, "--rules", "--json").stdout)
    assert [r["rule"] for r in listed] == [rule.id for rule in RULES]
    text = policy(city, "--rules").stdout
    for rule in RULES:
        assert f"{rule.id}  {rule.title}" in text
        assert rule.clause in text
