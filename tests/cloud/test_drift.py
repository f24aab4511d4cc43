"""Drift: every kind of it is found, what is as declared is not, what was not asked is said."""

from __future__ import annotations

import json
import stat
from types import SimpleNamespace as Thing

import pytest

from gaoling.cloud import drift_declared, syncpair
from gaoling.cloud.drift import KINDS, Finding, merged, text
from gaoling.cloud.drift_refresh import findings
from gaoling.cloud.home import Home
from tests.cloud.drift_world import (
    KEY,
    LAB,
    PROJECT,
    SECRET,
    TAGS,
    World,
    neutron,
    port,
    rule,
    server,
    volume,
    write_state,
)


@pytest.fixture
def world():
    return World()


def test_a_cloud_that_is_as_declared_has_no_drift(world):
    report = world.report()
    assert report.findings == []
    assert report.whole
    assert [(r.region, r.compared, r.wanted) for r in report.regions] == [
        ("primary", 15, 15),
        ("dr", 10, 10),
    ]


def test_lists_are_asked_once_a_region_whatever_the_number_of_systems(world):
    world.report("primary")
    lists = [c for c in world.primary.calls if c not in ("container", "token")]
    assert len(lists) == len(set(lists))


class TestWhatTheProviderCannotSee:
    def test_another_sync_target(self, world):
        there = world.primary.containers["health-objects"]
        there["X-Container-Sync-To"] = "//gaoling/elsewhere/AUTH_x/y"
        assert world.found() == [
            ("changed", "primary", "health", "Container health", "containerSyncTo",
             f"//gaoling/dr/AUTH_{PROJECT}/health-objects", "//gaoling/elsewhere/AUTH_x/y"),
        ]  # fmt: skip

    def test_another_sync_key_is_found_and_neither_is_shown(self, world):
        world.dr.containers["health-objects"]["X-Container-Sync-Key"] = "by hand"
        report = world.report()
        (one,) = report.findings
        assert (one.kind, one.region, one.field) == ("changed", "dr", "containerSyncKey")
        assert (one.declared, one.observed) == (syncpair.digest(KEY), syncpair.digest("by hand"))
        shown = json.dumps(report.as_json())
        assert KEY not in shown
        assert "by hand" not in shown

    def test_a_removed_acl_and_one_that_was_added(self, world):
        del world.primary.containers["health-objects"]["X-Container-Read"]
        world.dr.containers["health-objects"]["X-Container-Read"] = ".r:*"
        assert [(f[1], *f[4:]) for f in world.found()] == [
            ("dr", "containerRead", "", ".r:*"),
            ("primary", "containerRead", "p-audit:*, p-other:*", ""),
        ]

    def test_metadata_of_a_container(self, world):
        world.primary.containers["health-objects"]["X-Container-Meta-Gaoling-System"] = "x"
        assert [f[4:] for f in world.found()] == [
            ("metadata", "gaoling-system=health", "gaoling-system=x")
        ]

    def test_quotas_of_each_service(self, world):
        world.primary.quotas["compute"][PROJECT]["instances"] = 20
        world.primary.quotas["volume"][PROJECT]["per_volume_gigabytes"] = -1
        world.dr.quotas["network"][0]["security_group_rule"] = 500
        assert [(f[1], *f[3:]) for f in world.found()] == [
            ("dr", "QuotaV2 health", "securityGroupRule", "50", "500"),
            ("primary", "QuotaSetV2 health", "instances", "2", "20"),
            ("primary", "QuoteSetV3 health", "perVolumeGigabytes", "1", "-1"),
        ]

    def test_a_network_quota_that_was_deleted(self, world):
        world.dr.quotas["network"] = []
        assert [f[:5] for f in world.found()] == [
            ("missing", "dr", "health", "QuotaV2 health", ""),
        ]

    def test_a_rule_that_nobody_declared(self, world):
        world.primary.rules.append(rule("r2", port_range_max=90, remote_ip_prefix="0.0.0.0/0"))
        assert world.found() == [
            ("foreign", "primary", "health",
             "SecGroupRule health: ingress IPv4 tcp 80-90 0.0.0.0/0 r2", "", "", "r2"),
        ]  # fmt: skip

    def test_what_an_administrator_adds_is_of_the_administrators_project(self, world):
        strays = [
            rule("r2"),
            rule("r3", "default-group"),
            neutron("s2", "by-hand", network_id="net", cidr="10.9.0.0/24", dns_nameservers=[],
                    is_dhcp_enabled=True, ipv6_ra_mode=None, ipv6_address_mode=None),
            port("p2", "by-hand", "", ""),
        ]  # fmt: skip
        for one in strays:
            one.project_id = "p-admin"
        world.primary.rules += strays[:2]
        world.primary.subnets.append(strays[2])
        world.primary.ports.append(strays[3])
        assert {(f[0], f[2], f[6]) for f in world.found()} == {
            ("foreign", "health", identity) for identity in ("r2", "r3", "s2", "p2")
        }

    def test_the_default_group_may_have_neutrons_rules_and_no_other(self, world):
        world.primary.rules.append(rule("r2", "default-group"))
        assert [f[3] for f in world.found()] == [
            "SecGroupRule default: ingress IPv4 tcp 80 10.0.0.0/8 r2"
        ]

    def test_two_strays_of_one_name_are_two(self, world):
        world.primary.volumes += [volume("v2", "tmp"), volume("v3", "tmp")]
        assert [f[6] for f in world.found()] == ["v2", "v3"]


