"""No silent loss, on the real cloud: a system is retired, its row goes, its data is given up."""

from __future__ import annotations

import json

import pytest

from tests.cloud.small_city import SYSTEM, WHOLE, small_city

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.pulumi,
    pytest.mark.after_city,
    pytest.mark.timeout(900),
]

RETIRED = {**WHOLE, "server": 0, "port": 0}
HOLDING = ("Container", "Project", "Volume")


@pytest.fixture(scope="module")
def city(landing_zones, tmp_path_factory):
    with small_city(tmp_path_factory.mktemp("keep"), "keep", place=5) as made:
        made.write()
        made.up()
        made.whole()
        made.containers().upload_object(f"{SYSTEM}-objects", "record", data="甲")
        yield made


def data(city):
    """Return what holds data, by id, and the object."""
    held = [one for one in city.there() if one[0] in ("project", "volume", "container")]
    (container,) = [name for kind, name, _ in held if kind == "container"]
    return held, city.containers().download_object("record", container)


def urns(city):
    real = [r["urn"] for r in city.held() if r["custom"]]
    return sorted(urn for urn in real if urn.split("::")[2].endswith(HOLDING))


def test_a_retired_system_loses_its_servers_and_keeps_its_data(city):
    before = data(city)
    city.write(state="retired")
    city.up()
    assert data(city) == before
    assert {k: city.counts().get(k, 0) for k in RETIRED} == RETIRED


def test_a_row_that_goes_takes_nothing_with_it(city):
    before = city.there(), data(city)
    city.write(gone=True)
    said = city.up(code=1)
    assert "3 resources that may hold data would be deleted or replaced" in said
    assert [urn for urn in urns(city) if f"  {urn}\n" in said] == urns(city)
    assert "nothing was changed" in said
    assert (city.there(), data(city)) == before


def test_one_that_is_not_named_keeps_all_of_them(city):
    before = city.there(), data(city)
    first, *others = urns(city)
    named = [word for urn in others for word in ("--allow-delete", urn)]
    said = city.run("up", "--yes", *named, "--reason", "moved to the province", code=1)
    assert f"1 resources that may hold data would be deleted or replaced:\n  {first}\n" in said
    assert (city.there(), data(city)) == before
    assert city.protected() == urns(city)


def test_what_is_named_needs_a_reason(city):
    before = city.there(), data(city)
    named = [word for urn in urns(city) for word in ("--allow-delete", urn)]
    said = city.run("up", "--yes", *named, code=1)
    assert "--allow-delete: found no --reason, expected one; nothing was changed" in said
    assert (city.there(), data(city)) == before


def test_what_is_named_with_a_reason_goes_and_the_journal_keeps_why(city):
    named = [word for urn in urns(city) for word in ("--allow-delete", urn)]
    gone = urns(city)
    city.containers().delete_object("record", container=f"{SYSTEM}-objects")  # by whoever owns it
    (project,) = city.projects()
    said = city.run("up", "--yes", *named, "--reason", "moved to the province")
    assert city.there() == []
    # Neutron's own: Pulumi knows nothing of it, and the project that it was of is gone
    assert f"removed with it: primary: security group default of {project}\n" in said
    # asked for by its project, Neutron would make it anew
    left = [g.id for g in city.api.network.security_groups() if g.project_id == project]
    assert left == []
    lines = (city.state / "journal/cloud.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (sorted(last["gone"]), last["reason"]) == (gone, "moved to the province")


def test_a_volume_for_which_there_was_no_place_is_made_by_the_next_run(city):
    """It is protected, but nothing can be in it: it needs no leave to go."""
    storage = city.api.block_storage
    specs = {"volume_backend_name": "nowhere"}
    kind = storage.find_type("nowhere") or storage.create_type(name="nowhere", extra_specs=specs)
    landing = "\n  volume_type: nowhere\n  volume_types: [{name: nowhere, made_by: cloud}]"
    city.write(state="retired", landing=landing)
    city.up(code=1)
    ((_, _, broken),) = [one for one in city.there() if one[0] == "volume"]
    assert storage.get_volume(broken).status == "error"
    city.write(state="retired")
    never = (
        f"{city.stack}: Volume {SYSTEM}-data-1 {broken} never came to be: "
        "Cinder found no place for it, and nothing is in it: it needs no --allow-delete\n"
    )
    assert city.up().count(never) == 1
    city.whole({part: n for part, n in RETIRED.items() if n})
    ((_, _, made),) = [one for one in city.there() if one[0] == "volume"]
    assert (made != broken, storage.get_volume(made).status) == (True, "available")
    assert city.protected() == urns(city)
    (urn,) = [urn for urn in urns(city) if "Volume::" in urn]
    last = json.loads((city.state / "journal/cloud.jsonl").read_text().splitlines()[-1])
    assert (set(last["gone"]), last["unscheduled"], last["reason"]) == ({urn}, [urn], "")
    storage.delete_type(kind)
