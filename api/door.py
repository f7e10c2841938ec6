"""The outermost door: gives every request an id, answers every exception, counts and logs what was answered.

It stands before the framework, so that the hot road passes it too. It knows no route.
"""

import re
import time
from collections.abc import Callable
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission import TOLD
from api.errors import ERROR, refuse
from api.headers import with_standard
from api.logs import RequestLines, request_id
from api.metrics import Metrics
from api.telemetry import Telemetry
from database.records import new_id

ROUTE = "gradewatch.route"
"""Key of a scope under which the hot road says which route it is; the framework says it in its own way."""

REFUSED = frozenset({401, 403, 429})  # for who asks, not for what was asked: recorded
GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
QUIET = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines: counted, not logged


class Door:
    """Wraps an application. Nothing reaches the server but broken connections. refused: is told who was not let in."""

    def __init__(self, app: ASGIApp, metrics: Metrics, refused: Callable[[Scope, str, int], None]) -> None:
        self._app = app
        self._lines = RequestLines()
        self._metrics = metrics
        self._refused = refused
        self._process = new_id()[:20]
        self._numbers = count(1)
        self.telemetry: Telemetry | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            try:
                await self._app(scope, receive, send)
            finally:
                self._lines.write()  # the server has answered everyone
            return
        begun, name, status = time.perf_counter(), _given_id(scope) or f"{self._process}-{next(self._numbers):x}", 0
        header = (b"x-request-id", name.encode())
        request_id.set(name)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*with_standard(message["headers"], scope), *scope.get(TOLD, ()), header]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # whatever it is, the caller gets an answer
            if status:
                raise
            await refuse(error, scope, receive, watched)
        finally:
            self._note(scope, name, status, begun)

    def _note(self, scope: Scope, id: str, status: int, begun: float) -> None:
        seconds = time.perf_counter() - begun
        route = str(scope.get(ROUTE) or getattr(scope.get("route"), "path", "unmatched"))
        method = scope["method"] if route != "unmatched" else "ANY"
        self._metrics.request(route, method, status, seconds)
        if error := scope.get(ERROR):
            self._metrics.refusal(error, status)
        if status in REFUSED:
            self._refused(scope, f"{method} {route}", status)
        if route in QUIET:
            return
        if self.telemetry is not None:
            self.telemetry.request(scope, id=id, method=method, route=route, status=status, begun=begun)
        self._lines.add(id, method, route, status, seconds)


def _given_id(scope: Scope) -> str | None:
    """The id that the caller gave, if it is harmless."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and GIVEN_ID.fullmatch(value):
            return str(value, "ascii")
    return None
