"""The protocol that writes an answer at once says, byte for byte, what uvicorn's own says."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deployment.protocol import OneWriteProtocol

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

    addresses = frozenset({b"/quick"})

    def __init__(self) -> None:
        self.quick = self

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
    with socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
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
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except OSError:
        return False
    return True


class Patient(OneWriteProtocol):
    """As the service's, on a machine however busy."""

    linger_seconds = 5.0


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_was_let_in_before_the_server_was_told_to_stop_is_answered(loop: str) -> None:
    with running(Patient, loop) as (port, server):
        known, new = (socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(2))
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

    head_seconds = 0.2


@pytest.mark.parametrize("sent", [b"", b"GET /short HT", b"GET /short HTTP/1.1\r\nhost: a\r\n"])
def test_who_sends_no_whole_head_is_not_waited_for_and_who_rests_between_requests_is(sent: bytes) -> None:
    with served(Impatient, "uvloop") as port:
        slow, later, known = (socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(3))
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
        socket.create_connection(("127.0.0.1", port), timeout=20) as caller,
    ):
        for one in asked:
            caller.sendall(ASK % one)
            assert caller.recv(1 << 16).endswith(one)
        assert caller.recv(1) == b""


def test_quick_and_common_answers_keep_the_order_of_what_came_at_once() -> None:
    with (
        running(OneWriteProtocol, "uvloop", Answering()) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=20) as caller,
    ):
        caller.sendall(b"".join(ASK % one for one in (b"fast", b"slow", b"last", b"slow", b"done")))
        received = b"".join(iter(lambda: caller.recv(1 << 16), b""))
        assert re.findall(rb"\r\n\r\n(....)", received) == [b"fast", b"slow", b"last", b"slow", b"done"]
