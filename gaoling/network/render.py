"""Render a router's whole configuration from the register and the address plan."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gaoling.addressing.plan import Plan
from gaoling.network.intent import (
    BOTH,
    DEAD,
    HELLO,
    MIN_LS_ARRIVAL_MS,
    RA_INTERVAL,
    RETRANSMIT,
    intent_of,
)

# platforms with a template and an engine; a change names the others and refuses them
TEMPLATES = {"frr": "frr.conf.j2"}


class Unsupported(Exception):
    """A device's platform has no engine yet; the message names device and platform."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (router configuration, not a web page)
    )


def prepare() -> None:
    """Compile the templates: done before Ansible forks, it is done once and not once a device."""
    for template in TEMPLATES.values():
        _environment().get_template(template)


def render(plan: Plan, device: str, families: Collection[int] = BOTH) -> str:
    """Return the whole configuration of a device with these families in service (4, 6).

    Raises Unsupported when its platform has no engine.
    """
    found = plan.city.device[device]
    template = TEMPLATES.get(found.platform)
    if template is None:
        raise Unsupported(
            f"{device}: found platform {found.platform!r}, expected one with an engine: "
            f"{', '.join(TEMPLATES)}"
        )
    return (
        _environment()
        .get_template(template)
        .render(
            intent=intent_of(plan, device),
            v4=4 in families,
            v6=6 in families,
            hello=HELLO,
            dead=DEAD,
            retransmit=RETRANSMIT,
            min_arrival=MIN_LS_ARRIVAL_MS,
            ra_interval=RA_INTERVAL,
        )
    )
