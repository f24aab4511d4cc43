"""The server: pages, deadlines for requests that never end, TLS and basic auth."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import bcrypt
import pytest

import exporters.server as module
from exporters.extranet_sites import ExtranetSites
from exporters.rates import RatesCollector
from exporters.schedule import Schedule
from exporters.webconfig import BasicAuth, WebConfig, WebConfigError, read_web_config

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


@contextlib.contextmanager
def serving(world, config=WebConfig()):  # noqa: B008
    schedule = Schedule(world.context, [ExtranetSites(), RatesCollector()])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = module.server(schedule, config, "127.0.0.1", port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


def get(port, path="/metrics", scheme="http", user=None, context=None):
    request = urllib.request.Request(f"{scheme}://127.0.0.1:{port}{path}")
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    with urllib.request.urlopen(request, timeout=5, context=context) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_metrics_rates_and_health(world):
    with serving(world) as port:
        deadline = time.monotonic() + 5
        while "extranet_access_ratio" not in (page := get(port))[1] and time.monotonic() < deadline:
            world.context.store.all()
            time.sleep(0.1)
        assert page[0] == "text/plain; version=0.0.4; charset=utf-8"
        assert json.loads(get(port, "/healthz")[1]) == {"ok": True, "stuck": []}
        rates = json.loads(get(port, "/rates.json")[1])
        (village,) = [r for r in rates if (r["rate"], r["level"]) == ("extranet-access", "village")]
        assert village["missing"][0]["because"] == "not attached in the register"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(port, "/nothing")


def test_a_request_that_never_ends_is_cut_off(world, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.3)
    with serving(world) as port, socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        slow.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(100) == b""


def test_a_kept_connection_may_ask_again_after_the_deadline(world, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.3)
    with serving(world) as port, socket.create_connection(("127.0.0.1", port)) as kept:
        for _ in range(2):
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += kept.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(0.6)


def test_basic_auth(world):
    with serving(world, WebConfig(users={"prometheus": HASH})) as port:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(port)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(port, user="prometheus:wrong")
        assert "gaoling_exporter_info" in get(port, user="prometheus:secret")[1]


def test_bcrypt_is_asked_once_for_the_same_password(monkeypatch):
    auth = BasicAuth({"prometheus": HASH})
    header = "Basic " + base64.b64encode(b"prometheus:secret").decode()
    assert auth.allows(header)
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: pytest.fail("asked again"))
    assert auth.allows(header)


@pytest.mark.parametrize("header", ["", "Bearer x", "Basic !", "Basic eA==", "Basic //8="])
def test_what_is_no_password(header):
    assert not BasicAuth({"prometheus": HASH}).allows(header)


def test_an_unknown_name_is_refused():
    header = "Basic " + base64.b64encode(b"other:secret").decode()
    assert not BasicAuth({"prometheus": HASH}).allows(header)


@pytest.fixture
def certificate(tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
        f"basic_auth_users: {{prometheus: '{HASH}'}}\n"
    )
    return tmp_path / "web.yml"


def test_tls_by_the_same_file_that_exporter_toolkit_takes(world, certificate):
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "web-config", certificate], check=False,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    trust = ssl.create_default_context(cafile=certificate.parent / "cert.pem")
    with serving(world, read_web_config(certificate)) as port:
        page = get(port, scheme="https", user="prometheus:secret", context=trust)[1]
        assert "gaoling_exporter_info" in page


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("tls_config: {}\n", r"tls_config: unknown, expected one of basic_auth_users, tls_server"),
        ("tls_server_config: {cert_file: a}\n", "expected cert_file and key_file"),
        ("basic_auth_users: {a: secret}\n", "basic_auth_users.a: expected a bcrypt hash"),
        ("tls_server_config: {client_auth_type: Sometimes}\n", "client_auth_type: found 'Someti"),
    ],
)
def test_a_web_config_with_a_fault_names_the_field(tmp_path, text, error):
    path = tmp_path / "web.yml"
    path.write_text(text)
    with pytest.raises(WebConfigError, match=error):
        read_web_config(path)
