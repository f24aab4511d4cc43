"""A pair of containers that Swift keeps in step: its key, its target, and how keys are compared."""

from __future__ import annotations

import hashlib
import hmac


def key(secret: str, project: str, container: str) -> str:
    """Return the pair's own key: a keyed hash of the project's and the container's name."""
    name = f"{project}/{container}".encode()
    return hmac.new(secret.encode(), name, hashlib.sha256).hexdigest()


def target(realm: str, cluster: str, project_id: str, container: str) -> str:
    """Return where a container syncs to, as Swift writes it."""
    return f"//{realm}/{cluster}/AUTH_{project_id}/{container}"


def digest(value: str) -> str:
    """Return what may be shown of a key: enough to tell two apart, nothing to use; "" of none."""
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}" if value else ""
