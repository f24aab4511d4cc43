"""What the people of the city look at: Prometheus, and a way to see from a township."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import openstack
import pytest
from openstack.config import OpenStackConfig

PROMETHEUS = "http://127.0.0.1:9090"


def query(expression: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return labels -> value of an instant query; labels without job and instance."""
    url = f"{PROMETHEUS}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(url, timeout=10) as answer:
        data: Any = json.load(answer)
    found = {}
    for series in data["data"]["result"]:
        labels = {
            k: v for k, v in series["metric"].items() if k not in ("__name__", "job", "instance")
        }
        found[tuple(sorted(labels.items()))] = float(series["value"][1])
    return found


def value(expression: str) -> float | None:
    """Return the one value of a query; None when there is no data."""
    found = list(query(expression).values())
    assert len(found) <= 1, f"{expression}: {len(found)} series"
    return found[0] if found else None


def until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until a condition holds; return the seconds it took. Fails naming `what`."""
    start = time.monotonic()
    last: object = None
    while time.monotonic() - start < seconds:
        last = condition()
        if last:
            return time.monotonic() - start
        time.sleep(1)
    pytest.fail(f"not within {seconds:.0f} s: {what} (last: {last!r})")


def connection(region: str = "primary") -> openstack.connection.Connection:
    """Return the administrator's connection to a region."""
    from gaoling.cli import context

    config = OpenStackConfig(
        config_files=[str(context.access("cloud") / "clouds.yaml")], load_envvars=False
    )
    return openstack.connection.Connection(config=config.get_one(cloud=region))


@pytest.fixture(scope="session")
def city_at_work(landing_zones: object, dual_stack: object) -> None:
    """The main job is done, and the exporters have seen both rates since."""
    until(
        lambda: (
            value('gaoling_cloud_adoption_ratio{bound="lower"}')
            and value('gaoling_extranet_access_ratio{level="all",bound="lower"}')
            and (value('gaoling_ipv6_sites_ratio{level="all",bound="lower"}') or 0) > 0.9
        ),
        300,
        "both rates and IPv6 in Prometheus",
    )
