"""The exporter's web server: /metrics, /rates.json (who is missing), /healthz; own deadlines."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporters.rates import as_json, judge
from exporters.schedule import Schedule
from exporters.webconfig import BasicAuth, WebConfig

REQUEST_SECONDS = 10.0  # from the first byte (or the connection) to the end of the answer
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
AT_ONCE = 32

Handler = Callable[[Request], Awaitable[Response]]


def application(schedule: Schedule, config: WebConfig) -> Starlette:
    """Return the web application. It starts and stops the collectors with itself."""
    auth = BasicAuth(config.users) if config.users else None

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            given = request.headers.get("authorization", "")
            if auth and not await run_in_threadpool(auth.allows, given):
                challenge = {"WWW-Authenticate": "Basic"}
                return PlainTextResponse("Unauthorized\n", 401, headers=challenge)
            return await asyncio.wait_for(handler(request), REQUEST_SECONDS)

        return answer

    async def metrics(_: Request) -> Response:
        return Response(schedule.page, media_type=None, headers={"Content-Type": CONTENT_TYPE})

    async def rates(_: Request) -> Response:
        def judged() -> list[dict[str, Any]]:
            return as_json(judge(schedule.context, schedule.context.clock()))

        return JSONResponse(await run_in_threadpool(judged))

    async def healthz(_: Request) -> Response:
        state = schedule.state()
        return JSONResponse(state, 200 if state["ok"] else 503)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        schedule.start()
        yield
        await run_in_threadpool(schedule.stop)

    pages = {"/metrics": metrics, "/rates.json": rates, "/healthz": healthz}
    routes = [Route(path, guarded(page)) for path, page in pages.items()]
    return Starlette(routes=routes, lifespan=life)


class Deadline(H11Protocol):
    """uvicorn waits for ever for a request that is begun and not finished. This does not."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._timer is None:
            self._arm()
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._disarm()  # between requests uvicorn's own keep-alive timer runs
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._timer = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def server(schedule: Schedule, config: WebConfig, host: str, port: int) -> uvicorn.Server:
    """Return the server; its `run` serves until SIGTERM or SIGINT. Raises OSError for TLS files."""
    tls: dict[str, Any] = {}
    if config.cert and config.key:
        tls = {"ssl_certfile": config.cert, "ssl_keyfile": config.key}
    if config.client_ca:
        tls |= {"ssl_ca_certs": str(config.client_ca), "ssl_cert_reqs": config.client_auth}
    settings = uvicorn.Config(
        application(schedule, config),
        host=host,
        port=port,
        http=Deadline,
        ws="none",
        limit_concurrency=AT_ONCE,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
        access_log=False,
        server_header=False,
        log_level="warning",
        **tls,
    )
    settings.load()
    if settings.ssl:
        settings.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return uvicorn.Server(settings)