class TestStrays:
    @pytest.mark.parametrize(
        ("rows", "thing", "name"),
        [
            ("servers", server("x", "mine"), "Instance mine"),
            ("volumes", volume("x", "mine"), "Volume mine"),
            ("networks", neutron("x", "mine", is_admin_state_up=True, is_shared=False,
                                 is_router_external=False), "Network mine"),
            ("routers", neutron("x", "mine", is_admin_state_up=True,
                                external_gateway_info=None), "Router mine"),
            ("subnets", neutron("x", "mine", network_id="net", cidr="10.9.0.0/24",
                                dns_nameservers=[], is_dhcp_enabled=True, ipv6_ra_mode=None,
                                ipv6_address_mode=None), "Subnet mine x"),
            ("ports", port("x", "", "", ""), "Port x"),
            ("ports", port("x", "", "compute:nova", "vm"), "Port x"),
            ("ports", port("x", "", "network:router_interface", "router"), "Port x"),
            ("floating", Thing(id="x", name=None, tags=[], project_id=PROJECT,
                               floating_ip_address="198.51.100.200"),
             "FloatingIp 198.51.100.200 x"),
            ("groups", neutron("x", "mine"), "SecGroup mine"),
        ],
    )  # fmt: skip
    def test_what_was_made_by_hand_in_a_project_is_foreign(self, world, rows, thing, name):
        getattr(world.primary, rows).append(thing)
        assert world.found() == [("foreign", "primary", "health", name, "", "", "x")]

    def test_what_bears_our_mark_and_no_stack_holds_is_an_orphan(self, world):
        world.primary.volumes.append(volume("v2", "old", gaoling_system="health"))
        world.primary.servers.append(server("s2", "old", gaoling_system="health"))
        world.dr.networks.append(
            neutron("n2", "old", TAGS, is_admin_state_up=True, is_shared=False,
                    is_router_external=False)
        )  # fmt: skip
        world.dr.containers["old"] = {"X-Container-Meta-Gaoling-System": "health"}
        assert [f[:4] for f in world.found()] == [
            ("orphan", "dr", "health", "Container old"),
            ("orphan", "dr", "health", "Network old"),
            ("orphan", "primary", "health", "Instance old"),
            ("orphan", "primary", "health", "Volume old"),
        ]

    def test_what_outlived_its_project(self, world):
        world.primary.volumes.append(volume("v2", "old", "p-gone", gaoling_system="gone"))
        assert [f[:4] for f in world.found()] == [("orphan", "primary", "gone", "Volume old")]

    def test_a_project_that_no_stack_holds_is_told_once(self, world):
        for region in (world.primary, world.dr):
            region.projects.append(
                Thing(id="p2", name="lab-old", tags=["gaoling", "system=old"], description="",
                      is_enabled=True)
            )  # fmt: skip
            region.quotas["compute"]["p2"] = region.quotas["volume"]["p2"] = {}
            region._swift = None
        world.primary.session.request = world.dr.session.request = _no_containers
        kinds = [f[:4] for f in world.found() if f[3].startswith("Project")]
        assert kinds == [("orphan", "primary", "old", "Project lab-old p2")]

    def test_another_citys_landing_zone_is_its_own_matter(self, world):
        world.primary.servers.append(server("s2", "zz-1", "p-scratch", gaoling_system="zz"))
        world.primary.volumes.append(volume("v2", "x", "p-scratch"))
        assert world.found() == []

    def test_what_another_stack_of_the_same_backend_holds_is_no_orphan(self, world):
        world.primary.networks.append(
            neutron("n2", "shared-services", ["gaoling"], is_admin_state_up=True, is_shared=True,
                    is_router_external=False)
        )  # fmt: skip
        world.primary.networks[-1].project_id = "p-admin"
        assert [f[:4] for f in world.found()] == [
            ("orphan", "primary", "", "Network shared-services")
        ]
        world.declared.others = ["n2"]
        assert world.found() == []

    def test_what_goes_with_a_stray_is_not_told_again(self, world):
        world.primary.networks.append(
            neutron("n2", "tmp", is_admin_state_up=True, is_shared=False,
                    is_router_external=False)
        )  # fmt: skip
        world.primary.subnets.append(
            neutron("s2", "tmp4", network_id="n2", cidr="10.9.0.0/24", dns_nameservers=[],
                    is_dhcp_enabled=True, ipv6_ra_mode=None, ipv6_address_mode=None)
        )  # fmt: skip
        world.primary.ports.append(port("dhcp2", "", "network:dhcp", "agent", network_id="n2"))
        assert [f[3] for f in world.found()] == ["Network tmp"]


