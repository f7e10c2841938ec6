"""uvicorn's HTTP protocol with two short cuts for what takes nearly all requests, and bounds for what is no honest one.

uvicorn writes an answer's head and body one after the other, and the event loop sends each by itself: two system calls
and two packets for every answer. Here they leave together. And a request that has come whole, to an address that the
application can answer without a coroutine, is handed to it as it is (`WholeRequests`): a task, an event and a timer for
each request cost half as much as its prediction. It decides nothing about a request but which of the two ways it goes.

uvicorn with httptools also reads heads of any length, takes what stands behind a body for the head's, and loses the
body of a request that asks for another protocol (or reads it as the next request); it reads on from callers who do not
wait for answers, and waits for ever for those who do not read them. Here none of this is so.
"""

import asyncio
from collections.abc import Callable, Container, Sequence, Sized
from copy import copy
from functools import partial
from typing import Any, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

AnswerHeaders = Sequence[tuple[bytes, bytes]]
Reply = Callable[[int, AnswerHeaders, bytes], None]
"""Takes an answer: status, headers with the body's length among them, body."""

LONGEST_REQUEST_HEAD = 65_536  # bytes
TOO_LONG = f"The head of a request may have {LONGEST_REQUEST_HEAD:,} bytes."
NOT_HTTP = "Invalid HTTP request received."
PARSED_AT_ONCE = 8_192  # bytes parsed before a look whether requests in them must wait: each that does takes 5 kB
CLOSE = (b"connection", b"close")
PROXY = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
"""What a proxy adds, which uvicorn reads before the application is asked."""


class WholeRequests(Protocol):
    """What an application gives as its `whole_requests`, where it can answer some requests without a coroutine."""

    @property
    def paths(self) -> Container[bytes]:
        """Those that may be answered so, as they stand in a request, where nothing but POST is asked."""

    def take(self, scope: dict[str, Any], body: bytes, reply: Reply) -> bool:
        """Answer a request once, by `reply`, after this has returned; or False, and nothing done: then it goes the way
        of all requests."""


