"""Which volume types a region encrypts: no Pulumi resource can make that so, or see it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gaoling.cloud.access import AccessError
from gaoling.cloud.connect import connect


def unencrypted(clouds: Path, cloud: str, types: Iterable[str]) -> list[str]:
    """Return those of `types` that the region has not, or does not encrypt. Raises AccessError."""
    from keystoneauth1 import exceptions as identity
    from openstack import exceptions

    try:
        volumes = connect(clouds, cloud).block_storage
        known = {kind.name: kind.id for kind in volumes.types()}
        return [
            name
            for name in sorted(set(types))
            if name not in known or not volumes.get_type_encryption(known[name]).provider
        ]
    except (exceptions.SDKException, identity.ClientException) as error:
        line = str(error).partition("\n")[0]
        raise AccessError(f"{cloud}: the Block Storage service does not say: {line}") from None
