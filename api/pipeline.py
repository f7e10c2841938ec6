"""The request pipeline: the steps of every request, in the order in which they stand here, and what is noted after.

An id and a time limit; where it comes from; who asks; then the fast path, or the framework. Each step is decided in a
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
from api.errors import REFUSED_AS, refuse, refused
from api.fast.predict import ROUTE, FastPath, Reply, asked_for
from api.observe.logs import RequestLines
from api.observe.route_templates import UNMATCHED
from api.observe.tracing import Telemetry
from api.request.admission import LIMIT_HEADERS, PRINCIPAL, Admission, address
from api.request.deadlines import CLOSE, Work
from api.request.denied import DeniedRequest
from api.request.headers import REQUEST_HEADERS, Headers, RequestHeaders, with_standard
from api.state import ServiceState
from clock import new_id
from log_lines import request_id
from settings import ECS

REFUSED = frozenset({401, 403, 429})  # for who asks, not for what was asked: recorded
GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})  # the rest are callers' inventions
QUIET = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds by machines: counted, not logged


class WholeRequest:
    """A request that has come whole and is answered without a coroutine. reply: to be called once, with status,
    headers and body."""

    __slots__ = ("answered", "begun", "id", "reply", "scope", "work")
    work: Work

    def __init__(self, scope: Scope, id: str, reply: Callable[[int, Headers, bytes], None]) -> None:
        self.begun = time.perf_counter()
        self.scope = scope
        self.id = id
        self.reply = reply
        self.answered = False


class RequestPipeline:
    """What every request passes on its way to an application; nothing reaches the server but broken connections.

    Before the first request it must be told the service's state (`open`). Requests come as ASGI has them; or, from a
    server that knows of it (`deployment.whole_request`), one row that has come whole is given to `take`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lines = RequestLines()
        self._process = new_id()[:20]
        self._numbers = count(1)

    def open(self, state: ServiceState, telemetry: Telemetry | None) -> None:
        """Let requests in; in the event loop that answers them."""
        self._state = state
        self._lines = RequestLines(ecs=state.settings.log_format == ECS)
        self._telemetry = telemetry
        self._admission = Admission(state)
        self._fast = FastPath(state)
        self._deadlines, self._metrics = state.deadlines, state.metrics
        self._loop = asyncio.get_running_loop()

    @property
    def paths(self) -> frozenset[bytes]:
        """What `take` may be asked for."""
        return self._fast.paths

    def take(self, scope: Scope, body: bytes, reply: Callable[[int, Headers, bytes], None]) -> bool:
        """Take a request that has come whole, to one of `paths`, by the steps that every request takes, and answer
        it once by `reply`, in a later turn of the loop. False, and nothing done, where it is one to be called for."""
        headers = RequestHeaders(scope["headers"])
        if b"origin" in headers.given or not self._fast.takes(body):  # what a page may see is said around this
            return False
        scope[REQUEST_HEADERS] = headers
        request = WholeRequest(scope, self._id(headers), reply)
        request_id.set(request.id)
        request.work = self._deadlines.begin_whole(partial(self._end_whole, request))
        try:
            self._admission.admit(scope, headers)
            self._fast.ask(scope, headers, body, partial(self._answer_whole, request))
        except Exception as error:  # as for every request
            self._loop.call_soon(self._answer_whole, request, error)
        finally:
            request_id.set(None)  # the context is the connection's
        return True

    def _end_whole(self, request: WholeRequest) -> None:
        if request.work.late is not None:
            self._answer_whole(request, request.work.late)

    def _answer_whole(self, request: WholeRequest, answer: Reply | Exception) -> None:
        if request.answered:  # it was late
            return
        request.answered = True
        self._deadlines.end(request.work)
        if isinstance(answer, Exception):
            request_id.set(request.id)
            response = refused(answer, request.scope)
            status, own, body = response.status_code, response.raw_headers, bytes(response.body)
        else:
            status, own, body = 200, answer.headers, answer.body
        request.reply(status, self._headers(own, request.scope, request.id), body)
        self._note(request.scope, request.id, status, request.begun)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._serve(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0
        headers = scope[REQUEST_HEADERS] = RequestHeaders(scope["headers"])
        name = self._id(headers)
        request_id.set(name)
        work = self._deadlines.begin(receive)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers(message["headers"], scope, name)
            await send(message)

        try:
            await self._pass(scope, headers, work, answer)
        except Exception as error:  # whatever it is, the caller gets an answer
            if status:
                raise
            await refuse(error, scope, work.receive, answer)
        finally:
            self._deadlines.end(work)
            self._note(scope, name, status, begun)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is no request: the application's life."""
        try:
            await self._app(scope, receive, send)
        finally:
            self._lines.write()  # the server has answered everyone

    async def _pass(self, scope: Scope, headers: RequestHeaders, work: Work, send: Send) -> None:
        """Where from, who, and then the answer."""
        try:
            self._admission.admit(scope, headers)
            route = self._fast.find(scope, headers)
            if route is None:
                await self._app(scope, work.receive, send)
                return
            reply = await self._fast.answer(route, scope, headers, work.receive)
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.body})
        except asyncio.CancelledError:
            late = self._deadlines.reason(work)
            if late is None:
                raise
            raise late from None

    def _headers(self, own: Headers, scope: Scope, id: str) -> Headers:
        headers = [*with_standard(own, scope), *scope.get(LIMIT_HEADERS, ()), (b"x-request-id", id.encode())]
        if self._deadlines.stopping:
            headers.append(CLOSE)
        return headers

    def _id(self, headers: RequestHeaders) -> str:
        """The id that the caller gave, if it is harmless."""
        given = headers.given.get(b"x-request-id")
        if given is not None and GIVEN_ID.fullmatch(given):
            return str(given, "ascii")
        return f"{self._process}-{next(self._numbers):x}"

    def _note(self, scope: Scope, id: str, status: int, begun: float) -> None:
        seconds = time.perf_counter() - begun
        route = str(scope.get(ROUTE) or getattr(scope.get("route"), "path", None) or asked_for(scope))
        method = scope["method"] if route != UNMATCHED and scope["method"] in METHODS else "ANY"
        self._metrics.request(route, method, status, seconds)
        if error := scope.get(REFUSED_AS):
            self._metrics.refusal(error, status)
        if status in REFUSED:
            actor = scope.get(PRINCIPAL, ANONYMOUS).name
            attempt = DeniedRequest(
                actor, status, scope.get(REFUSED_AS, "refused"), f"{method} {route}", address(scope)
            )
            self._state.denied.note(attempt)
        if route in QUIET:
            return
        if self._telemetry is not None:
            self._telemetry.request(scope, id=id, method=method, route=route, status=status, begun=begun)
        self._lines.add(id, method, route, status, seconds)
