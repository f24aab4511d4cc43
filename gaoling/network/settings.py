"""Where a run finds its city and its keys, for those who come without `gaoling`'s own options."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from gaoling.addressing.lock import read_lock
from gaoling.addressing.plan import Plan, plan_city
from gaoling.city import read_city

ROOT = Path(__file__).resolve().parents[2]
_LAB_SOCKET = Path("/run/gaoling/extranet/supervisor.sock")
_LAB_ACCESS = Path("/var/lib/gaoling/lab/access")


def city_folder(name: str | None = None) -> Path:
    """Return the city's folder: `name`, then GAOLING_CITY, the running lab's, else jingdezhen."""
    name = name or os.environ.get("GAOLING_CITY")
    if not name:
        name = "lab" if _LAB_SOCKET.exists() else "jingdezhen"
    given = Path(name)
    return given.resolve() if "/" in name else ROOT / "inventories" / name


def access_folder() -> Path:
    """Return the folder with ssh_config, key and known_hosts of the extranet."""
    base = os.environ.get("GAOLING_ACCESS")
    return (Path(base) if base else _LAB_ACCESS) / "extranet"


@cache
def load_plan(folder: Path) -> Plan:
    """Return a city's plan, read once a process (Ansible's workers are forks: once a run).

    Raises RegisterError when the register is wrong, LockError when the lock is.
    """
    city = read_city(folder)
    return plan_city(city, read_lock(folder / "addresses"))
