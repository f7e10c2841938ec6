"""Takes a request's body within its limits, as raw bytes.

What a body means is read elsewhere.
"""

from functools import lru_cache
from typing import Literal, NamedTuple

from starlette.types import Receive

from api.request.head import Head
from errors import Category, GradewatchError

MEGABYTE = 1_000_000
COMMAND_BYTES = 64_000  # of a body that only says what to do

UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
KINDS: "dict[str, Kind]" = {
    "application/json": "json",
    "application/x-www-form-urlencoded": "json",
    "": "json",
    "application/x-ndjson": "lines",
    "application/ndjson": "lines",
    "application/jsonl": "lines",
    "application/x-jsonlines": "lines",
}
"""By content type; every other one is a file."""


class BodyTooLarge(GradewatchError):
    """A body with more bytes than are allowed; the message says how many came, where that is known, and the limit."""

    category = Category.TOO_LARGE

    def __init__(self, limit: int, came: int | None = None) -> None:
        has = "is larger" if came is None else f"has {_size(came)}"
        super().__init__(f"the body {has}: at most {_size(limit)} are taken here; send it in parts")


class CutOff(GradewatchError):
    """A body that ended before its end: the caller has gone."""

    category = Category.MALFORMED


class UnsupportedBody(GradewatchError):
    """A body in a form that is not read here; the message says what is."""

    status = 415


class NoFile(GradewatchError):
    """An upload without a file in it."""

    category = Category.MALFORMED


Kind = Literal["json", "lines", "file"]
"""What a body says that it is: JSON, JSON lines, or a file, whose content says more."""


class Form(NamedTuple):
    """In what form a body comes. declared: its bytes; 0 where the request does not say."""

    kind: Kind
    declared: int


def form_of(head: Head) -> Form:
    """Raises UnsupportedBody for a compressed body, or JSON in another encoding than UTF-8."""
    given = head.given
    encoding = given.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() != b"identity":
        raise UnsupportedBody("bodies are taken as they are: send it uncompressed, without Content-Encoding")
    length = given.get(b"content-length", b"")
    declared = int(length) if length.isdigit() and len(length) < 19 else 0
    return Form(_kind(given.get(b"content-type", b"")), declared)


@lru_cache(maxsize=256)
def _kind(content_type: bytes) -> Kind:
    """Nothing said is JSON, and so is what curl says on its own. Raises UnsupportedBody."""
    kind, *parameters = [part.strip().lower() for part in content_type.decode("latin-1").split(";")]
    known = KINDS.get(kind, "file")
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")]
    if known != "file" and not UTF8.issuperset(charsets):
        raise UnsupportedBody("JSON is taken in UTF-8 only; send it so, without another charset")
    return known


async def read_body(receive: Receive, limit: int, declared: int = 0) -> bytes:
    """The whole body. declared: its length as its head says. Raises CutOff, and BodyTooLarge as soon as it is known to
    be longer than `limit` bytes."""
    if declared > limit:
        raise BodyTooLarge(limit, declared)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts, size = [body], len(body)
        while message.get("more_body") and size <= limit:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        body = b"".join(parts)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    if message["type"] == "http.disconnect":
        raise CutOff("the body ended before its end; nothing of this request was kept")
    return body


def _size(count: int) -> str:
    return f"{count / MEGABYTE:.4g} MB" if count >= MEGABYTE else f"{count:,} bytes"
