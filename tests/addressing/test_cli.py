"""`gaoling address` as a network engineer meets it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gaoling.cli.main import app
from tests.addressing.samples import LAB


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LAB, tmp_path / "lab"))


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(city: Path, *arguments: str) -> Done:
    """Run the command in this process: the same code, without the start of Python each time."""
    done = CliRunner().invoke(app, ["--city", str(city), "address", *arguments])
    return Done(done.exit_code, done.stdout, done.stderr)


def add_a_town(city: Path) -> None:
    with (city / "sites.csv").open("a") as file:
        file.write("360202900,新镇,township,town,360202,,,,,\n")


def files(city: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (city / "addresses").iterdir()}


def test_a_lock_that_is_up_to_date_has_no_difference(city: Path):
    done = run(city, "diff")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_plan_is_shown_before_it_is_written(city: Path):
    add_a_town(city)
    before = files(city)
    shown = run(city, "plan")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[-1] == "1 changes; nothing written (--yes writes the lock)"
    assert " 360202/site/360202900 added" in shown.stdout
    assert files(city) == before
    assert run(city, "diff").returncode == 1
    written = run(city, "plan", "--yes")
    assert written.stdout.splitlines()[-1] == "1 changes; written: 360202.txt, index.txt"
    assert run(city, "diff").returncode == 0


def test_explain_says_site_and_use_in_chinese_and_as_json(city: Path):
    done = run(city, "explain", "2001:db8:4400::1")
    assert done.stdout.splitlines()[-1] == "      2001:db8:4400::/48  局域网（西郊街道）"
    found = json.loads(run(city, "explain", "2001:db8:4400::1", "--json").stdout)
    assert (found["owner"], found["use"]) == ("360202001", "lan")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["explain", "here"], 2,
         "gaoling: address: found 'here', expected an IPv6 or IPv4 address"),
        (["explain", "2001:db9::1"], 1, "gaoling: 2001:db9::1 is not of this city's plan"),
        (["free", "mars"], 2, "gaoling: level: found 'mars', expected one of address, county, "
         "gateway, link, loopback, region, site, tenant, village"),
        (["border", "--platform", "zte"], 2, "gaoling: --platform: found 'zte', expected one of "
         "frr, huawei_vrp, huawei_vrpv8, h3c_comware"),
        (["forecast", "--growth", "site"], 2,
         "gaoling: --growth: found 'site', expected level=rate, as site=0.05"),
        (["plan", "--renumber", "police"], 2,
         "gaoling: --reason: found nothing, expected why this is renumbered"),
    ],
)  # fmt: skip
def test_bad_input_is_answered_clearly(city: Path, arguments: list[str], code: int, message: str):
    before = files(city)
    done = run(city, *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (code, message)
    assert files(city) == before


def test_an_edited_lock_stops_every_command(city: Path):
    path = city / "addresses" / "top.txt"
    path.write_text(path.read_text().replace("4000", "5000"))
    for command in (["plan", "--yes"], ["diff"], ["show"], ["explain", "2001:db8::1"], ["free"]):
        done = run(city, *command)
        assert done.returncode == 2
        assert f"{path}:2: found " in done.stderr


def test_renumbering_is_written_with_its_reason(city: Path):
    done = run(city, "plan", "--renumber", "police", "--reason", "moved house", "--yes")
    assert done.returncode == 0
    assert "~ " in done.stdout
    assert "city/site/police renumbered (was 2001:db8:" in done.stdout
    acts = (city / "addresses" / "acts.txt").read_text()
    assert acts.endswith(": moved house\n")
    assert run(city, "diff").returncode == 0


def test_zone_files_are_written(city: Path, tmp_path: Path):
    done = run(city, "zones", "--out", str(tmp_path / "zones"), "--serial", "5")
    assert sorted(Path(line).name for line in done.stdout.splitlines()) == [
        "8.b.d.0.1.0.0.2.ip6.arpa.zone", "lab.example.zone"
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["plan", "show", "diff", "explain", "free", "forecast", "zones",
                                     "border"])  # fmt: skip
def test_every_command_has_help_with_an_example(city: Path, command: str):
    assert "Example" in run(city, command, "--help").stdout


def test_free_ipv4_and_pools_as_json(city: Path):
    assert "10.0.0.0/16" in json.loads(run(city, "free", "--ipv4", "--json").stdout)
    assert {p["kind"] for p in json.loads(run(city, "free", "tenant", "--json").stdout)} == {
        "tenant"
    }
