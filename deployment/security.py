"""A smoke test of a running service's safety, from outside: what anyone who reaches its address could find.

It changes nothing and logs no prediction: every body that it sends is one that must be refused. It is no proof.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from deployment.loadtest import BadAddress, is_local, target_of

CHECK_SECONDS = 10.0  # seconds for one answer
MOST_READ = 1 << 24  # bytes of an answer that are looked at; the service describes itself in more than one million
PUBLIC = frozenset(
    {"/", "/health", "/ready", "/v2", "/v2/health/live", "/v2/health/ready", "/api/v1/token", "/login", "/auth/login"}
)
"""Paths that must answer whoever asks: the first page, the balancer's, in either protocol, and those where a password
becomes a token."""

KNOWN_ROUTES = ("/api/v1/domains", "/api/v1/models", "/admin/cache/stats")
TRACES = (b"Traceback (most recent call last)", b"site-packages", b'File "/', b"/usr/lib/python")
WANTED_HEADERS: Mapping[str, tuple[str, str]] = {
    "x-content-type-options": ("nosniff", "browsers may guess another type than is meant"),
    "content-security-policy": ("", "a browser would run what stands in an answer"),
    "referrer-policy": ("", "addresses may leak to other sites"),
    "cache-control": ("no-store", "answers about students may stay in caches"),
}
FORGED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9."  # says: I am admin, unsigned
HUGE = 1 << 40
DEEP = 100_000


class Finding(NamedTuple):
    """One thing that was looked at. safe: nothing is wrong. found: what was seen. advice: what to do, where it is."""

    check: str
    safe: bool
    found: str
    advice: str = ""


class HttpAnswer(NamedTuple):
    """What came back. headers: in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class CheckedService:
    """A service that is asked one question per connection. key: an API key for the questions that may carry one."""

    def __init__(self, url: str, key: str | None = None) -> None:
        target = target_of(url, "")
        self.url, self.host, self.port, self.secure = url, target.host, target.port, target.secure
        self.named, self.root, self._key = target.headers["host"], target.path, key

    @property
    def local(self) -> bool:
        return is_local(self.url)

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        known: bool = False,
    ) -> HttpAnswer:
        """The answer. known: show the API key. Raises OSError and http.client.HTTPException."""
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=CHECK_SECONDS)
        sent = {"Host": self.named, **(headers or {})}
        sent |= {"Authorization": f"Bearer {self._key}"} if known and self._key else {}
        try:
            connection.request(method, self.root + path, body=body, headers=sent)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return HttpAnswer(answer.status, fields, answer.read(MOST_READ))
        finally:
            connection.close()

    @contextmanager
    def socket(self) -> Iterator[socket.socket]:
        """A bare connection, for what no HTTP library would send."""
        with socket.create_connection((self.host, self.port), timeout=CHECK_SECONDS) as plain:
            if not self.secure:
                yield plain
                return
            with ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) as wrapped:
                yield wrapped


def check_service(url: str, *, key: str | None = None) -> list[Finding]:
    """Every check, in a fixed order. Raises BadAddress where nothing answers."""
    service = CheckedService(url, key)
    try:
        open_to_all = service.ask("/api/v1/domains").status == 200
    except (OSError, http.client.HTTPException) as error:
        raise BadAddress(f"no service answers at {url}: {error}") from None
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check(service, open_to_all)
        except (OSError, http.client.HTTPException) as error:
            words = f"no answer: {type(error).__name__}"
            findings.append(Finding(check.__name__.replace("_", " "), False, words, "see why in the service's log"))
    return findings


# The checks ---------------------------------------------------------------------------------------------------------