def _no_containers(path, method, **_):
    from tests.cloud.drift_world import Answer

    return Answer([])


class TestWhatIsHeld:
    @pytest.mark.parametrize(
        ("rows", "names"),
        [
            ("servers", ["Instance health-1"]),
            ("volumes", ["Volume health-data-1", "VolumeAttach health-data-1"]),
            ("networks", ["Network health"]),
            ("routers", ["Router health"]),
            ("rules", ["SecGroupRule health-service-ipv4"]),
        ],
    )
    def test_what_is_gone_is_missing(self, world, rows, names):
        getattr(world.primary, rows).clear()
        found = [f for f in world.found() if f[0] == "missing"]
        assert [f[3] for f in found] == names

    def test_a_missing_container(self, world):
        world.dr.containers.clear()
        assert [f[:4] for f in world.found()] == [("missing", "dr", "health", "Container health")]

    def test_a_port_without_its_group_and_a_router_that_translates(self, world):
        world.primary.ports[-1].security_group_ids = ["default-group"]
        world.primary.routers[0].external_gateway_info["enable_snat"] = True
        assert [f[3:] for f in world.found()] == [
            ("Port health-1", "securityGroupIds", "group", "default-group"),
            ("Router health", "enableSnat", "false", "true"),
        ]

    def test_a_detached_volume(self, world):
        world.primary.volumes[0].attachments = []
        assert [f[:4] for f in world.found()] == [
            ("missing", "primary", "health", "VolumeAttach health-data-1")
        ]

    def test_what_the_register_asks_for_and_no_stack_holds(self, world):
        world.city = LAB.with_systems([s for s in LAB.systems if s.id in ("health", "open-data")])
        assert world.found() == [
            ("missing", "primary", "open-data", "LandingZone open-data", "", "in the register",
             "in no stack"),
        ]  # fmt: skip


class TestWhatCouldNotBeAsked:
    def test_a_silent_service_makes_nothing_missing(self, world):
        world.primary.broken = {"volume"}
        report = world.report()
        assert report.findings == []
        assert not report.whole
        primary = report.regions[0]
        assert primary.wrong == ["primary: volume: ConnectionError: volume: no answer"]
        assert (primary.compared, primary.wanted) == (12, 15)  # volume, attachment, its quota

    def test_a_silent_region_takes_nothing_from_the_other(self, world):
        world.dr.broken = {"all"}
        world.primary.rules.append(rule("r2"))
        report = world.report()
        assert [f.region for f in report.findings] == ["primary"]
        assert report.regions[1].wrong == ["dr: ConnectionError: token: no answer"]
        assert report.regions[1].compared == 0
        assert world.dr.calls == ["token"]

    def test_silent_containers_are_not_missing(self, world):
        world.dr.broken = {"container"}
        report = world.report()
        assert report.findings == []
        assert report.regions[1].wrong == ["dr: container: ConnectionError: container: no answer"]

    def test_without_the_list_of_projects_nothing_is_called_stray(self, world):
        world.primary.broken = {"project"}
        assert world.report().findings == []