class OneWrite:
    """A transport that sends what is written within one turn of the event loop together, in order; else the one in it.

    What is written is held until the turn ends, or the transport is asked to close; to a caller that has gone, nothing.
    unread_seconds: after which a closing one that its caller reads nothing from is cut off.
    """

    unread_seconds = 20.0

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def write_whole(self, data: bytes) -> None:
        """Write what nothing belongs to, after what is held."""
        if self._held:
            self._held.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._send()
        self._transport.close()
        self._wait_for_reader(None)

    def _wait_for_reader(self, before: int | None) -> None:
        left = self._transport.get_write_buffer_size()
        if left and left == before:
            self._transport.abort()
        elif left:
            self._loop.call_later(self.unread_seconds, self._wait_for_reader, left)

    def _send(self) -> None:
        held, self._held = self._held, []
        if held and not self.is_closing():
            self._transport.writelines(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Unheard:
    """An event that nobody waits for."""

    def set(self) -> None:
        """Nothing follows."""


class _Answer:
    """The answer to a whole request. To uvicorn's protocol, which reads the attributes, it is one of its cycles."""

    __slots__ = ("_protocol", "disconnected", "keep_alive", "response_complete")
    message_event = _Unheard()

    def __init__(self, protocol: "OneWriteProtocol") -> None:
        self._protocol = protocol
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def reply(self, status: int, headers: AnswerHeaders, body: bytes) -> None:
        """Send the answer, unless the caller has gone."""
        protocol = self._protocol
        if self.disconnected or protocol.one_write.is_closing():
            return
        parts = [STATUS_LINE[status]]
        for name, value in (*protocol.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        last = CLOSE in headers
        if not (self.keep_alive or last):
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        protocol.one_write.write_whole(b"".join(parts))
        self.response_complete = True
        if last or not self.keep_alive:
            protocol.one_write.close()
        protocol.rest()


class _Flow(FlowControl):
    """Reads on when nothing that was read waits for its turn. waiting: requests that do; unread: what came after them;
    read: reads that."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized, unread: Sized, read: Callable[[], object]) -> None:
        super().__init__(transport)
        self._waiting, self._unread, self._read = waiting, unread, read

    def resume_reading(self) -> None:
        if not self.read_paused or self._waiting:
            return
        if self._unread:
            self._read()
        else:
            super().resume_reading()


class OneWriteProtocol(HttpToolsProtocol):
    """Give this to uvicorn as its `http`.

    linger_seconds: for which a connection without a request stays open when the worker stops. One may be on its way: a
    caller that has just connected would be reset, whom another worker of the address could have answered.
    head_seconds: after once to twice which a connection is closed that has sent no whole head of a request; uvicorn
    waits for ever, and connections are numbered.
    last_seconds: for which a caller may read nothing of its answer when the worker stops.
    """

    linger_seconds = 0.5
    head_seconds = 15.0
    last_seconds = 3.0

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        inner = self.app.app if isinstance(self.app, ProxyHeadersMiddleware) else self.app
        self._whole: WholeRequests | None = None if self.root_path else getattr(inner, "whole_requests", None)
        self._held: list[bytes] | None = None
        self._unread: list[bytes | memoryview] = []  # of what came, the last first
        self._head_bytes = 0  # that came since a request ended, or a piece of its body
        self._resting = 0.0  # when the last such answer was given, until more comes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.one_write = OneWrite(transport, self.loop)
        self.flow = _Flow(transport, self.pipeline, self._unread, partial(self.loop.call_soon, self._read_on))
        self.transport = self.one_write  # type: ignore[assignment]
        self._next_look = self.loop.call_later(self.head_seconds, self._look, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self, before: object) -> None:
        """Close a connection that has waited for the same head since the look before, or rested too long."""
        left = self.head_seconds
        if self._resting:
            left = self._resting + self.timeout_keep_alive - self.loop.time()
        answered = self.cycle is None or self.cycle.response_complete
        waiting = answered and not self._resting and self.timeout_keep_alive_task is None  # the first byte ends a rest
        if left <= 0 or (waiting and before is self.cycle):
            self.transport.close()
            left = self.head_seconds
        pause = min(self.head_seconds, left)
        self._next_look = self.loop.call_later(pause, self._look, self.cycle if waiting else self)

    def shutdown(self) -> None:
        self.one_write.unread_seconds = self.last_seconds
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(self.linger_seconds, super().shutdown)
        else:
            super().shutdown()

    def rest(self) -> None:
        """What uvicorn does when an answer is complete, but without a timer for each: an answer notes when it was, and
        the next look at the connection, how long ago that is."""
        if self.pipeline or self.one_write.is_closing():
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._resting = self.loop.time()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        self._unread.append(data)
        self._read()

    def _read_on(self) -> None:
        """Read what came behind requests that had to wait, and now do not."""
        if self.parser is not None:
            self._read()
            if self.cycle is None or self.cycle.response_complete:
                self.flow.resume_reading()

    def _read(self) -> None:
        self._resting = 0.0
        self._unset_keepalive_if_required()
        while self._unread and not self.pipeline:
            self._parse(self._unread.pop())
        if self._held is not None:
            self._go_on()  # the rest of the body is still on its way
        if self._head_bytes > LONGEST_REQUEST_HEAD and not self._unread:
            self._refuse(TOO_LONG)

    def _parse(self, part: bytes | memoryview) -> None:
        if len(part) > PARSED_AT_ONCE:
            whole = memoryview(part)
            self._unread.append(whole[PARSED_AT_ONCE:])
            part = whole[:PARSED_AT_ONCE]
        try:
            self.parser.feed_data(part)
        except HttpParserError:
            self._refuse(NOT_HTTP)
        except HttpParserUpgrade as asked:  # the parser leaves what comes behind that head to the other protocol
            self._unread += [memoryview(part)[asked.args[0] :], self._begin_again()]

    def _begin_again(self) -> bytes:
        """The head that has just come, without asking for another protocol (RFC 9110, 7.8); to be read once more."""
        parser, self.parser = self.parser, HttpRequestParser(self)
        head = [b"%s %s HTTP/%s" % (parser.get_method(), self.url, parser.get_http_version().encode())]
        head += [b"%s: %s" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*head, b"", b""])

    def _refuse(self, words: str) -> None:
        self._head_bytes = 0
        self._unread.clear()
        self.logger.warning(words)
        self.send_400_response(words)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():  # it is read again, without asking for that
            if self.parser.get_method() == b"CONNECT":
                raise HttpParserError("this is no proxy")
            return
        if self._whole is not None and self.url in self._whole.paths and self._may_come_whole():
            self._held = []
        else:
            super().on_headers_complete()
        self.headers = []  # what stands behind a body is no head

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        if self.parser.should_upgrade():
            return
        if self._held is not None:
            if self._take(b"".join(self._held)):
                self._held = None
                return
            self._go_on()
        super().on_message_complete()

    def _may_come_whole(self) -> bool:
        """Whether uvicorn would call the application with this request at once, and then wait for the next."""
        parser, limit = self.parser, self.limit_concurrency
        return (
            parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and not self.expect_100_continue
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and (limit is None or (len(self.connections) < limit and len(self.tasks) < limit))
        )

    def _take(self, body: bytes) -> bool:
        """Whether the application answers what has come whole."""
        path = self.url.decode("ascii")
        scope: dict[str, Any] = {
            **self.scope,
            "method": "POST",
            "path": path,
            "raw_path": self.url,
            "query_string": b"",
        }
        named = [name for name, _ in scope["headers"]]
        if isinstance(self.app, ProxyHeadersMiddleware) and not PROXY.isdisjoint(named):
            _believe_proxy(self.app, scope)
        before, answer = self.cycle, _Answer(self)
        self.cycle = answer  # type: ignore[assignment]
        if self._whole is not None and self._whole.take(scope, body, answer.reply):
            return True
        self.cycle = before
        return False

    def _go_on(self) -> None:
        """The way of all requests, from where the head had been read."""
        held, self._held = self._held, None
        super().on_headers_complete()
        for body in held or ():
            super().on_body(body)


def _believe_proxy(middleware: ProxyHeadersMiddleware, scope: Any) -> None:
    """Let uvicorn write into `scope` what a proxy says of its caller, where the proxy is one to believe."""
    alone = copy(middleware)
    alone.app = _nothing
    try:
        alone(scope, _nothing, _nothing).send(None)  # type: ignore[arg-type]
    except StopIteration:
        return
    raise RuntimeError("uvicorn's look at proxy headers waits for something")


async def _nothing(*_: Any) -> None:
    """An application that answers nothing."""