def transport(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:  # noqa: ARG001 (each check is called alike)
    """Whether what is said can be read or changed on the way."""
    if service.secure:
        hsts = "strict-transport-security" in service.ask("/health").headers
        yield Finding("transport", hsts, "https" if hsts else "https without HSTS", "send Strict-Transport-Security")
    else:
        advice = "put TLS before it: keys and answers can be read on the way"
        yield Finding("transport", service.local, "http, on this machine" if service.local else "http", advice)


def headers(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:  # noqa: ARG001
    """What answers tell browsers to do, and whoever asks about the software."""
    for path in ("/health", "/no-such-page"):
        given = service.ask(path).headers
        for name, (wanted, advice) in WANTED_HEADERS.items():
            value = given.get(name, "")
            yield Finding(f"header {name} of {path}", bool(value) and wanted in value, value or "absent", advice)
        framed = given.get("x-frame-options") or "frame-ancestors" in given.get("content-security-policy", "")
        yield Finding(
            f"frames of {path}", bool(framed), "refused" if framed else "allowed", "send X-Frame-Options: DENY"
        )
        told = [f"{n}: {given[n]}" for n in ("server", "x-powered-by") if any(c.isdigit() for c in given.get(n, ""))]
        yield Finding(
            f"versions told by {path}", not told, "; ".join(told) or "none", "do not tell which software runs"
        )


def access(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:
    """What is answered to somebody without a key, or with an invented one."""
    advice = "set GRADEWATCH_AUTH=on and make keys (gradewatch keys create)"
    if open_to_all:
        yield Finding("who may ask", service.local, "anyone" + (" on this machine" if service.local else ""), advice)
        return
    try:
        described = routes(service)
    except msgspec.MsgspecError as error:
        described = []
        found = f"/openapi.json: {error}"
        yield Finding("the routes that the service describes", False, found, "see what answers there")
    for method, path in described:
        status = service.ask(path, method, body=b"{}" if method != "GET" else None).status
        safe = status in (401, 403, 404, 405, 429)
        yield Finding(f"{method} {path} without a key", safe, f"status {status}", "let the route state what it needs")
    for words, value in (("a made-up key", "Bearer gw_made_up"), ("an unsigned token", f"Bearer {FORGED}")):
        status = service.ask("/api/v1/domains", headers={"Authorization": value}).status
        yield Finding(f"access with {words}", status in (401, 403, 429), f"status {status}", "check what is shown")


def exposure(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:
    """What describes the service, or lies in its folders, and is shown to everyone."""
    for path, fine, advice in (
        ("/metrics", open_to_all, "ask for a key of role metrics, or let only the monitoring network reach it"),
        ("/docs", True, "let the proxy hide it from the world: it names your columns"),
        ("/openapi.json", True, "let the proxy hide it from the world: it names your columns"),
    ):
        status = service.ask(path).status
        found = f"status {status}" + (", on this machine" if service.local else "")
        yield Finding(f"{path} for everyone", status != 200 or (fine and service.local), found, advice)
    for path in ("/.env", "/.git/config", "/.gradewatch/pseudonym.secret", "/..%2f..%2fetc/passwd"):
        status = service.ask(path).status
        yield Finding(f"file {path}", status != 200, f"status {status}", "serve no folder")


def other_sites(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:  # noqa: ARG001
    """What a page of another site could have a user's browser do."""
    evil = "https://evil.example"
    allowed = service.ask("/api/v1/domains", headers={"Origin": evil}, known=True).headers
    asked = service.ask(
        "/api/v1/domains", "OPTIONS", headers={"Origin": evil, "Access-Control-Request-Method": "POST"}
    ).headers
    said = {given.get("access-control-allow-origin", "none") for given in (allowed, asked)}
    yield Finding("CORS for any site", said == {"none"}, ", ".join(sorted(said)), "name the sites that may ask")
    foreign = {"Origin": evil, "Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}
    status = service.ask(PREDICT, "POST", headers=foreign, body=b"{}", known=True).status
    safe = status in (401, 403, 429)
    yield Finding("a change that another site's page asks for", safe, f"status {status}", "refuse foreign Origins")
    status = service.ask("/api/v1/domains", headers={"Host": "evil.example"}, known=True).status
    advice = "set GRADEWATCH_ALLOWED_HOSTS to its own names"
    yield Finding("a host of another name", 400 <= status < 500, f"status {status}", advice)


PREDICT = "/api/v1/engagement/predict"
BODIES: Mapping[str, bytes] = {
    "truncated": b'{"comprehension": 1, "att',
    "deeply nested": b"[" * DEEP + b"]" * DEEP,
    "empty": b"",
    "NaN": b'{"comprehension": NaN}',
    "no UTF-8": b'{"comprehension": "\xff\xfe"}',
    "huge number": b'{"comprehension": 1' + b"0" * 5000 + b"}",
    "of another shape": b'"words"',
}


def bodies(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:  # noqa: ARG001
    """How bodies that no honest caller sends are refused."""
    sent = {"Content-Type": "application/json"}
    for words, body in BODIES.items():
        for path in (PREDICT, f"{PREDICT}/batch"):
            answer = service.ask(path, "POST", headers=sent, body=body, known=True)
            yield _refused(f"a body that is {words}, to {path}", answer)


def size(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:  # noqa: ARG001
    """Whether a body of any length would be read."""
    lines = [f"POST {service.root}{PREDICT} HTTP/1.1", f"Host: {service.named}", f"Content-Length: {HUGE}"]
    with service.socket() as connection:
        connection.sendall("\r\n".join([*lines, "Content-Type: application/json", "", "["]).encode())
        try:
            said = connection.recv(4096)
        except TimeoutError:
            said = b""
    status = said.split(b" ")[1].decode("latin-1") if said.startswith(b"HTTP/") else "none"
    safe = status.startswith("4")
    yield Finding("a body of a terabyte", safe, f"status {status}", "refuse by Content-Length, before it is read")


def errors(service: CheckedService, open_to_all: bool) -> Iterator[Finding]:  # noqa: ARG001
    """Whether refusals show the machinery."""
    for path in ("/no-such-page", "/api/v1/no-such-domain/predict", "/%00%ff", "/api/v1/domains/%3Cscript%3E"):
        yield _refused(f"the error page of {path}", service.ask(path, known=True))
    yield _refused("method TRACE", service.ask("/health", "TRACE"))


def _refused(check: str, answer: HttpAnswer) -> Finding:
    """Safe is a 4xx that shows nothing of the machinery and cannot be taken for a page."""
    traces = [trace.decode() for trace in TRACES if trace in answer.body]
    page = answer.headers.get("content-type", "").startswith("text/html") and b"<script" in answer.body.lower()
    found = f"status {answer.status}" + (f", shows {traces[0]!r}" if traces else "") + (", a page" if page else "")
    safe = 400 <= answer.status < 500 and not traces and not page
    return Finding(check, safe, found, "answer a plain 4xx that says what was wrong with the request")


CHECKS: tuple[Callable[[CheckedService, bool], Iterator[Finding]], ...] = (
    transport,
    headers,
    access,
    exposure,
    other_sites,
    bodies,
    size,
    errors,
)


def routes(service: CheckedService) -> list[tuple[str, str]]:
    """Methods and paths that the service describes, filled in with a name that is none; a few known ones if it does
    not say. Those that must be open are left out. Raises MsgspecError where the description is no JSON object."""
    page = service.ask("/openapi.json", known=True)
    described: dict[str, dict[str, object]] = {}
    if page.status == 200:
        described = msgspec.convert(msgspec.json.decode(page.body), dict[str, object]).get("paths", {})  # type: ignore[assignment]
    found = [(method.upper(), path) for path, methods in described.items() for method in methods]
    filled = [(method, _filled(path)) for method, path in found or [("GET", path) for path in KNOWN_ROUTES]]
    return sorted({(method, path) for method, path in filled if path not in PUBLIC})


def _filled(path: str) -> str:
    parts = [("none" if part.startswith("{") else part) for part in path.split("/")]
    return "/".join(parts)
