"""A proxy before the cloud's real services that makes chosen requests go wrong.

It listens on a port for each service and puts its own addresses into what the services answer, so
that whoever takes the catalogue from it comes back to it. A fault names which request it meets (the
n-th of a method and a pattern of its path) and what becomes of it. Everything else goes through.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP = ("connection", "content-length", "transfer-encoding", "keep-alive", "accept-encoding", "host")


@dataclass
class Fault:
    """What becomes of the `first`-th matching request, and of the `times`-1 after it.

    `code` is answered in place of the service; 0 cuts the connection. `after` lets the service do
    its work first: only its answer is lost. `hold` keeps the client waiting for so many seconds.
    """

    method: str
    path: str
    code: int = 500
    message: str = "injected"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False
    hold: float = 0.0
    first: int = 1
    times: int = 1
    seen: int = 0

    def meets(self, method: str, path: str) -> bool:
        if method != self.method or not re.search(self.path, path):
            return False
        self.seen += 1
        return self.first <= self.seen < self.first + self.times

    @property
    def met(self) -> bool:
        return self.seen >= self.first


class Proxy:
    """The proxy: `ports` gives its port for each of the services'."""

    def __init__(self, upstream: list[int]) -> None:
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, int]] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._servers = {port: self._listen(port) for port in upstream}
        self.ports = {port: server.server_port for port, server in self._servers.items()}

    def _listen(self, upstream: int) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"proxy": self, "upstream": upstream})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def close(self) -> None:
        self.closing.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    @contextmanager
    def fault(self, method: str, path: str, **about: Any) -> Iterator[Fault]:
        """Let a request go wrong for as long as this lasts."""
        made = Fault(method, path, **about)
        self.faults.append(made)
        try:
            yield made
        finally:
            self.faults.remove(made)

    def chosen(self, method: str, path: str) -> Fault | None:
        with self._lock:
            return next((f for f in self.faults if f.meets(method, path)), None)

    def outside(self, text: str) -> str:
        """Return a text of a service with the proxy's addresses in place of the services'."""
        for port, mine in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{mine}")
        return text


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    upstream: int
    protocol_version = "HTTP/1.1"
    timeout = 120

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.chosen(self.command, self.path)
        if fault is None or fault.after:
            try:
                answer = self._forward(body)
            except (OSError, http.client.HTTPException):  # the service is down: so are we
                self._cut()
                return
        if fault is None:
            self._answer(*answer)
            return
        end = time.monotonic() + fault.hold
        while time.monotonic() < end and not self.proxy.closing.is_set():
            time.sleep(0.05)
        if not fault.code:
            self._cut()
            return
        said = {"NeutronError": {"type": "Injected", "message": fault.message, "detail": ""}}
        headers = {"Content-Type": "application/json", **fault.headers}
        self._answer(fault.code, headers, json.dumps(said).encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _any  # noqa: N815

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=120)
        sent = {k: v for k, v in self.headers.items() if k.lower() not in HOP}
        connection.request(self.command, self.path, body or None, sent)
        answer = connection.getresponse()
        content = answer.read()
        headers = {k: self.proxy.outside(v) for k, v in answer.getheaders() if k.lower() not in HOP}
        if "json" in headers.get("Content-Type", "") or "json" in headers.get("content-type", ""):
            content = self.proxy.outside(content.decode()).encode()
        if self.command == "HEAD":
            headers["Content-Length"] = answer.getheader("Content-Length") or "0"
        connection.close()
        return answer.status, headers, content

    def _answer(self, code: int, headers: Mapping[str, str], content: bytes) -> None:
        self.proxy.requests.append((self.command, self.path, code))
        self.send_response_only(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD" and code not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and code not in (204, 304):
            with suppress(ConnectionError):  # who was kept waiting may have been killed meanwhile
                self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: the test looks at `requests`."""
