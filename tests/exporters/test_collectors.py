"""What each collector makes of what it is told, whole and broken."""

from __future__ import annotations

import dataclasses
import json

import pytest

from exporters.cloud import CloudError
from exporters.extranet_routers import ExtranetRouters, configured, full_neighbours, split
from exporters.extranet_sites import ExtranetSites
from exporters.rates import RatesCollector, judge
from exporters.recovery import Recovery, ages
from exporters.systems import Systems
from gaoling.city import Role

NOW = 1_795_000_000.0  # the world's clock


def attached(world, level):
    """Return how many counted units of a level hang on a router."""
    sites = [s for s in world.context.city.sites if s.level == level and s.device]
    return len([s for s in sites if s.kind not in ("facility", "unit")])


def asked(world):
    """Return how many routers are asked: those that a site hangs on."""
    return len({s.device for s in world.context.city.sites if s.device})


def series(result, name):
    return {tuple(sorted(s.labels.items())): s.value for s in result.samples if s.name == name}


class TestSites:
    def test_every_attached_site_and_router_is_looked_at_over_both_families(self, world):
        result = world.collect(ExtranetSites())
        city = world.context.city
        sites = [s for s in city.sites if s.device]
        routers = [d for d in city.devices if d.routes and d.role is not Role.PEER]
        assert result.covered == result.wanted == 2 * (len(sites) + len(routers)) > 300
        seen = {o.subject for o in result.observations if o.kind == "site"}
        assert seen == {s.code for s in sites} >= {"360202", "360202001", "data-bureau"}
        assert {o.family for o in result.observations} == {4, 6}

    def test_a_vantage_out_of_reach_is_no_evidence_of_anything(self, world):
        world.script.unreachable.add("vantage-noc")
        result = world.collect(ExtranetSites())
        assert result.observations == []
        assert "No route to host" in result.wrong[0]
        assert judge(world.context, NOW).extranet_access().interval is None

    def test_a_silent_township_lowers_exactly_its_level(self, world):
        site = world.context.city.site["360281103"]
        world.script.silent = {str(world.context.plan.probe(site)[0]), "10.255.4.15"}
        world.collect(ExtranetSites())
        rates = judge(world.context, NOW)
        assert rates.extranet_access("township").observed == attached(world, "township") - 1
        assert rates.extranet_access("county").observed == 4


class TestSystems:
    def test_systems_with_a_landing_zone_answer_the_rest_is_not_there(self, world):
        result = world.collect(Systems())
        assert (result.covered, result.wanted, result.wrong) == (32, 32, [])
        assert judge(world.context, NOW).cloud_adoption().interval == (0.8, 0.8)

    def test_one_call_a_tool_and_family_and_vantage_for_all_systems(self, world):
        world.collect(Systems())
        assert len(world.script.calls) == 4 * 3  # township vantages: fping -4, fping -6, curl
        assert all(v != "vantage-noc" for v, _ in world.script.calls)

    def test_a_deleted_server_lowers_the_rate(self, world):
        world.collect(Systems())
        world.primary.servers = [s for s in world.primary.servers if s.system != "health"]
        world.context.clock = lambda: NOW + 15
        world.collect(Systems())
        rate = judge(world.context, NOW + 15).cloud_adoption()
        assert rate.observed == 7
        assert ("health", "not provisioned") in {(m.subject, m.because) for m in rate.missing}

    def test_a_server_that_answers_as_another_system_is_not_counted(self, world):
        (server,) = [s for s in world.primary.servers if s.system == "health"]
        world.script.impostors = dict.fromkeys(server.addresses, "open-data")
        world.collect(Systems())
        rate = judge(world.context, NOW).cloud_adoption()
        assert ("health", "not answering") in {(m.subject, m.because) for m in rate.missing}

    def test_a_server_in_another_project_is_not_the_systems(self, world):
        world.primary.servers = [
            dataclasses.replace(s, project="lab-open-data") if s.system == "health" else s
            for s in world.primary.servers
        ]
        world.collect(Systems())
        assert judge(world.context, NOW).cloud_adoption().observed == 7

    def test_an_address_outside_the_plan_is_not_addressed(self, world):
        world.primary.servers = [
            dataclasses.replace(s, addresses=("192.0.2.9", s.addresses[1]))
            if s.system == "health" else s for s in world.primary.servers
        ]  # fmt: skip
        world.collect(Systems())
        addressed = {o.subject: o.value for o in world.context.store.all() if o.rung == "addressed"}
        assert addressed.pop("health") is False
        assert all(addressed.values())

    def test_without_the_cloud_api_nothing_is_said(self, world):
        world.primary.down = True
        with pytest.raises(CloudError):
            world.collect(Systems())
        assert judge(world.context, NOW).cloud_adoption().interval is None

    def test_one_vantage_is_enough(self, world):
        world.script.unreachable = {"vantage-360202001", "vantage-360203001", "vantage-360222100"}
        result = world.collect(Systems())
        assert (result.covered, result.wanted) == (8, 32)
        assert judge(world.context, NOW).cloud_adoption().observed == 8


