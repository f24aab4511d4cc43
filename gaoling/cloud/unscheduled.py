"""A volume that Cinder never scheduled: it was asked for, and there was no backend for it.

It has an id, so it is in the state, and the next run wants to replace it; it may be protected. As
no backend ever had it, nothing can be in it, and it needs no leave to go. That is taken from Cinder
alone: the status is `error`, nothing is attached, and the host is said to be none (Block Storage
API v3, `os-vol-host-attr:host`; an administrator's field: where it is not shown, nobody knows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gaoling.cloud.settle import entry_of

VOLUME = "openstack:blockstorage/volume:Volume"
HOST = "os-vol-host-attr:host"


def unscheduled(
    urns: Iterable[str],
    rows: Iterable[Mapping[str, Any]],
    connection: Callable[[str], Any],
) -> dict[str, str]:
    """Return those of `urns` that are volumes which Cinder never scheduled: URN -> id.

    `rows` is what the stack's state holds, `connection` gives a connection for an entry of
    clouds.yaml. A volume of which the cloud does not say so is not among them. Raises Unsettled
    for one whose provider is not known, and what the SDK raises when the cloud does not answer.
    """
    held = {str(row["urn"]): dict(row) for row in rows if not row.get("delete")}
    wanted = [held[urn] for urn in urns if urn in held and held[urn]["type"] == VOLUME]
    return {
        row["urn"]: row["id"]
        for row in wanted
        if row.get("id") and _never(connection(entry_of(row, held, {})), row["id"])
    }


def _never(cloud: Any, identity: str) -> bool:
    answer = cloud.block_storage.get(f"/volumes/{identity}")
    volume = answer.json()["volume"] if answer.ok else {}
    return (
        volume.get("status") == "error"
        and volume.get("attachments") == []
        and volume.get(HOST, "not shown") is None
    )
