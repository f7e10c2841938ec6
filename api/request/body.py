"""Takes a request's body within its limits, as raw bytes.

What a body means is read elsewhere.
"""

from starlette.types import Receive

from errors import Category, GradewatchError

MEGABYTE = 1_000_000
COMMAND_BYTES = 64_000  # of a body that only says what to do


class BodyTooLarge(GradewatchError):
    """A body with more bytes than are allowed; the message says how many came, where that is known, and the limit."""

    category = Category.TOO_LARGE

    def __init__(self, limit: int, came: int | None = None) -> None:
        has = "is larger" if came is None else f"has {_size(came)}"
        super().__init__(f"the body {has}: at most {_size(limit)} are taken here; send it in parts")


class CutOff(GradewatchError):
    """A body that ended before its end: the caller has gone."""

    category = Category.MALFORMED


class NoFile(GradewatchError):
    """An upload without a file in it."""

    category = Category.MALFORMED


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