class TestRouters:
    def test_configured_and_adjacent_of_every_site(self, world):
        result = world.collect(ExtranetRouters(world.script))
        assert (result.covered, result.wanted, result.wrong) == (asked(world), asked(world), [])
        rungs = {(o.rung, o.family, o.value) for o in result.observations}
        assert rungs == {
            ("configured", 4, True), ("configured", 6, False), ("adjacent", 4, True)
        }  # fmt: skip

    def test_a_village_has_no_neighbour_to_see(self, world):
        result = world.collect(ExtranetRouters(world.script))
        of = {o.rung for o in result.observations if o.subject == "360281001201"}
        assert of == {"configured"}

    def test_a_dead_router_is_not_asked(self, world):
        world.script.silent = {"10.255.4.15"}
        world.collect(ExtranetSites())
        result = world.collect(ExtranetRouters(world.script))
        assert (result.covered, result.wanted, result.wrong) == (asked(world) - 1, asked(world), [])

    def test_one_router_that_fails_takes_nothing_from_the_others(self, world):
        world.script.unreachable = {"town-360281103"}
        result = world.collect(ExtranetRouters(world.script))
        assert (result.covered, len(result.wrong)) == (asked(world) - 1, 1)
        assert result.wrong[0].startswith("town-360281103: 255: ssh: connect")

    def test_addresses_are_compared_by_value(self):
        text = "interface lan0\n ipv6 address 2001:DB8:0::1/64\nexit\nrouter ospf\n ip address 1\n"
        assert configured(text) == {"lan0": {"2001:db8::1/64"}}

    def test_neighbours_of_both_protocols(self):
        v2 = {"neighbors": {"10.0.0.1": [{"nbrState": "Full/DR"}, {"nbrState": "2-Way/DROther"}]}}
        v3 = {"neighbors": [{"neighborId": "10.0.0.1", "state": "Full"}, {"state": "ExStart"}]}
        config, answers = split("Current configuration:\n!\nend\n" + json.dumps(v2, indent=1)
                                + "\n" + json.dumps(v3))  # fmt: skip
        assert config.endswith("end\n")
        assert [full_neighbours(a) for a in answers] == [1, 1]


class TestRecovery:
    def test_the_age_is_that_of_the_newest_sentinel_that_can_be_read(self, world):
        result = world.collect(Recovery())
        assert (result.covered, result.wanted) == (6, 6)
        assert ("e-license-objects", ".gaoling-sentinel") in world.primary.objects
        found = {s.labels["system"]: s.value for s in ages(world.context, NOW)
                 if s.name == "gaoling_recovery_point_age_seconds"}  # fmt: skip
        assert found["e-license"] == 120
        assert len(found) == 6

    def test_it_grows_while_the_other_region_is_down(self, world):
        world.collect(Recovery())
        world.dr.down = True
        result = world.collect(Recovery())
        assert result.covered == 0
        found = {s.labels["system"]: s.value for s in ages(world.context, NOW + 1000)
                 if s.name == "gaoling_recovery_point_age_seconds"}  # fmt: skip
        assert found["e-license"] == 1120

    def test_what_was_never_read_has_no_age(self, world):
        assert not [s for s in ages(world.context, NOW) if "age" in s.name]

    def test_anothers_sentinel_is_none(self, world):
        world.dr.get = lambda container, name: b'{"system": "other", "time": 5}'
        result = world.collect(Recovery())
        assert result.observations == []


class TestRates:
    def test_without_evidence_only_what_is_declared_has_series(self, world):
        names = {s.name for s in world.collect(RatesCollector()).samples}
        assert not {n for n in names if n.endswith("_ratio")}
        assert names >= {"gaoling_systems", "gaoling_sites", "gaoling_rate_denominator"}

    def test_a_rung_that_nothing_measures_has_no_series(self, world):
        world.collect(ExtranetSites())
        world.collect(Systems())
        result = world.collect(RatesCollector())
        rungs = {dict(k)["rung"] for k in series(result, "gaoling_sites")}
        assert rungs == {"declared", "reachable"}
        rungs = {dict(k)["rung"] for k in series(result, "gaoling_systems")}
        assert rungs == {"declared", "provisioned", "addressed", "reachable", "answering"}

    def test_a_dead_county_pair_is_named_and_its_townships_are_unknown(self, world):
        city = world.context.city
        behind = [d for d in city.devices if city.county_of(city.site[d.site]) == "360281"]
        world.script.silent = {str(d.management) for d in behind} | {
            str(world.context.plan.probe(s)[0]) for s in city.sites if city.county_of(s) == "360281"
        }
        world.collect(ExtranetSites())
        result = world.collect(RatesCollector())
        hidden = series(result, "gaoling_sites_hidden")
        assert hidden == {(("device", "county-360281-r1, county-360281-r2"),): 19}
        missing = series(result, "gaoling_sites_missing")
        of = {dict(k)["state"]: v for k, v in missing.items()
              if dict(k)["county"] == "360281" and dict(k)["level"] == "township"}  # fmt: skip
        assert of == {"absent": 0, "unattached": 0, "unknown": 18}
