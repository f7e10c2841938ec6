"""Takes the bodies that the framework's routes read: a small JSON record, or uploaded files.

Their limits are those of `api.request.body`; what is in a file is read elsewhere.
"""

from typing import Annotated, NamedTuple, TypeVar

import msgspec
from fastapi import Query, Request
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive

from api.request.body import COMMAND_BYTES, BodyTooLarge, NoFile, read_body
from api.request.headers import REQUEST_HEADERS, form_of
from preprocessing.validation.json_bodies import MalformedBody

T = TypeVar("T")
OfSheet = Annotated[str, Query(description="of a workbook, a sheet's name or number; its first visible one if none")]
WithoutBadRows = Annotated[bool, Query(description="keep the good rows of a file with bad ones")]


class Upload(NamedTuple):
    """A file as it came. name: what the sender calls it, for messages and listings."""

    name: str
    content: bytes


async def read_command(request: Request, kind: type[T]) -> T:
    """The record of `kind` in a small JSON body; an empty one is an empty record. Raises MalformedBody."""
    body = await read_body(request.receive, COMMAND_BYTES, form_of(request.scope[REQUEST_HEADERS]).declared)
    try:
        return msgspec.json.decode(body if body.strip() else b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedBody(str(error)) from None


async def read_uploads(request: Request, limit: int) -> dict[str, Upload]:
    """The files of a multipart form by field name, or a raw body as the file "file". Raises BodyTooLarge, NoFile."""
    declared, kind = form_of(request.scope[REQUEST_HEADERS]).declared, request.headers.get("content-type", "")
    if declared > limit:
        raise BodyTooLarge(limit, declared)
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