class TestDeclared:
    def test_it_is_read_from_the_states_and_holds_no_secret(self, tmp_path):
        home = Home(tmp_path / "state", tmp_path / "clouds.yaml").make()
        home.sync_secret.write_text(SECRET)
        for region in ("primary", "dr"):
            write_state(home.backend, region)
        other = write_state(home.backend, "primary")
        other.rename(other.with_name("scratch-primary-0.json"))
        write_state(home.backend, "primary")
        made = drift_declared.remember(home, LAB)
        assert "vm" in made.others
        path = drift_declared.path_of(home, LAB)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert drift_declared.read(path) == made
        assert made.held == World().declared.held
        for secret in (KEY, SECRET, "ciphertext", "#!/bin/sh"):
            assert secret not in path.read_text()
        assert {h.system for h in made.held} == {"health"}

    def test_without_the_secret_a_key_is_not_judged(self, world):
        from tests.cloud.drift_world import state

        world.declared.held = drift_declared.held("lab", "primary", state("primary"), "")
        assert world.report("primary").findings == []

    def test_a_damaged_state_is_named(self, tmp_path):
        home = Home(tmp_path / "state", tmp_path / "clouds.yaml").make()
        path = write_state(home.backend, "primary")
        path.write_text(path.read_text()[:100])
        with pytest.raises(drift_declared.DeclaredError, match=r"lab-primary-0\.json: JSONDecode"):
            drift_declared.remember(home, LAB)

    def test_a_file_that_is_not_there_says_what_writes_it(self, tmp_path):
        with pytest.raises(drift_declared.DeclaredError, match="`gaoling cloud up` and"):
            drift_declared.read(tmp_path / "lab.declared.json")


VOLUME = ":Volume::health-data-1"


def outcome(tmp_path, *events):
    log = tmp_path / "lab-primary-0-refresh.log"
    log.with_suffix(".events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    return Thing(log=log, stack=Thing(region="primary", name="lab-primary-0"))


def refreshed(world, op, ending, old=None, new=None, diffs=()):
    (one,) = [h for h in world.declared.held if h.urn.endswith(ending) and h.region == "primary"]
    about = {"op": op, "urn": one.urn, "type": one.type, "diffs": list(diffs),
             "old": {"id": one.id, "outputs": old}, "new": {"outputs": new}}  # fmt: skip
    return {"resOutputsEvent": {"metadata": about}}


class TestRefresh:
    def test_changes_and_what_is_gone(self, world, tmp_path):
        events = [
            refreshed(world, "same", ":Network::health"),
            refreshed(world, "update", VOLUME, {"size": 1}, {"size": 2}, ["size"]),
            refreshed(world, "delete", ":Instance::health-1"),
        ]
        found = list(findings([outcome(tmp_path, *events)], world.declared))
        assert found == [
            Finding("changed", "health", "primary", "Volume health-data-1", "size", "1", "2",
                    "refresh"),
            Finding("missing", "health", "primary", "Instance health-1", "", "vm", "", "refresh"),
        ]  # fmt: skip

    def test_secrets_stay_secret(self, world, tmp_path):
        event = refreshed(world, "update", ":Container::health", {"containerSyncKey": "a"},
                          {"containerSyncKey": "b"}, ["containerSyncKey"])  # fmt: skip
        (one,) = findings([outcome(tmp_path, event)], world.declared)
        assert (one.declared, one.observed) == ("[secret]", "[secret]")

    def test_the_number_of_key_pairs_is_no_secret(self, world, tmp_path):
        event = refreshed(world, "update", ":QuotaSetV2::health", {"keyPairs": 10},
                          {"keyPairs": 20}, ["keyPairs"])  # fmt: skip
        (one,) = findings([outcome(tmp_path, event)], world.declared)
        assert (one.field, one.declared, one.observed) == ("keyPairs", "10", "20")

    def test_what_both_see_is_told_once(self, world, tmp_path):
        world.primary.servers.clear()
        event = refreshed(world, "delete", ":Instance::health-1")
        both = [*world.report().findings, *findings([outcome(tmp_path, event)], world.declared)]
        assert [f.source for f in merged(both) if f.resource == "Instance health-1"] == ["probe"]


def test_findings_come_in_one_order_whoever_saw_them_first(world):
    world.primary.servers.clear()
    world.primary.rules.append(rule("r2"))
    world.dr.quotas["network"] = []
    found = world.report().findings
    assert merged(reversed(found)) == merged(found) == found
    order = [KINDS.index(f.kind) for f in found]
    assert order == sorted(order)


def test_values_are_the_same_whatever_their_order():
    assert text(["b", "a"]) == text(("a", "b")) == "a, b"
    assert text(2.0) == text(2) == "2"
    assert text(True) == "true"
    assert text({"b": 1, "a": None}) == "a=, b=1"
