"""What every command needs to know first: which city, which folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gaoling.city import City, read_city

ROOT = Path(__file__).resolve().parents[2]
INVENTORIES = ROOT / "inventories"
DEFAULT_CITY = "jingdezhen"
LAB_CITY = "lab"
_LAB_STATE = Path("/var/lib/gaoling/lab")
_chosen: dict[str, str] = {}


def choose_city(name: str | None) -> None:
    """Remember `--city` for this run, and no earlier one's."""
    _chosen.clear()
    if name:
        _chosen["city"] = name


def city_folder() -> tuple[Path, str]:
    """Return the city's folder and why it was taken: --city, GAOLING_CITY, the running lab, else
    the default."""
    if name := _chosen.get("city"):
        return _folder(name), "--city"
    if name := os.environ.get("GAOLING_CITY"):
        return _folder(name), "GAOLING_CITY"
    if lab_is_up():
        return _folder(LAB_CITY), "the running lab"
    return _folder(DEFAULT_CITY), "default"


def _folder(name: str) -> Path:
    given = Path(name)
    return given if given.is_dir() and "/" in name else INVENTORIES / name


def lab_is_up() -> bool:
    """Return whether a part of the lab runs: its supervisor's socket is there."""
    return any(Path("/run/gaoling").glob("*/supervisor.sock"))


def city(quiet: bool = False) -> City:
    """Return the city; say which on standard error. Raises RegisterError."""
    folder, why = city_folder()
    found = read_city(folder)
    if not quiet:
        print(f"城市 {found.settings.name}（{folder.name}，{why}）", file=sys.stderr)
    return found


def state() -> Path:
    """Return the folder for state: that of the lab (it goes with the lab), /var/lib/gaoling for
    root, else the XDG state folder."""
    if given := os.environ.get("GAOLING_STATE"):
        return Path(given)
    if city_folder()[0] == INVENTORIES / LAB_CITY:
        return _LAB_STATE / "work"
    if os.geteuid() == 0:
        return Path("/var/lib/gaoling")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(base) / "gaoling"


def access(part: str) -> Path:
    """Return the folder with the credentials for a part: `cloud` or `extranet`."""
    base = os.environ.get("GAOLING_ACCESS")
    return (Path(base) if base else _LAB_STATE / "access") / part
