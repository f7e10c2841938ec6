"""The HTTP service: `uvicorn api.app:app`. Puts the request pipeline, the probes and the framework together.

Importing this opens nothing and reads no setting; the lifespan of the application does, and closes what it opened.
"""

import asyncio
import contextlib
import os
import sys
import traceback
from asyncio import Future
from collections.abc import AsyncIterator, Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from api.fast.predict import PREFLIGHT, ROUTE
from api.fast.probes import PROBES
from api.observe.sent_metrics import open_sent_metrics
from api.observe.tracing import open_telemetry
from api.pipeline import RequestPipeline
from api.request.deadlines import told_to_stop
from api.state import ServiceState, open_state
from errors import GradewatchError
from log_lines import configure_logs
from settings import ECS, OFF, Settings, told_host

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.request.cors import AdmittedPages

CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["authorization", "content-type", "idempotency-key", "prefer", "x-api-key", "x-request-id"],
    "expose_headers": [
        "location", "preference-applied", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after",
        "x-request-id",
    ],
}  # fmt: skip
"""What an admitted page may send and read. No cookies: who asks is said in a header, by key or token."""


class Service:
    """The application: the pipeline, and behind it what is neither on the fast path nor a probe.

    state: the open parts, for as long as it lives; None before. whole_requests: answers requests that have come whole,
    without a coroutine, under a server that asks for it (`deployment.whole_request`); None where that is switched off.
    """

    def __init__(self, settings: Settings | None) -> None:
        self.state: ServiceState | None = None
        self.whole_requests: RequestPipeline | None = None
        self._pipeline = RequestPipeline(self._answer)
        self._settings = settings
        self._entrance: ASGIApp = self._pipeline
        self._pages: AdmittedPages | None = None
        self._framework: FastAPI | None = None
        self._making: Future[FastAPI] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._entrance(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the pipeline lets through and does not answer itself."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if self._pages is not None and PREFLIGHT in scope:
            scope[ROUTE] = "preflight"
            await self._pages.answer(scope, receive, send)
            return
        if self.state and scope["type"] == "http" and scope["method"] == "GET" and path in PROBES:
            scope[ROUTE] = path
            answer = await PROBES[path](self.state, scope)
            await answer(scope, receive, send)
            return
        framework = self._framework or await self._make_framework()
        await framework(scope, receive, send)

    def framework(self) -> "FastAPI":
        """All other routes, made anew; takes a third of a second the first time."""
        from api.routes.framework import create_framework

        return create_framework(self.state)

    async def _make_framework(self) -> "FastAPI":
        """Makes the framework once, in a thread: predictions go on meanwhile, and a caller who goes away stops
        nothing."""
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self.framework))
        self._framework = await asyncio.shield(self._making)
        return self._framework

    async def _live(self, receive: Receive, send: Send) -> None:
        """The application's life, as ASGI has it: open, serve until told to stop, close."""
        await receive()
        begun = False
        try:
            async with self._open():
                await send({"type": "lifespan.startup.complete"})
                begun = True
                await receive()
        except BaseException as error:
            what = "lifespan.shutdown.failed" if begun else "lifespan.startup.failed"
            told = str(error) if isinstance(error, GradewatchError) else traceback.format_exc()
            await send({"type": what, "message": told})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        configure_logs()
        chosen = self._settings or Settings()
        configure_logs(ecs=chosen.log_format == ECS)
        chosen.require_safe(told_host(sys.argv, os.environ))
        async with open_state(chosen) as state:
            self.state = state
            self._admit_pages(state.origins)
            telemetry = open_telemetry()
            sending = _send_metrics(state)
            self._pipeline.open(state, telemetry)
            self.whole_requests = None if chosen.whole_requests == OFF else self._pipeline
            stop = partial(state.deadlines.stop, chosen.stop_seconds)
            try:
                with told_to_stop(stop, notice_seconds=chosen.notice_seconds):
                    yield
            finally:
                if sending:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
                if telemetry:
                    await asyncio.to_thread(telemetry.close)

    def _admit_pages(self, origins: Collection[str]) -> None:
        """Let browsers show answers to pages of these other sites (CORS), and nobody else's."""
        if origins:
            from api.request.cors import AdmittedPages

            self._entrance = self._pages = AdmittedPages(self._pipeline, allow_origins=list(origins), **CORS)


def _send_metrics(state: ServiceState) -> "asyncio.Task[None] | None":
    """What sends metrics until it is cancelled; None where they go nowhere."""
    if (sent := open_sent_metrics()) is None:
        return None
    from api.routes.prometheus import keep_sending

    return asyncio.create_task(keep_sending(state, sent))


def create_app(settings: Settings | None = None) -> Service:
    """The application; `settings` are read from the environment when it starts, where none are given."""
    return Service(settings)


def __getattr__(name: str) -> Any:
    """`app`, made when a server first asks for it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = app = create_app()
    return app
