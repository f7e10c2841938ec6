"""What has come whole is answered without a coroutine: with the bytes, counts and lines of every other way."""

import json
import re
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from access.keys import create_key, revoke_key
from access.records import Grant
from model.workspace import Workspace
from tests.api.serving import ENGAGEMENT, PLAIN, SERVE, Server

ADDRESS = b"/api/v1/engagement/predict"


ROW = json.dumps(ENGAGEMENT).encode()


WRONG = json.dumps(ENGAGEMENT | {"attention": 101, "focus": None}).encode()


KEYLESS = {"GRADEWATCH_RATE_LIMIT": "off"}


LIMITED = {
    "GRADEWATCH_AUTH": "on",
    "GRADEWATCH_TOKEN_SECRET": "a secret for tokens, long enough for tests",
    "GRADEWATCH_RATE_LIMIT": "3/day",
}


def request(body: bytes = ROW, *headers: bytes, address: bytes = ADDRESS, version: bytes = b"1.1") -> bytes:
    sized = any(header.startswith(b"transfer-encoding") for header in headers)
    length = [] if sized else [b"content-length: %d" % len(body)]
    host = [] if any(header.startswith(b"host") for header in headers) else [b"host: 127.0.0.1"]
    lines = [b"POST %s HTTP/%s" % (address, version), *host, b"content-type: application/json", *length, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CHUNKS = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, ROW[:10], len(ROW) - 10, ROW[10:])


CLOSE = b"connection: close"


LAST = request(ROW, CLOSE)


