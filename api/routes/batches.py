"""Uploaded files: labelled ones to learn from, unlabelled ones to keep; the same content is stored once."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.jobs import done, idempotency_key
from api.request.body import MEGABYTE
from api.routes.dependencies import CurrentState, needs, principal_of, schema_of
from api.routes.openapi import answers, takes_file
from api.routes.uploads import OfSheet, WithoutBadRows, read_uploads
from api.schemas import Batches, StoredBatch, respond
from database.records import BatchKind
from jobs.queue import BATCH_FILE, JobFile, JobRequest

router = APIRouter(prefix="/api/v1/{domain}/batches", tags=["batches"])


UPLOAD = [needs("upload")]


@router.post(
    "",
    status_code=201,
    responses=answers(StoredBatch, 201, "stored", later=True),
    openapi_extra=takes_file(),
    dependencies=UPLOAD,
)
async def add_batch(
    domain: str,
    request: Request,
    state: CurrentState,
    kind: Annotated[BatchKind, Query(description="labeled: with outcomes, to learn from")],
    sheet: OfSheet = "",
    skip_bad_rows: WithoutBadRows = False,
) -> Response:
    """Store a file as a batch: 201 when it is new, 200 when the same content was there already."""
    schema_of(state, domain)
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    arguments = {"kind": kind, "sheet": sheet, "skip_bad_rows": skip_bad_rows, "limit": state.settings.max_rows}
    files, whoever = {"file": JobFile(*uploads["file"])}, principal_of(request).name
    wanted = JobRequest(BATCH_FILE, domain, whoever, arguments, files=files, key=idempotency_key(request))
    job = await done(request, state.background, wanted, state.settings)
    if isinstance(job, Response):
        return job
    stored = msgspec.convert(job.result, StoredBatch)
    return respond(stored, 201 if stored.new else 200)


@router.get("", responses=answers(Batches), dependencies=UPLOAD)
def batches(domain: str, state: CurrentState, kind: BatchKind | None = None) -> Response:
    """Stored batches, newest first."""
    schema_of(state, domain)
    return respond(Batches(batches=state.workspace.store.batches(domain, kind)))
