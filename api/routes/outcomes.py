"""What really happened, and how good the answers were in its light."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from access.roles import require
from api.request.body import MEGABYTE
from api.routes.dependencies import (
    CurrentState,
    Instant,
    at_utc,
    keys_of,
    needs,
    noted,
    principal_of,
    schema_of,
    service_state,
)
from api.routes.openapi import answers, takes_file
from api.routes.uploads import Upload, read_uploads
from api.schemas import StoredOutcomes, respond
from monitoring.performance import DomainPerformance, measure

router = APIRouter(prefix="/api/v1/{domain}", tags=["outcomes"])
NEWEST_MATCHED = 20_000  # matched predictions of a target, where the request does not say how many


@router.post(
    "/outcomes",
    responses=answers(StoredOutcomes),
    openapi_extra=takes_file(json=True),
    dependencies=[needs("upload")],
)
async def add_outcomes(domain: str, request: Request, state: CurrentState) -> Response:
    """Store outcomes: a JSON list or a file, each row with a prediction_id or a student key (and period) and the
    value of one target or more. A later outcome about the same corrects the earlier."""
    schema_of(state, domain)
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    return respond(await asyncio.to_thread(_store, request, domain, uploads["file"]))


def _store(request: Request, domain: str, upload: Upload) -> StoredOutcomes:
    from database.ingest import read_outcomes

    state = service_state(request)
    schema, workspace = state.predictions.schema(domain), state.workspace
    found = read_outcomes(upload.content, schema, secret=workspace.secret, name=upload.name)
    noted(request, "outcomes uploaded", domain, outcomes=len(found))
    new, corrected = workspace.store.add_outcomes(found)
    return StoredOutcomes(outcomes=len(found), new=new, corrected=corrected, known=len(found) - new - corrected)


@router.get("/performance", responses=answers(DomainPerformance), dependencies=[needs("see")])
def performance(
    domain: str,
    request: Request,
    state: CurrentState,
    target: Annotated[str | None, Query(description="all of the domain by default")] = None,
    since: Annotated[Instant | None, Query(description="of predictions made from then on")] = None,
    limit: Annotated[int | None, Query(ge=1, le=100_000, description="the newest so many per target")] = None,
) -> Response:
    """How far answers were from what happened, beside the naive rule on the same rows. Of fewer than ten students no
    figure is told; to choose by `since` or `limit` takes the permission to read predictions."""
    if since is not None or limit is not None:  # two choices that differ by one student would tell of that one
        require(principal_of(request), "read", domain)
    schema = schema_of(state, domain)
    keys_of(schema, target, None)
    targets = [target] if target else list(schema.target_by_name)
    return respond(measure(state.workspace.store, schema, targets, since=at_utc(since), limit=limit or NEWEST_MATCHED))
