"""Questions to a service that say whether it is healthy: None, or a short reason why not."""

from __future__ import annotations

import http.client
import socket
import urllib.error
import urllib.request

from lab.openstack.topology import LOOPBACK
from lab.supervise import Ready

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def listening(port: int) -> Ready:
    """Return a probe: does the port accept connections?"""

    def probe() -> str | None:
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                return None
        except OSError as error:
            return f"port {port}: {error.strerror or error}"

    return probe


def answers(url: str) -> Ready:
    """Return a probe: does the URL answer with 200 or 300?"""

    def probe() -> str | None:
        try:
            with _direct.open(url, timeout=5) as answer:
                code = answer.status
        except urllib.error.HTTPError as error:
            code = error.code
        except (OSError, http.client.HTTPException) as error:
            return f"{url}: {getattr(error, 'reason', None) or error}"
        return None if code in (200, 300) else f"{url}: HTTP {code}, expected 200 or 300"

    return probe


def every(*probes: Ready) -> Ready:
    """Return a probe that is content when all are."""

    def probe() -> str | None:
        for each in probes:
            if reason := each():
                return reason
        return None

    return probe
