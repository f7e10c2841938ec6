"""The protocol that writes an answer at once says, byte for byte, what uvicorn's own says to honest callers."""

import asyncio
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deployment.whole_request.protocol import LONGEST_REQUEST_HEAD, PARSED_AT_ONCE, OneWriteProtocol

GET = b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n"
LAST = b"GET %s HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    path = scope["path"]
    chunks = {
        "/short": [b"ab"],
        "/empty": [b""],
        "/long": [b"x" * 3_000_000],
        "/longest": [b"x" * 30_000_000],  # more than sockets hold
        "/chunks": [b"one", b"", b"two" * 50_000],
    }
    parts = chunks[path]
    headers = [] if path == "/chunks" else [(b"content-length", b"%d" % len(parts[0]))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in parts[:-1]:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": parts[-1]})


class Answering:
    """An application that answers some requests without a coroutine, and one of its bodies the common way."""

    paths = frozenset({b"/quick"})

    def __init__(self) -> None:
        self.whole_requests = self

    def take(self, scope, body, reply):
        if body == b"slow":
            return False
        asyncio.get_running_loop().call_soon(reply, 200, [(b"content-length", b"%d" % len(body))], body)
        return True

    async def __call__(self, scope, receive, send):
        message = await receive()
        headers = [(b"content-length", b"%d" % len(message["body"]))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"]})


@contextmanager
def served(protocol: type[HttpToolsProtocol], loop: str) -> Iterator[int]:
    with running(protocol, loop) as (port, _):
        yield port


@contextmanager
def running(
    protocol: type[HttpToolsProtocol], loop: str, app: Any = application, **options: Any
) -> Iterator[tuple[int, uvicorn.Server]]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        options |= {"loop": loop, "lifespan": "off", "log_level": "critical"}
        config = uvicorn.Config(app, http=protocol, **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listening.getsockname()[1], server
        finally:
            server.should_exit = True
            thread.join()


def said(port: int, sent: Sequence[bytes]) -> bytes:
    """Everything that the server says to what is sent, without the time of day."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as caller:
        for part in sent:
            caller.sendall(part)
        received = b"".join(iter(lambda: caller.recv(1 << 20), b""))
    return re.sub(rb"date: [^\r]*", b"date: -", received)


CONVERSATIONS = {
    "one answer": [LAST % b"/short"],
    "no body": [LAST % b"/empty"],
    "a long body": [LAST % b"/long"],
    "a body in chunks": [LAST % b"/chunks"],
    "the head alone": [(LAST % b"/long").replace(b"GET", b"HEAD")],
    "several answers to what came at once": [GET % b"/short" + GET % b"/chunks" + GET % b"/long" + LAST % b"/short"],
    "something that is no HTTP": [b"GARBAGE\r\n\r\n"],
}


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_every_conversation_is_the_one_that_uvicorn_has(loop: str) -> None:
    with served(HttpToolsProtocol, loop) as theirs, served(OneWriteProtocol, loop) as ours:
        for name, sent in CONVERSATIONS.items():
            assert said(ours, sent) == said(theirs, sent), name


def test_head_and_body_arrive_together() -> None:
    with served(OneWriteProtocol, "uvloop") as port, socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(GET % b"/short")
        assert caller.recv(1 << 16).endswith(b"\r\n\r\nab")


def test_a_caller_that_leaves_is_nobody_elses_trouble() -> None:
    with served(OneWriteProtocol, "uvloop") as port:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(GET % b"/long")
        assert said(port, [LAST % b"/short"]).endswith(b"ab")


def is_let_in(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=120).close()
    except OSError:
        return False
    return True


class Patient(OneWriteProtocol):
    """As the service's, on a machine however busy."""

    linger_seconds = 5.0


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_was_let_in_before_the_server_was_told_to_stop_is_answered(loop: str) -> None:
    with running(Patient, loop) as (port, server):
        known, new = (socket.create_connection(("127.0.0.1", port), timeout=120) for _ in range(2))
        with known, new:
            known.sendall(GET % b"/short")
            assert known.recv(1 << 16).endswith(b"ab")
            server.should_exit = True
            while is_let_in(port):
                time.sleep(0.01)
            for caller in (known, new):
                caller.sendall(LAST % b"/short")
                assert b"".join(iter(lambda caller=caller: caller.recv(1 << 16), b"")).endswith(b"ab")


class Impatient(OneWriteProtocol):
    """As the service's, in a hurry."""

    head_seconds = 0.5


@pytest.mark.parametrize("sent", [b"", b"GET /short HT", b"GET /short HTTP/1.1\r\nhost: a\r\n"])
def test_who_sends_no_whole_head_is_not_waited_for_and_who_rests_between_requests_is(sent: bytes) -> None:
    with served(Impatient, "uvloop") as port:
        slow, later, known = (socket.create_connection(("127.0.0.1", port), timeout=120) for _ in range(3))
        with slow, later, known:
            for caller in (later, known):
                caller.sendall(GET % b"/short")
                assert caller.recv(1 << 16).endswith(b"ab")
            slow.sendall(sent)
            later.sendall(sent or b"G")
            assert [slow.recv(1), later.recv(1)] == [b"", b""]
            known.sendall(LAST % b"/short")
            assert b"".join(iter(lambda: known.recv(1 << 16), b"")).endswith(b"ab")


ASK = b"POST /quick HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n%s"


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("asked", [[b"fast"], [b"slow", b"fast"], [b"fast", b"slow"], [b"fast"] * 3])
def test_a_caller_that_rests_after_a_quick_answer_is_let_go_in_the_end(loop: str, asked: list[bytes]) -> None:
    with (
        running(Impatient, loop, Answering(), timeout_keep_alive=1) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=120) as caller,
    ):
        for one in asked:
            caller.sendall(ASK % one)
            assert caller.recv(1 << 16).endswith(one)
        assert caller.recv(1) == b""


def test_quick_and_common_answers_keep_the_order_of_what_came_at_once() -> None:
    with (
        running(OneWriteProtocol, "uvloop", Answering()) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=120) as caller,
    ):
        caller.sendall(b"".join(ASK % one for one in (b"fast", b"slow", b"last", b"slow", b"done")))
        received = b"".join(iter(lambda: caller.recv(1 << 16), b""))
        assert re.findall(rb"\r\n\r\n(....)", received) == [b"fast", b"slow", b"last", b"slow", b"done"]


BOTH = pytest.mark.parametrize("address", [b"/quick", b"/common"])
POST = b"POST %s HTTP/1.1\r\nhost: a\r\n%s\r\n\r\n%s"


class Telling:
    """An application that says which headers and which body came to it, without a coroutine or with one."""

    paths = frozenset({b"/quick"})

    def __init__(self) -> None:
        self.whole_requests = self

    def take(self, scope, body, reply):
        told = self.told(scope, body)
        asyncio.get_running_loop().call_soon(reply, 200, [(b"content-length", b"%d" % len(told))], told)
        return True

    async def __call__(self, scope, receive, send):
        message = {"more_body": True}
        body = b""
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        told = self.told(scope, body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
        await send({"type": "http.response.body", "body": told})

    def told(self, scope, body):
        return json.dumps([*sorted(name.decode() for name, _ in scope["headers"]), body.decode()]).encode()


@pytest.fixture(scope="module")
def telling() -> Iterator[int]:
    with running(OneWriteProtocol, "uvloop", Telling()) as (port, _):
        yield port


def answers(port: int, *sent: bytes) -> list[bytes]:
    """The bodies, or else the first lines, of what is said to it."""
    found = re.findall(rb"HTTP/1.1 (.*?)\r\n(?:.+\r\n)*\r\n(.*?)(?=HTTP/1.1 |$)", said(port, sent))
    return [body if status == b"200 OK" else status for status, body in found]


def is_cut_off(port: int, begun: bytes, more: bytes) -> bool:
    """Whether a caller that sends `more` over and over again, far beyond what sockets hold, is hung up on."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as caller:
        try:
            caller.sendall(begun)
            for _ in range(64_000_000 // len(more)):
                caller.sendall(more)
        except ConnectionError:
            return True
    return False


LINES = b"x-a: %s\r\n" % (b"a" * 900) * 100


@BOTH
@pytest.mark.parametrize("behind", [b"", b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"])
@pytest.mark.parametrize("head", [LINES, LINES.replace(b"\r\n", b"")])
def test_a_head_without_end_is_not_read_to_it_nor_is_what_stands_behind_a_body(
    telling: int, address: bytes, behind: bytes, head: bytes
) -> None:
    assert is_cut_off(telling, b"POST %s HTTP/1.1\r\nhost: a\r\n%sx: y" % (address, behind), head)


def test_an_address_without_end_is_not_read_to_it(telling: int) -> None:
    assert is_cut_off(telling, b"GET /", b"a" * 90_000)


def test_who_sends_too_long_a_head_is_told(telling: int) -> None:
    assert answers(telling, b"GET /", b"a" * LONGEST_REQUEST_HEAD) == [b"400 Bad Request"]


@BOTH
def test_a_body_may_be_longer_than_any_head_however_it_comes(telling: int, address: bytes) -> None:
    body = b"a" * 3 * LONGEST_REQUEST_HEAD
    whole = POST % (address, b"connection: close\r\ncontent-length: %d" % len(body), body)
    (told,) = answers(telling, whole)
    assert json.loads(told)[-1] == body.decode()
    pieces = b"".join(b"%x;%s\r\n%s\r\n" % (1000, b"e" * 100, b"a" * 1000) for _ in range(200)) + b"0\r\n\r\n"
    (told,) = answers(telling, POST % (address, b"connection: close\r\ntransfer-encoding: chunked", b""), pieces)
    assert json.loads(told)[-1] == "a" * 200_000


@BOTH
@pytest.mark.parametrize("close", [b"", b"connection: close\r\n"])
def test_what_stands_behind_a_body_is_no_head(telling: int, address: bytes, close: bytes) -> None:
    body = b"2\r\nab\r\n0\r\nhost: evil\r\nx-api-key: stolen\r\n\r\n"
    first = POST % (address, close + b"transfer-encoding: chunked", body)
    sent = [first] if close else [first, POST % (address, b"connection: close\r\ncontent-length: 0", b"")]
    told = json.loads(answers(telling, *sent)[0])
    assert set(told) == {"host", "transfer-encoding", "ab"} | ({"connection"} if close else set())


ASKS = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ncontent-length: 2"


@BOTH
@pytest.mark.parametrize("cut", [0, 30, -1])
def test_a_request_that_asks_for_another_protocol_keeps_its_body(telling: int, address: bytes, cut: int) -> None:
    asking = POST % (address, ASKS, b"ab")
    last = POST % (address, b"connection: close\r\ncontent-length: 2", b"cd")
    kept = ["connection", "content-length", "host", "http2-settings", "ab"]
    told = answers(telling, asking[:cut], asking[cut:] + asking, last)
    assert [json.loads(one) for one in told] == [kept, kept, ["connection", "content-length", "host", "cd"]]


def test_a_body_of_a_request_that_asks_for_another_protocol_is_no_request(telling: int) -> None:
    hidden = GET % b"/hidden"
    sized = ASKS.replace(b": 2", b": %d" % len(hidden)) + b"\r\nx: y"
    told = answers(telling, POST % (b"/common", sized, b""), hidden, LAST % b"/common")
    assert [json.loads(one)[-1] for one in told] == [hidden.decode(), ""]


def test_very_many_that_ask_for_another_protocol_are_answered_one_by_one(telling: int) -> None:
    asking = POST % (b"/common", ASKS, b"ab")
    told = answers(telling, asking * 1_500, LAST % b"/common")
    assert len(told) == 1_501


def test_this_is_no_proxy(telling: int) -> None:
    assert answers(telling, b"CONNECT b:443 HTTP/1.1\r\nhost: b\r\n\r\n") == [b"400 Bad Request"]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("address", [b"/quick", b"/common"])
def test_whoever_asks_much_and_leaves_makes_no_noise(
    loop: str, address: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    class Late(Telling):
        """Answers when its callers have left."""

        def take(self, scope, body, reply):
            come.release()
            asyncio.get_running_loop().call_later(0.2, super().take, scope, body, reply)
            return True

        async def __call__(self, scope, receive, send):
            come.release()
            await asyncio.sleep(0.2)
            await super().__call__(scope, receive, send)

    come = threading.Semaphore(0)
    with running(OneWriteProtocol, loop, Late()) as (port, _):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), timeout=120) as caller:
                caller.sendall(POST % (address, b"content-length: 2", b"ab") * 3)
                assert come.acquire(timeout=120)  # else nothing of it is read
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert len(answers(port, LAST % b"/common")) == 1
    assert caplog.records == []


class Counting(OneWriteProtocol):
    """As the service's, and knows how many requests had to wait at the most."""

    most = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        Counting.most = max(Counting.most, len(self.pipeline))


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("address", [b"/quick", b"/common"])
def test_who_waits_for_no_answer_gets_every_one_and_is_read_no_faster_than_answered(loop: str, address: bytes) -> None:
    Counting.most = 0
    asked = [b"%04d" % number for number in range(5_000)]
    sent = b"".join(POST % (address, b"content-length: 4", body) for body in asked)
    sent += POST % (address, b"connection: close\r\ncontent-length: 4", b"last")
    with (
        running(Counting, loop, Telling()) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=120) as caller,
    ):
        sender = threading.Thread(target=caller.sendall, args=(sent,))
        sender.start()
        received = b"".join(iter(lambda: caller.recv(1 << 16), b""))
        sender.join()
    assert re.findall(rb'"(....)"]', received) == [*asked, b"last"]
    assert 0 < Counting.most < PARSED_AT_ONCE / 50  # bytes of a request


class Hurried(OneWriteProtocol):
    """As the service's, in a hurry to stop."""

    linger_seconds = 0.01
    last_seconds = 0.2


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_server_that_stops_does_not_wait_for_ever_for_who_reads_no_answer(loop: str) -> None:
    with running(Hurried, loop) as (port, server), socket.create_connection(("127.0.0.1", port), timeout=120) as caller:
        caller.sendall(GET % b"/longest")
        assert caller.recv(1)
        server.should_exit = True
        deadline = time.monotonic() + 120
        while server.server_state.connections and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not server.server_state.connections


def test_a_server_that_stops_waits_for_who_reads_slowly() -> None:
    class Slower(Hurried):
        last_seconds = 2.0

    with (
        running(Slower, "uvloop") as (port, server),
        socket.create_connection(("127.0.0.1", port), timeout=120) as caller,
    ):
        caller.sendall(LAST % b"/longest")
        received = [caller.recv(1)]
        server.should_exit = True
        while part := caller.recv(1_000_000, socket.MSG_WAITALL):
            received.append(part)
            time.sleep(0.1)
        assert b"".join(received).endswith(b"\r\n\r\n" + b"x" * 30_000_000)
