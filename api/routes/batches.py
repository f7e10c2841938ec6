"""Uploaded files: labelled ones to learn from, unlabelled ones to keep; the same content is stored once."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.jobs import done, idempotency_key
from api.routes.dependencies import CurrentState, principal_of, schema_of
from api.routes.openapi import answers, takes_file
from api.routes.upload_history import UPLOADERS, only_whose
from api.routes.uploads import OfSheet, WithoutBadRows, read_told, rules_of
from api.schemas import Batches, StoredBatch, respond
from database.records import BatchKind
from database.uploads import uploads_of
from jobs.queue import BATCH_FILE, JobFile, JobRequest

router = APIRouter(prefix="/api/v1/{domain}/batches", tags=["outcomes"])


@router.post(
    "",
    status_code=201,
    responses=answers(StoredBatch, 201, "stored", later=True),
    openapi_extra=takes_file(),
    dependencies=UPLOADERS,
)
async def add_batch(
    domain: str,
    request: Request,
    state: CurrentState,
    kind: Annotated[BatchKind, Query(description="labeled: with outcomes, to learn from")],
    sheet: OfSheet = "",
    skip_bad_rows: WithoutBadRows = False,
) -> Response:
    """Store a file as a batch: 201 when it is new, 200 when the same content was there already. Rows of groups that are
    not the sender's are left out; `upload` says what became of it, and is found under …/uploads later."""
    schema_of(state, domain)
    uploads = await read_told(request, domain, kind)
    arguments = {"kind": kind, "sheet": sheet, "skip_bad_rows": skip_bad_rows, **rules_of(request)}
    files, whoever = {"file": JobFile(*uploads["file"])}, principal_of(request).name
    wanted = JobRequest(BATCH_FILE, domain, whoever, arguments, files=files, key=idempotency_key(request))
    job = await done(request, state.background, wanted, state.settings)
    if isinstance(job, Response):
        return job
    stored = msgspec.convert(job.result, StoredBatch)
    return respond(stored, 201 if stored.new else 200)


@router.get("", responses=answers(Batches), dependencies=UPLOADERS)
def batches(domain: str, request: Request, state: CurrentState, kind: BatchKind | None = None) -> Response:
    """Stored batches, newest first; whoever is confined to groups sees those of their own uploads."""
    schema_of(state, domain)
    found = state.workspace.store.batches(domain, kind)
    if (whose := only_whose(request)) is not None:
        own = {one.batch for one in uploads_of(state.workspace.store, domain, actor=whose, limit=len(found))}
        found = [one for one in found if one.id in own]
    return respond(Batches(batches=found))
