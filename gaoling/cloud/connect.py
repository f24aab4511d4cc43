"""A connection to a region through openstacksdk: the one way this room makes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SECONDS = 30  # an API that is silent that long does not answer


def connect(clouds: Path, entry: str, seconds: float = SECONDS) -> Any:
    """Return an openstack.connection.Connection for an entry of that clouds.yaml and no other.

    `seconds` bounds each API call. Nothing is asked of the cloud before the first use. Raises
    openstack.exceptions.ConfigException when there is no such entry.
    """
    import openstack.connection
    from openstack.config import OpenStackConfig

    # the file that was named, and no other that lies about
    config = OpenStackConfig(
        config_files=[str(clouds)], secure_files=[], vendor_files=[], load_envvars=False
    )
    region = config.get_one(cloud=entry, api_timeout=seconds)
    return openstack.connection.Connection(config=region)
