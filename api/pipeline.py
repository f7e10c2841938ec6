"""The way in: the steps that every request takes, in the order in which they stand here, and what is noted after it.

An id and a time limit; where it comes from; who asks; then the hot road, or the framework. Each step is decided in a
module of its own. They are calls one after the other, not layers one in the other: six layers cost more than scoring.
"""

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from access.roles import ANONYMOUS
from api.admission import PRINCIPAL, TOLD, Admission, address
from api.errors import ERROR, refuse, refused
from api.fast.predict import ROUTE, HotRoad, Reply, asked_for
from api.observe.logs import RequestLines, request_id
from api.observe.metrics import Metrics
from api.observe.route_templates import UNMATCHED
from api.observe.tracing import Telemetry
from api.request.deadlines import CLOSE, Watch, Work
from api.request.denied import Attempt
from api.request.head import HEAD, Head
from api.request.headers import Headers, with_standard
from api.request.origin import check
from api.state import Running
from database.records import new_id

REFUSED = frozenset({401, 403, 429})  # for who asks, not for what was asked: recorded
GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})  # the rest are callers' inventions
QUIET = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines: counted, not logged


class Visit:
    """A request that is answered without a coroutine. reply: to be called once, with its status, headers and body."""

    __slots__ = ("answered", "begun", "id", "reply", "scope", "work")
    work: Work

    def __init__(self, scope: Scope, id: str, reply: Callable[[int, Headers, bytes], None]) -> None:
        self.begun = time.perf_counter()
        self.scope = scope
        self.id = id
        self.reply = reply
        self.answered = False


class Door:
    """The way into an application, step by step; nothing reaches the server but broken connections.

    Before the first request it must be told which service is running (`open`). Requests come as ASGI has them; or, from
    a server that knows of it (`deployment.protocol`), one row that has come whole is given to `take`.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._lines = RequestLines()
        self._metrics = metrics
        self._process = new_id()[:20]
        self._numbers = count(1)

    def open(self, running: Running, telemetry: Telemetry | None) -> Watch:
        """Let requests to `running` in; in its event loop."""
        self._running = running
        self._telemetry = telemetry
        self._admission = Admission(running)
        self._hot = HotRoad(running, self._metrics)
        self._loop = asyncio.get_running_loop()
        self.watch = Watch(running.settings)
        return self.watch

    @property
    def addresses(self) -> frozenset[bytes]:
        """What `take` may be asked for."""
        return self._hot.addresses

    def take(self, scope: Scope, body: bytes, reply: Callable[[int, Headers, bytes], None]) -> bool:
        """Take a request that has come whole, to one of `addresses`, by the steps that every request takes, and answer
        it once by `reply`, in a later turn of the loop. False, and nothing done, where it is one to be called for."""
        head = Head(scope["headers"])
        if b"origin" in head.given or not self._hot.takes(body):  # what a page may see is said around this
            return False
        scope[HEAD] = head
        visit = Visit(scope, self._id(head), reply)
        request_id.set(visit.id)
        visit.work = self.watch.begin_whole(partial(self._end, visit))
        try:
            self._admit(scope, head)
            self._hot.ask(scope, head, body, partial(self._answer, visit))
        except Exception as error:  # as for every request
            self._loop.call_soon(self._answer, visit, error)
        finally:
            request_id.set(None)  # the context is the connection's
        return True

    def _end(self, visit: Visit) -> None:
        if visit.work.late is not None:
            self._answer(visit, visit.work.late)

    def _answer(self, visit: Visit, told: Reply | Exception) -> None:
        if visit.answered:  # it was late
            return
        visit.answered = True
        self.watch.end(visit.work)
        if isinstance(told, Exception):
            request_id.set(visit.id)
            response = refused(told, visit.scope)
            status, own, body = response.status_code, response.raw_headers, bytes(response.body)
        else:
            status, own, body = 200, told.headers, told.body
        visit.reply(status, self._headers(own, visit.scope, visit.id), body)
        self._note(visit.scope, visit.id, status, visit.begun)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._serve(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0
        head = scope[HEAD] = Head(scope["headers"])
        name = self._id(head)
        request_id.set(name)
        work = self.watch.begin(receive)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers(message["headers"], scope, name)
            await send(message)

        try:
            await self._pass(scope, head, work, answer)
        except Exception as error:  # whatever it is, the caller gets an answer
            if status:
                raise
            await refuse(error, scope, work.receive, answer)
        finally:
            self.watch.end(work)
            self._note(scope, name, status, begun)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is no request: the application's life."""
        try:
            await self._app(scope, receive, send)
        finally:
            self._lines.write()  # the server has answered everyone

    async def _pass(self, scope: Scope, head: Head, work: Work, send: Send) -> None:
        """Where from, who, and then the answer."""
        try:
            self._admit(scope, head)
            road = self._hot.find(scope, head)
            if road is None:
                await self._app(scope, work.receive, send)
                return
            reply = await self._hot.answer(road, scope, head, work.receive)
            await send({"type": "http.response.start", "status": 200, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.body})
        except asyncio.CancelledError:
            late = self.watch.reason(work)
            if late is None:
                raise
            raise late from None

    def _admit(self, scope: Scope, head: Head) -> None:
        """Raises where nobody may ask from there, or whoever asks may not, or not now."""
        check(scope["method"], head, self._running.hosts, self._running.origins)
        self._admission.admit(scope, head)

    def _headers(self, own: Headers, scope: Scope, id: str) -> Headers:
        headers = [*with_standard(own, scope), *scope.get(TOLD, ()), (b"x-request-id", id.encode())]
        if self.watch.stopping:
            headers.append(CLOSE)
        return headers

    def _id(self, head: Head) -> str:
        """The id that the caller gave, if it is harmless."""
        given = head.given.get(b"x-request-id")
        if given is not None and GIVEN_ID.fullmatch(given):
            return str(given, "ascii")
        return f"{self._process}-{next(self._numbers):x}"

    def _note(self, scope: Scope, id: str, status: int, begun: float) -> None:
        seconds = time.perf_counter() - begun
        route = str(scope.get(ROUTE) or getattr(scope.get("route"), "path", None) or asked_for(scope))
        method = scope["method"] if route != UNMATCHED and scope["method"] in METHODS else "ANY"
        self._metrics.request(route, method, status, seconds)
        if error := scope.get(ERROR):
            self._metrics.refusal(error, status)
        if status in REFUSED:
            actor = scope.get(PRINCIPAL, ANONYMOUS).name
            attempt = Attempt(actor, status, scope.get(ERROR, "refused"), f"{method} {route}", address(scope))
            self._running.attempts.note(attempt)
        if route in QUIET:
            return
        if self._telemetry is not None:
            self._telemetry.request(scope, id=id, method=method, route=route, status=status, begun=begun)
        self._lines.add(id, method, route, status, seconds)
