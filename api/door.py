"""The outermost door: gives every request an id, answers every exception, counts and logs what was answered.

It stands before the framework, so that the hot road passes it too. It knows no route.
"""

import re
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Refusals
from api.logs import log_request, request_id
from api.metrics import Metrics
from database.records import new_id

ROUTE = "gradewatch.route"
"""Key of a scope under which the hot road says which route it is; the framework says it in its own way."""

REFUSED = frozenset({401, 403, 429})  # for who asks, not for what was asked: recorded
GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
QUIET = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines: counted, not logged


class Door:
    """Wraps an application. Nothing reaches the server but broken connections. refused: is told who was not let in."""

    def __init__(self, app: ASGIApp, metrics: Metrics, refused: Callable[[Scope, str, int], None]) -> None:
        self._app = Refusals(app)
        self._metrics = metrics
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, name, status = time.perf_counter(), _id(scope), 0
        header = (b"x-request-id", name.encode())
        request_id.set(name)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], header]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._note(scope, name, status, time.perf_counter() - begun)

    def _note(self, scope: Scope, id: str, status: int, seconds: float) -> None:
        route = str(scope.get(ROUTE) or getattr(scope.get("route"), "path", "unmatched"))
        method = scope["method"] if route != "unmatched" else "ANY"
        self._metrics.request(route, method, status, seconds)
        if status in REFUSED:
            self._refused(scope, f"{method} {route}", status)
        if route not in QUIET:
            log_request(id, method, route, status, seconds)


def _id(scope: Scope) -> str:
    """The id that the caller gave, if it is harmless; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and GIVEN_ID.fullmatch(value):
            return str(value, "ascii")
    return new_id()
