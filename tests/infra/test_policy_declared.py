"""What the lab's stacks declare breaks no rule, in either region."""

from __future__ import annotations

import pytest

from gaoling.city import read_city
from infra.policy.context import Context, facts_of
from infra.policy.model import Resource
from infra.policy.pack import judged
from infra.policy.rules import RULES
from tests.infra.recorder import ROOT, Recorder, platform, shard

CITY = read_city(ROOT / "inventories/lab")


def resources(recorder: Recorder, root: str) -> list[Resource]:
    """Return what was registered as a rule sees it: uses follow the recorder's ids."""
    plain = {
        f"{r.name}-id {r.type}": Resource(
            r.type, f"urn:pulumi:lab::gaoling::{root}${r.type}::{r.name}", r.name, r.inputs
        )
        for r in recorder.resources
        if r.type.startswith("openstack:")
    }
    found = []
    for each in plain.values():
        uses = {
            name: [other for key, other in plain.items() if key.split(" ")[0] == value]
            for name, value in each.props.items()
            if isinstance(value, str) and value.endswith("-id")
        }
        found.append(Resource(each.type, each.urn, each.name, each.props, uses))
    return found


@pytest.mark.parametrize("region", ["primary", "dr"])
@pytest.mark.parametrize("part", ["platform", "shard"])
def test_the_lab_breaks_no_rule(declared, region, part):
    if part == "platform":
        seen = resources(declared(platform(region)), "gaoling:cloud:Platform")
    else:
        seen = resources(declared(shard(region)), "gaoling:cloud:LandingZone")
    assert len({r.type for r in seen}) >= 4
    context = Context(facts_of(CITY, region))
    assert [f"{r.id}: {f.en}" for r, f, _ in judged(RULES, seen, context)] == []


def test_it_would_be_seen_if_it_did(declared):
    seen = resources(declared(shard("dr")), "gaoling:cloud:LandingZone")
    context = Context(facts_of(CITY, "no-such-region"))
    broken = {(r.id, f.resource.name) for r, f, _ in judged(RULES, seen, context)}
    networks = {r.name for r in seen if r.type.endswith(":Network")}
    assert broken == {("class-of-region", name) for name in networks}
    assert networks
