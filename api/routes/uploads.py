"""Takes the bodies that the framework's routes read: a small JSON record, or uploaded files.

Their limits are those of `api.request.body`; what is in a file is read elsewhere.
"""

import asyncio
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from fastapi import Query, Request
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive

from api.request.body import COMMAND_BYTES, MEGABYTE, BodyTooLarge, NoFile, read_body
from api.request.headers import REQUEST_HEADERS, form_of
from api.routes.dependencies import groups_of, principal_of, service_state
from clock import new_id
from database.uploads import UploadKind, begin_upload, new_upload, reasons_of
from errors import GradewatchError
from preprocessing.validation.json_bodies import MalformedBody

T = TypeVar("T")
OfSheet = Annotated[str, Query(description="of a workbook, a sheet's name or number; its first visible one if none")]
WithoutBadRows = Annotated[bool, Query(description="keep the good rows of a file with bad ones")]


class SentFile(NamedTuple):
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


async def read_uploads(request: Request, limit: int) -> dict[str, SentFile]:
    """The files of a multipart form by field name, or a raw body as the file "file". Raises BodyTooLarge, NoFile."""
    declared, kind = form_of(request.scope[REQUEST_HEADERS]).declared, request.headers.get("content-type", "")
    if declared > limit:
        raise BodyTooLarge(limit, declared)
    if not kind.startswith("multipart/form-data"):
        body = await read_body(request.receive, limit)
        if not body:
            raise NoFile("send a file: as field 'file' of a multipart form, or as the body itself")
        return {"file": SentFile(request.headers.get("x-file-name", "upload")[:100], body)}
    limited = Request(request.scope, _limited(request.receive, limit))
    async with limited.form() as form:
        uploads = {
            name: SentFile((value.filename or name)[:100], await value.read())
            for name, value in form.items()
            if isinstance(value, UploadFile)
        }
    if "file" not in uploads:
        raise NoFile(f"the form has no file in its field 'file'; it has {', '.join(form) or 'no field at all'}")
    return uploads


async def read_told(request: Request, domain: str, kind: UploadKind) -> dict[str, SentFile]:
    """As `read_uploads`, up to the largest size that is taken; what it refuses stands in the history of uploads."""
    state = service_state(request)
    try:
        return await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    except GradewatchError as error:
        actor, name = principal_of(request).name, request.headers.get("x-file-name", "upload")[:100]
        upload = new_upload(new_id(), domain, kind, name=name, actor=actor)
        refused = msgspec.structs.replace(upload, state="refused", reasons=reasons_of(error))
        await asyncio.to_thread(begin_upload, state.workspace.store, refused)
        raise


def rules_of(request: Request) -> dict[str, Any]:
    """What the job of an uploaded file is told beside how to read it."""
    return {"limit": service_state(request).settings.max_rows, "groups": groups_of(request)}


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