CONVERSATIONS: dict[str, list[bytes]] = {
    "one row": [LAST],
    "an id of the caller's": [request(ROW, b"x-request-id: caller-0001", CLOSE)],
    "a row and another": [request(), LAST],
    "rows one after the other, without waiting": [request() * 5 + LAST],
    "a row among other things": [request() + b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" + request() + LAST],
    "a body in parts": [request()[:-20], request()[-20:] + LAST],
    "a head in parts": [request()[:40], request()[40:] + LAST],
    "a body in chunks": [request(CHUNKS, b"transfer-encoding: chunked") + LAST],
    "a body that may come": [request(ROW, b"expect: 100-continue", CLOSE)],
    "an old caller": [request(version=b"1.0")],
    "a row with problems": [request(WRONG) + LAST],
    "problems as a file": [request(WRONG, b"accept: text/csv", CLOSE)],
    "no JSON": [request(b"{") + LAST],
    "no body": [request(b"") + LAST],
    "a file": [request(b"a,b\n", b"content-type: text/csv", CLOSE)],
    "something compressed": [request(ROW, b"content-encoding: gzip") + LAST],
    "a question": [request(address=ADDRESS + b"?moment=now") + LAST],
    "a question that nobody knows": [request(address=ADDRESS + b"?moment=never") + LAST],
    "an address before": [request(address=b"/predict") + LAST],
    "another method": [request().replace(b"POST", b"PUT") + LAST],
    "another name of ours": [request(ROW, b"host: elsewhere.example", CLOSE)],
    "a page of another site": [request(ROW, b"origin: https://elsewhere.example") + LAST],
    "a page of ours": [request(ROW, b"origin: http://127.0.0.1") + LAST],
    "a proxy": [request(ROW, b"x-forwarded-for: 203.0.113.9") + LAST],
    "a proxy that came by https": [request(ROW, b"x-forwarded-proto: https") + LAST],
    "too many headers": [request(ROW, *[b"x-%d: 1" % number for number in range(100)]) + LAST],
    "a broken chunk": [request(b"zz\r\n", b"transfer-encoding: chunked")],
}


ODD_BODIES = {
    "nothing": b"null", "a list": b"[%s]" % ROW, "many": b"[" * 2_000, "records in records": b'{"a":' * 2_000,
    "a row and more": ROW + b"x", "a mark before": b"\xef\xbb\xbf" + ROW, "UTF-16": ROW.decode().encode("utf-16"),
    "no UTF-8": ROW.replace(b"82", b'"\xff"'), "half a character": ROW.replace(b"82", b'"\\ud800"'),
    "no number": ROW.replace(b"82", b"NaN"), "no end": ROW.replace(b"82", b"-Infinity"),
    "too large a number": ROW.replace(b"82", b"1e400"), "a number without end": ROW.replace(b"82", b"9" * 5_000),
    "a key twice": ROW[:-1] + b',"attention":3}', "a key twice, written otherwise": ROW[:-1] + b',"\\u0061ttention":2}',
    "a key written otherwise": ROW.replace(b'"att', b'"\\u0061tt'), "blanks": ROW + b" " * 65_537,
    "nearly too many blanks": ROW + b" " * (65_536 - len(ROW)),
}  # fmt: skip


ODD_HEADERS = [
    b"origin: null", b"sec-fetch-site: cross-site", b"x-request-id: short", b"x-request-id: " + b"a" * 65,
    b"x-forwarded-for: \xff", b"x-forwarded-for: 203.0.113.9, 198.51.100.1", b"x-forwarded-proto: ftp", b"via: x",
    b"forwarded: for=203.0.113.9", b"content-encoding: identity", b"host: 127.0.0.1:9", b"x-a: " + b"a" * 8_193,
    b"expect: nothing", b"connection: keep-alive", b"te: trailers", b"accept: application/x-ndjson",
    b"content-type: application/json; charset=latin-1", b"content-length: 3", b"x-api-key: gw_nobody",
]  # fmt: skip


ODD_ADDRESSES = [ADDRESS + b"?", ADDRESS + b"?explain=2", ADDRESS + b"/", b"/" + ADDRESS, b"http://127.0.0.1" + ADDRESS,
                 ADDRESS.replace(b"gage", b"%67age"), ADDRESS + b"/batch", b"*"]  # fmt: skip


CONVERSATIONS |= {f"a body: {name}": [request(body) + LAST] for name, body in ODD_BODIES.items()}


CONVERSATIONS |= {f"a header: {header[:30]!r}": [request(ROW, header) + LAST] for header in ODD_HEADERS}


CONVERSATIONS |= {f"an address: {address!r}": [request(ROW, CLOSE, address=address)] for address in ODD_ADDRESSES}


CONVERSATIONS |= {
    f"a method: {name!r}": [LAST.replace(b"POST", name, 1)]
    for name in (b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE", b"BREW", b"post")
}


CHANCE = (
    rb'"id":"[0-9a-f]{32}"|"at":"[^"]+"|date: [^\r]*|x-request-id: [0-9a-f]{20}-[0-9a-f]+|ratelimit-reset: \d+'
    rb"|(?<=retry-after: )\d{3,}"  # until a limit's day ends, which may be a second later for the first of two
)


def said(server: Server, parts: list[bytes]) -> bytes:
    """Everything that a service says to what is sent, without what differs each time."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=120) as caller:
        for number, part in enumerate(parts):
            if number:
                server.get("/health")  # by then the parts before are read
            caller.sendall(part)
        received = b"".join(iter(lambda: caller.recv(1 << 16), b""))
    return re.sub(CHANCE, b"-", received)


@pytest.fixture(scope="module")
def both(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """The service as users start it, and as any ASGI application."""
    with ExitStack() as stack:
        yield both_started(stack, trained, tmp_path_factory.mktemp("both"), KEYLESS)


def is_up(server: Server) -> bool:
    return server.client.get("/health").status_code < 500


def both_started(stack: ExitStack, trained: Path, folder: Path, settings: dict[str, str]) -> tuple[Server, Server]:
    """Over copies of one installation."""
    servers = []
    for name, command in (("quick", SERVE), ("plain", (*PLAIN, "--no-server-header"))):
        servers.append(Server(Path(shutil.copytree(trained, folder / name)), settings, command))
        stack.callback(servers[-1].stop)
    for server in servers:
        server.until(partial(is_up, server))
    return servers[0], servers[1]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_every_conversation_is_the_same_either_way(both: tuple[Server, Server], name: str) -> None:
    quick, plain = (said(server, CONVERSATIONS[name]) for server in both)
    assert quick == plain
    assert quick.startswith(b"HTTP/1.1 ")


def counts(server: Server) -> list[str]:
    """What the service counted of requests and predictions."""
    counted = ("gradewatch_requests_total", "gradewatch_predictions_total", "gradewatch_refused_total")
    found = [line for line in server.client.get("/metrics").text.splitlines() if line.startswith(counted)]
    return sorted(line for line in found if "/health" not in line and "/metrics" not in line)


def lines(server: Server) -> list[dict[str, object]]:
    """The service's log of predictions asked for, without what differs each time."""
    found = [json.loads(line) for line in server.words().splitlines() if line.startswith("{")]
    return [{k: v for k, v in one.items() if k not in {"at", "ms", "request"}} for one in found if "route" in one]


def written(server: Server, word: str) -> list[str]:
    """Every line of `lines`, in some order, once the last that was asked for stands there."""
    server.client.get("/api/v1/domains", headers={"x-request-id": word})
    server.until(lambda: word in server.words())
    return sorted(json.dumps(line) for line in lines(server))


def test_counts_and_log_lines_are_the_same_either_way(both: tuple[Server, Server]) -> None:
    quick, plain = both
    for server in both:
        for parts in CONVERSATIONS.values():
            said(server, parts)
    assert written(quick, "the-last-one") == written(plain, "the-last-one")
    assert counts(quick) == counts(plain) != []


def keys(workspace: Workspace) -> dict[str, bytes]:
    """A key of every kind."""
    grants: dict[str, tuple[Grant, dict[str, Any]]] = {
        "a teacher's": (Grant(role="teacher"), {}),
        "a viewer's": (Grant(role="viewer"), {}),
        "of little": (Grant(role="teacher"), {"rate": "2/day"}),
        "of another domain": (Grant(role="teacher", domains=("school",)), {}),
        "of a group": (Grant(role="teacher", domains=("engagement",), groups=("7b",)), {}),
        "of the past": (Grant(role="teacher"), {"lifetime": -timedelta(days=1)}),
        "revoked": (Grant(role="teacher"), {}),
    }
    made = {
        name: create_key(workspace.store, f"key{number}", grant, domains=workspace.schemas, actor="test", **how)[
            1
        ].encode()
        for number, (name, (grant, how)) in enumerate(grants.items())
    }
    revoke_key(workspace.store, f"key{list(grants).index('revoked')}", actor="test")
    return made | {"nobody's": b"gw_nobody", "none": b"", "no ASCII": b"gw_\xff"}


def test_whoever_asks_is_told_counted_and_recorded_the_same_either_way(
    workspace: Workspace, installation: Path, tmp_path: Path
) -> None:
    shown = keys(workspace)
    good = b"x-api-key: " + shown["a teacher's"]
    carriers = {
        f"{name}, {word!r}": [word + key]
        for name, key in shown.items()
        for word in (b"x-api-key: ", b"authorization: Bearer ")
    }
    carriers |= {"twice": [good, good], "in both": [good, b"authorization: Bearer " + shown["a teacher's"]]}
    with ExitStack() as stack:
        both = both_started(stack, installation, tmp_path, LIMITED)
        for name, headers in carriers.items():
            quick, plain = (
                said(server, [request(ROW, *headers) * 2 + request(ROW, *headers, CLOSE)]) for server in both
            )
            assert quick == plain, name
            assert quick.startswith(b"HTTP/1.1 "), name
    kept = []
    for server in both:
        with server.store() as store:
            refused = [(one.actor, one.details) for one in store.accesses(action="refused", limit=1_000)]
            asked = sorted(str(one.actor) for one in store.predictions("engagement"))
        told: Counter[tuple[str, ...]] = Counter()
        for actor, about in refused:
            told[actor, str(about["status"]), str(about["reason"]), str(about["route"])] += int(str(about["count"]))
        kept.append((told, asked))
    assert kept[0] == kept[1]
    assert all(kept[0])
