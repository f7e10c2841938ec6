"""Uploaded files: labelled ones to learn from, unlabelled ones to keep; the same content is stored once."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.request.body import MEGABYTE
from api.routes.dependencies import CurrentState, needs, noted, schema_of, service_state
from api.routes.openapi import answers, takes_file
from api.routes.uploads import Upload, read_uploads
from api.schemas import Batches, StoredBatch, respond
from database.records import BatchKind
from preprocessing.validation.json_bodies import TooManyRows

router = APIRouter(prefix="/api/v1/{domain}/batches", tags=["batches"])
SHOWN_PROBLEMS = 1000


UPLOAD = [needs("upload")]


@router.post(
    "",
    status_code=201,
    responses=answers(StoredBatch, 201, "stored"),
    openapi_extra=takes_file(),
    dependencies=UPLOAD,
)
async def add_batch(
    domain: str,
    request: Request,
    state: CurrentState,
    kind: Annotated[BatchKind, Query(description="labeled: with outcomes, to learn from")],
    skip_bad_rows: Annotated[bool, Query(description="keep the good rows of a file with bad ones")] = False,
) -> Response:
    """Store a file as a batch: 201 when it is new, 200 when the same content was there already."""
    schema_of(state, domain)
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    stored = await asyncio.to_thread(_store, request, domain, kind, uploads["file"], skip_bad_rows)
    return respond(stored, 201 if stored.new else 200)


def _store(request: Request, domain: str, kind: Any, upload: Upload, skip_bad_rows: bool) -> StoredBatch:
    from database.ingest import batch_of, read_batch
    from monitoring.profile_archive import store_batch

    state = service_state(request)
    schema, workspace = state.predictions.schema(domain), state.workspace
    intake = read_batch(
        upload.content, schema, kind, secret=workspace.secret, name=upload.name, skip_bad_rows=skip_bad_rows
    )
    if len(intake.rows) > state.settings.max_rows:
        limit = state.settings.max_rows
        raise TooManyRows(f"{len(intake.rows):,} rows in one file; at most {limit:,} are allowed")
    noted(
        request, "batch uploaded", domain, batch=batch_of(domain, intake.rows, kind, name="").id, rows=len(intake.rows)
    )
    batch, new = store_batch(workspace, schema, intake.rows, kind, name=upload.name, skipped=intake.skipped)
    return StoredBatch(
        batch=batch,
        new=new,
        skipped=intake.skipped,
        problems=intake.problems[:SHOWN_PROBLEMS],
        ignored_columns=intake.ignored_columns,
    )


@router.get("", responses=answers(Batches), dependencies=UPLOAD)
def batches(domain: str, state: CurrentState, kind: BatchKind | None = None) -> Response:
    """Stored batches, newest first."""
    schema_of(state, domain)
    return respond(Batches(batches=state.workspace.store.batches(domain, kind)))
