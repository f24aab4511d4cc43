"""Host aggregates: those of city.yaml and those of the kinds of hosts in capacity.yaml."""

from __future__ import annotations

import pytest

from gaoling.city import read_city
from gaoling.city.landing import HostGroup
from infra.program import _host_groups
from tests.infra.recorder import ROOT, platform

CITY = read_city(ROOT / "inventories/lab")


def test_a_platform_declares_the_hosts_that_capacity_yaml_names(declared):
    groups = declared(platform()).of(":AggregateV2")
    assert [(g.name, g.inputs["hosts"]) for g in groups] == [("general", ["primary-cmp1"])]
    assert "zone" not in groups[0].inputs


def with_group(name):
    group = HostGroup(region="dr", name=name, zone="az1", hosts=("dr-cmp1",))
    landing = CITY.settings.landing.model_copy(update={"host_groups": (group,)})
    settings = CITY.settings.model_copy(update={"landing": landing})
    return CITY.model_copy(update={"settings": settings})


def test_both_files_are_read_and_a_name_in_both_is_refused():
    city = with_group("secure")
    assert [(g.name, g.zone) for g in _host_groups(city, "dr")] == [
        ("secure", "az1"),
        ("general", ""),
    ]
    assert [g.name for g in _host_groups(city, "primary")] == ["general"]
    with pytest.raises(ValueError) as raised:
        _host_groups(with_group("general"), "dr")
    assert str(raised.value) == (
        "capacity.yaml: kinds.aggregate: found general, expected another name than "
        "landing.host_groups of city.yaml has"
    )
