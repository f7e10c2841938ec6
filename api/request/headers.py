"""What a request's headers say that this service acts on, found in one look; and the headers that every answer carries.

What follows from them is decided where it matters: who asks, from where, in what form. No other header is kept. The
answers' are such that a browser does nothing with one but show it (after OWASP's recommendations for REST services).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from starlette.types import Scope

from errors import Category, GradewatchError

Headers = list[tuple[bytes, bytes]]

BodyKind = Literal["json", "lines", "file"]
"""What a body says that it is: JSON, JSON lines, or a file, whose content says more."""

MOST_HEADERS, LONGEST_HEADER = 100, 8_192  # bytes of a value

REQUEST_HEADERS = "gradewatch.head"
"""Key of a scope under which its `RequestHeaders` stands."""

READ_HEADERS = frozenset({
    b"accept", b"authorization", b"content-encoding", b"content-length", b"content-type", b"forwarded", b"host",
    b"origin", b"sec-fetch-site", b"via", b"x-api-key", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip",
    b"x-request-id",
})  # fmt: skip
"""The headers that are looked at."""


UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
KIND_OF_TYPE: "dict[str, BodyKind]" = {
    "application/json": "json",
    "application/x-www-form-urlencoded": "json",
    "": "json",
    "application/x-ndjson": "lines",
    "application/ndjson": "lines",
    "application/jsonl": "lines",
    "application/x-jsonlines": "lines",
}
"""By content type; every other one is a file."""


class UnsupportedBody(GradewatchError):
    """A body in a form that is not read here; the message says what is."""

    status = 415


class TooManyHeaders(GradewatchError):
    """A request with more headers, or longer ones, than any honest caller sends."""

    category = Category.TOO_LARGE
    status = 431

    def __init__(self) -> None:
        super().__init__(f"at most {MOST_HEADERS} headers are taken, each of at most {LONGEST_HEADER:,} bytes")


class RequestHeaders:
    """The headers of one request. given: the first value of each that is read; again: those given more than once;
    too_many: whether there are more, or longer ones, than are taken."""

    __slots__ = ("again", "given", "too_many")

    def __init__(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        given: dict[bytes, bytes] = {}
        self.given = given
        self.again: frozenset[bytes] = frozenset()
        self.too_many = len(headers) > MOST_HEADERS
        for name, value in headers:
            if len(value) > LONGEST_HEADER:
                self.too_many = True
            if name in READ_HEADERS:
                if name in given:
                    self.again |= {name}
                else:
                    given[name] = value

    def once(self, name: bytes) -> bytes:
        """The value of a header that must not come twice; b"" where it is missing or does."""
        return self.given.get(name, b"") if name not in self.again else b""


class Form(NamedTuple):
    """In what form a body comes. declared: its bytes; 0 where the request does not say."""

    kind: BodyKind
    declared: int


def form_of(headers: RequestHeaders) -> Form:
    """Raises UnsupportedBody for a compressed body, or JSON in another encoding than UTF-8."""
    given = headers.given
    encoding = given.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() != b"identity":
        raise UnsupportedBody("bodies are taken as they are: send it uncompressed, without Content-Encoding")
    length = given.get(b"content-length", b"")
    declared = int(length) if length.isdigit() and len(length) < 19 else 0
    return Form(_kind(given.get(b"content-type", b"")), declared)


@lru_cache(maxsize=256)
def _kind(content_type: bytes) -> BodyKind:
    """Nothing said is JSON, and so is what curl says on its own. Raises UnsupportedBody."""
    kind, *parameters = [part.strip().lower() for part in content_type.decode("latin-1").split(";")]
    known = KIND_OF_TYPE.get(kind, "file")
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")]
    if known != "file" and not UTF8.issuperset(charsets):
        raise UnsupportedBody("JSON is taken in UTF-8 only; send it so, without another charset")
    return known


# What answers carry ---------------------------------------------------------------------------------------------------

STANDARD: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
STANDARD_NAMES = frozenset(name for name, _ in STANDARD)
SECURE = (b"strict-transport-security", b"max-age=31536000")  # a year; only said where the caller came by https


def with_standard(headers: Headers, scope: Scope) -> Headers:
    """`headers` and those that every answer carries; where an answer has its own of a name, that one stays."""
    own = dict(headers)
    rest = STANDARD if STANDARD_NAMES.isdisjoint(own) else [header for header in STANDARD if header[0] not in own]
    whole = [*headers, *rest]
    if scope["scheme"] == "https":
        whole.append(SECURE)
    return whole
