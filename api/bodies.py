"""Takes a request's body within its limits: raw bytes, one JSON record, or an uploaded file.

What a body means is read elsewhere.
"""

from typing import NamedTuple, TypeVar

import msgspec
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive

from preprocessing.bodies import MalformedBody

MEGABYTE = 1_000_000
COMMAND_BYTES = 64_000  # of a body that only says what to do

T = TypeVar("T")


class BodyTooLarge(ValueError):
    """A body with more bytes than are allowed; the message names the limit."""

    def __init__(self, limit: int) -> None:
        stated = f"{limit / MEGABYTE:g} MB" if limit >= MEGABYTE else f"{limit:,} bytes"
        super().__init__(f"the body is larger than {stated}, the largest that is taken here")


class NoFile(ValueError):
    """An upload without a file in it."""


class Upload(NamedTuple):
    """A file as it came. name: what the sender calls it, for messages and listings."""

    name: str
    content: bytes


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is longer than `limit` bytes."""
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
    return body


async def read_command(request: Request, kind: type[T]) -> T:
    """The record of `kind` in a small JSON body; an empty one is an empty record. Raises MalformedBody."""
    body = await read_body(request.receive, COMMAND_BYTES)
    try:
        return msgspec.json.decode(body if body.strip() else b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedBody(str(error)) from None


async def read_uploads(request: Request, limit: int) -> dict[str, Upload]:
    """The files of a multipart form by field name, or a raw body as the file "file". Raises BodyTooLarge, NoFile."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        body = await read_body(request.receive, limit)
        if not body:
            raise NoFile("send a file: as field 'file' of a multipart form, or as the body itself")
        return {"file": Upload(request.headers.get("x-file-name", "upload")[:100], body)}
    limited = Request(request.scope, _limited(request.receive, limit))
    async with limited.form() as form:
        uploads = {
            name: Upload((value.filename or name)[:100], await value.read())
            for name, value in form.items()
            if isinstance(value, UploadFile)
        }
    if "file" not in uploads:
        raise NoFile(f"the form has no file in its field 'file'; it has {', '.join(form) or 'no field at all'}")
    return uploads


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive`, raising BodyTooLarge when the bytes of all messages together are more than `limit`."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise BodyTooLarge(limit)
        return message

    return limited
