"""Sites, devices and links to a real Nautobot 3 and back, each time with a diff first."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gaoling.city import City, read_city
from gaoling.city.intake import propose
from gaoling.city.nautobot import Exporter, NautobotError, connect, sheets
from gaoling.cli.main import app

LAB = Path(__file__).parents[2] / "inventories" / "lab"
pytestmark = [pytest.mark.slow, pytest.mark.after_whole, pytest.mark.timeout(1800)]


def small() -> City:
    """The city level and one county of the lab: enough of every kind, quick over an API."""
    city = read_city(LAB)
    sites = {s.code for s in city.sites if city.county_of(s) in ("", "360202")}
    devices = {d.name for d in city.devices if d.site in sites}
    return city.model_copy(update={
        "sites": tuple(s for s in city.sites if s.code in sites),
        "devices": tuple(d for d in city.devices if d.name in devices),
        "links": tuple(x for x in city.links if {x.a_device, x.b_device} <= devices),
    })  # fmt: skip


@pytest.fixture(scope="module")
def exported(nautobot):
    """The API after an export, and what the export said before and while it wrote."""
    api = connect(nautobot.url, nautobot.token)
    planned = Exporter(api, small(), write=False).run()
    nothing = api.dcim.devices.count()
    done = Exporter(api, small(), write=True).run()
    return api, planned, nothing, done


def test_the_diff_comes_first_and_writes_nothing(exported):
    _, planned, devices, _ = exported
    assert devices == 0
    assert {"+ dcim.devices core-1", "+ dcim.locations 360202001"} <= {str(s) for s in planned}


def test_what_was_written_is_there(exported):
    api, *_ = exported
    city = small()
    assert api.dcim.devices.count() == len(city.devices)
    assert api.dcim.cables.count() == len(city.links)
    town = api.dcim.locations.get(facility="360202001")
    assert town.parent.display.endswith("昌江区")


def test_a_second_export_has_nothing_to_do(exported):
    assert Exporter(exported[0], small(), write=True).run() == []


def test_what_comes_back_is_what_went_out(exported):
    city = read_city(LAB)
    found = {t: propose(city, t, s, partial=True) for t, s in sheets(exported[0], city).items()}
    assert {t: (p.changes, p.refused) for t, p in found.items()} == {
        "sites": ([], {}), "devices": ([], {}), "links": ([], {})
    }  # fmt: skip
    assert len(sheets(exported[0], city)["links"].rows) == len(small().links)


def test_what_changes_there_is_proposed_here(exported, nautobot, tmp_path: Path):
    api = exported[0]
    town = api.dcim.locations.get(facility="360202001")
    town.update({"name": "西郊街道（新）"})
    folder = Path(shutil.copytree(LAB, tmp_path / "lab"))
    arguments = ["--city", str(folder), "register", "nautobot", "import", "--url", nautobot.url]
    try:
        env = {"NAUTOBOT_TOKEN": nautobot.token}
        shown = CliRunner().invoke(app, arguments, env=env)
        assert shown.stdout.splitlines() == [
            "~ 360202001 name（名称）: '西郊街道' → '西郊街道（新）'",
            "1 changes; nothing written (--yes writes)",
        ]
        assert read_city(folder).site["360202001"].name == "西郊街道"
        CliRunner().invoke(app, [*arguments, "--yes"], env=env)
        assert read_city(folder).site["360202001"].name == "西郊街道（新）"
    finally:
        api.dcim.locations.get(facility="360202001").update({"name": "西郊街道"})


def test_what_changes_here_is_an_update_there(exported):
    city = small()
    device = city.device["core-1"].model_copy(update={"role": "aggregation"})
    other = city.model_copy(update={"devices": (device, *city.devices[1:])})
    steps = Exporter(exported[0], other, write=False).run()
    assert [str(s) for s in steps] == ["~ dcim.devices core-1 role"]


def test_a_wrong_token_is_answered_clearly(nautobot):
    with pytest.raises(NautobotError, match="Invalid token"):
        Exporter(connect(nautobot.url, "1" * 40), small(), write=False).run()


def test_no_nautobot_is_answered_clearly():
    with pytest.raises(NautobotError, match="Nautobot: "):
        Exporter(connect("http://127.0.0.1:9", "1" * 40), small(), write=False).run()
