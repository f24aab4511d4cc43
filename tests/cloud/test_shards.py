"""Which stack holds what: deterministic, moves no department by itself, under the limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaoling.city import read_city
from gaoling.cloud.demand import demand, demands
from gaoling.cloud.shards import LIMIT, OF_STACK, ShardError, as_csv, assign, read_shards, weights
from gaoling.cloud.stacks import mapping, shards_file, stacks

ROOT = Path(__file__).resolve().parents[2]
REAL = read_city(ROOT / "inventories/jingdezhen")
LAB = read_city(ROOT / "inventories/lab")


def test_the_lab_has_one_shard_a_region_and_platforms_come_first():
    found = [(s.name, s.wave) for s in stacks(LAB)]
    assert found == [
        ("lab-primary-platform", 0),
        ("lab-dr-platform", 0),
        ("lab-primary-0", 1),
        ("lab-dr-0", 2),
    ]
    assert [s.name for s in stacks(LAB, ["dr"])] == ["lab-dr-platform", "lab-dr-0"]
    with pytest.raises(ValueError, match=r"region 'north': expected one of primary, dr"):
        stacks(LAB, ["north"])


def test_shards_stay_under_the_limit_unless_one_department_is_larger():
    load: dict[int, list[int]] = {}
    weight = weights(REAL)
    for department, number in assign(REAL, {}).items():
        load.setdefault(number, []).append(weight[department])
    assert all(sum(w) + OF_STACK <= LIMIT or len(w) == 1 for w in load.values())
    assert len(load) < len(weight)


def test_what_is_mapped_stays_when_the_register_grows_and_shrinks():
    given = assign(REAL, {})
    assert assign(REAL, given) == given == assign(REAL, {})
    fewer = REAL.with_systems(REAL.systems[:20])
    assert assign(fewer, given) == given
    first = assign(fewer, {})
    assert first.items() <= assign(REAL, first).items()


def test_the_committed_mapping_holds_every_department():
    committed = read_shards(shards_file(REAL))
    assert committed == mapping(REAL), "run: gaoling cloud stacks --write --city jingdezhen"


def test_a_bad_mapping_is_named(tmp_path):
    path = tmp_path / "x.shards.csv"
    path.write_text("department,shard\nhealth,0\nhealth,1\n")
    with pytest.raises(ShardError, match=r"x.shards.csv:3: found health,1, expected each"):
        read_shards(path)
    path.write_text("a,b\n")
    with pytest.raises(ShardError, match=r"x.shards.csv:1: .*expected department,shard"):
        read_shards(path)
    path.write_text(as_csv({"b": 0, "a": 1, "c": 0}))
    assert path.read_text() == "department,shard\nb,0\nc,0\na,1\n"


def changed(system: str, **update):
    return LAB.system[system].model_copy(update=update)


def test_what_is_not_on_the_cloud_has_nothing():
    for update in ({"state": "planned"}, {"classified": True}, {"migration": "off"}):
        assert demand(LAB, changed("e-license", **update), "primary") is None
        assert demand(LAB, changed("e-license", **update), "dr") is None


def test_policies_decide_what_dr_has():
    warm = demand(LAB, LAB.system["one-window"], "dr")
    assert warm
    assert (warm.servers, warm.volumes, warm.container, warm.peer) == (1, 1, "copy", "primary")
    copied = demand(LAB, LAB.system["e-license"], "dr")
    assert copied
    assert (copied.servers, copied.volumes, copied.container) == (0, 0, "copy")
    assert demand(LAB, LAB.system["open-data"], "dr") is None


def test_retired_keeps_data_and_has_no_servers():
    here = demand(LAB, changed("e-license", state="retired"), "primary")
    assert here
    assert (here.servers, here.volumes, here.container) == (0, 2, "source")


def test_lab_demand_by_region():
    assert len(list(demands(LAB, "primary"))) == 8
    assert len(list(demands(LAB, "dr"))) == 6
