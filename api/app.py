"""The HTTP service: `uvicorn api.app:app`. Puts routes, refusals and the hot road together; computes nothing.

Importing this opens nothing and reads no setting; the lifespan of the application does, and closes what it opened.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Collection, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.door import Door
from api.errors import Refusals, handle
from api.logs import configure_logs
from api.metrics import Metrics
from api.openapi import describe
from api.pages import router as pages
from api.routes import access, batches, domains, drift, health, models, outcomes, predictions, retraining, trials
from api.running import open_running
from api.telemetry import open_telemetry
from api.watch import told_to_stop
from settings import Settings, told_host

ROUTERS = (health, access, domains, models, trials, predictions, batches, outcomes, drift, retraining)

CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["authorization", "content-type", "x-api-key", "x-request-id"],
    "expose_headers": [
        "location", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after", "x-request-id",
    ],
}  # fmt: skip
"""What an admitted page may send and read. No cookies: who asks is said in a header, by key or token."""


class Service(FastAPI):
    """FastAPI with the door and the hot road before it: even its own entrance is dearer than a prediction."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.metrics = Metrics()
        self.door = Door(super().__call__, self.metrics)
        self._entrance: ASGIApp = self.door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._entrance(scope, receive, send)

    def methods_at(self, path: str) -> list[str]:
        """What the framework's routes take at an address: those of the first path that fits it."""
        first = next((one.path for one in _routes() if one.path_regex.match(path)), None)
        return [method for one in _routes() if one.path == first for method in sorted(one.methods or ())]

    def admit_pages(self, origins: Collection[str]) -> None:
        """Let browsers show answers to pages of these other sites (CORS), and nobody else's."""
        self._entrance = self.door if not origins else CORSMiddleware(self.door, allow_origins=list(origins), **CORS)


def _routes() -> Iterator[APIRoute]:
    for module in ROUTERS:
        yield from (route for route in module.router.routes if isinstance(route, APIRoute))


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; `settings` are read from the environment when it starts, where none are given."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Service) -> AsyncIterator[None]:
        configure_logs()
        chosen = settings or Settings()
        chosen.require_safe(told_host(sys.argv, os.environ))
        async with open_running(chosen) as running:
            app.state.running = running
            app.admit_pages(running.origins)
            telemetry = open_telemetry()
            stop = partial(app.door.open(running, telemetry).stop, chosen.stop_seconds)
            try:
                with told_to_stop(stop, notice_seconds=chosen.notice_seconds):
                    yield
            finally:
                if telemetry:
                    await asyncio.to_thread(telemetry.close)

    app = Service(title="Gradewatch", version=version("gradewatch"), lifespan=lifespan, docs_url=None, redoc_url=None)

    for module in ROUTERS:
        app.include_router(module.router)
    app.include_router(pages)
    app.add_middleware(Refusals)  # within the framework too, which else answers in words of its own
    app.add_exception_handler(HTTPException, handle)
    app.add_exception_handler(RequestValidationError, handle)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # as FastAPI's manual says
    return app


def __getattr__(name: str) -> Any:
    """`app`, made when a server first asks for it."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = app = create_app()
    return app
