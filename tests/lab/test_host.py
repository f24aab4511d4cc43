"""A machine that cannot run the lab is told everything that is wrong, before anything starts."""

import os
import socket
from pathlib import Path

import pytest

from lab import host
from lab.errors import LabError


def test_a_taken_port_names_its_holder():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        (fault,) = host._ports({"keystone": port}, set())
    name = Path("/proc/self/comm").read_text().strip()
    assert (
        fault == f"port {port} for keystone: taken by process {os.getpid()} ({name}); stop it first"
    )


def test_another_distribution_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "os_release", lambda: {"ID": "alma", "PRETTY_NAME": "AlmaLinux 9"})
    with pytest.raises(LabError, match="found AlmaLinux 9, expected Debian 12"):
        host.preflight({}, set())


def test_everything_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "os_release", lambda: {})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(host, "DISK_GB", 10**9)
    with pytest.raises(LabError) as caught:
        host.preflight({}, set())
    text = str(caught.value)
    assert "expected Debian 12" in text
    assert "not root" in text
    assert "GB free, expected at least" in text


def test_os_release_is_read_without_its_quotes(tmp_path: Path):
    (tmp_path / "f").write_text('ID=debian\nVERSION_ID="12"\n\n')
    assert host.os_release(tmp_path / "f") == {"ID": "debian", "VERSION_ID": "12"}
