"""`gaoling check` as the officer who keeps the register meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

GAOLING = str(Path(sys.executable).parent / "gaoling")
ROOT = Path(__file__).parents[2]


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GAOLING_")}
    return subprocess.run(
        [GAOLING, *arguments], env={**clean, **env}, capture_output=True, text=True, check=False
    )


def broken(tmp_path: Path) -> Path:
    import shutil

    folder = Path(shutil.copytree(ROOT / "inventories" / "lab", tmp_path / "lab"))
    path = folder / "departments.csv"
    path.write_text(path.read_text() + "police,又一个\n")
    return folder


def test_both_cities_are_whole():
    for city in ("jingdezhen", "lab"):
        assert run("check", "--city", city).returncode == 0


def test_the_first_line_says_which_city_and_why():
    done = run("check", GAOLING_CITY="lab")
    assert done.stderr.splitlines()[0] == "城市 景德镇市（实验）（lab，GAOLING_CITY）"


def test_faults_go_to_standard_error_with_exit_code_two(tmp_path: Path):
    done = run("check", "--city", str(broken(tmp_path)))
    assert done.returncode == 2
    assert done.stdout == ""
    assert (
        "departments.csv:30: id（部门标识）: found 'police', expected each id once" in done.stderr
    )


def test_faults_as_json_for_scripts(tmp_path: Path):
    done = run("check", "--city", str(broken(tmp_path)), "--json")
    assert done.returncode == 2
    (fault,) = json.loads(done.stdout)
    assert (fault["file"], fault["line"], fault["field"]) == ("departments.csv", 30, "id")


def test_an_unknown_city_is_named_without_a_traceback():
    done = run("check", "--city", "atlantis")
    assert done.returncode == 2
    assert "atlantis" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_has_help_with_an_example():
    for command in (["check"], ["doctor"], ["demo"], ["lab", "up"], ["lab", "env"]):
        done = run(*command, "--help")
        assert done.returncode == 0
        assert "Example" in done.stdout, command
