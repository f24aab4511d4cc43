"""TLS and basic auth as Prometheus's exporter-toolkit configures them (`--web.config.file`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
import yaml

MOST_CACHED = 100
# of an account that nobody has: an unknown name costs the same time as a known one
_NOBODY = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
_CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_OPTIONAL,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class WebConfigError(Exception):
    """The file cannot be used; the message names the field, what was found and expected."""


@dataclass(frozen=True)
class WebConfig:
    """How the page is served: plain when nothing is set."""

    users: Mapping[str, str] = field(default_factory=dict)
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    client_auth: ssl.VerifyMode = ssl.CERT_NONE


def read_web_config(path: Path) -> WebConfig:
    """Return the configuration of a file. Raises WebConfigError; unknown fields are errors too."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise WebConfigError(f"{path}: {error}") from None
    _only(path, "", data, {"tls_server_config", "basic_auth_users"})
    tls = data.get("tls_server_config") or {}
    names = {"cert_file", "key_file", "client_ca_file", "client_auth_type"}
    _only(path, "tls_server_config.", tls, names)
    auth = tls.get("client_auth_type", "")
    if auth not in _CLIENT_AUTH:
        known = ", ".join(n for n in _CLIENT_AUTH if n)
        raise WebConfigError(f"{path}: client_auth_type: found {auth!r}, expected one of {known}")

    def file(name: str) -> Path | None:
        # as in the toolkit: relative to the configuration's own folder
        return path.parent / tls[name] if tls.get(name) else None

    if tls and not (file("cert_file") and file("key_file")):
        raise WebConfigError(f"{path}: tls_server_config: expected cert_file and key_file")
    users = data.get("basic_auth_users") or {}
    for name, hashed in users.items():
        if not str(hashed).startswith("$2"):
            raise WebConfigError(f"{path}: basic_auth_users.{name}: expected a bcrypt hash")
    return WebConfig(
        {str(k): str(v) for k, v in users.items()},
        file("cert_file"),
        file("key_file"),
        file("client_ca_file"),
        _CLIENT_AUTH[auth],
    )


def _only(path: Path, where: str, data: Any, names: set[str]) -> None:
    if not isinstance(data, dict):
        raise WebConfigError(f"{path}: {where or 'file'}: expected a mapping")
    for name in data:
        if name not in names:
            expected = ", ".join(sorted(names))
            raise WebConfigError(f"{path}: {where}{name}: unknown, expected one of {expected}")


class BasicAuth:
    """Checks `Authorization` headers; what bcrypt said once is remembered, as in the toolkit."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users
        self._said: dict[bytes, bool] = {}
        self._lock = threading.Lock()

    def allows(self, header: str) -> bool:
        """Return whether a header holds a name and its password. Slow (bcrypt) the first time."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        if not colon:
            return False
        known = name in self._users
        hashed = self._users.get(name, _NOBODY)
        key = hashlib.sha256("\0".join([name, hashed, password]).encode()).digest()
        with self._lock:  # one at a time: guesses shall not take all cores
            if key not in self._said:
                if len(self._said) >= MOST_CACHED:
                    self._said.clear()
                self._said[key] = _matches(password, hashed)
            return self._said[key] and known


def _matches(password: str, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:72], hashed.encode())
    except ValueError:
        return False
