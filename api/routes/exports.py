"""Exports of school systems, for domains whose rows are made of observations by week: taken in, or only looked at."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from access.roles import Forbidden
from api.jobs import done, idempotency_key
from api.request.body import MEGABYTE
from api.routes.dependencies import CurrentState, groups_of, needs, principal_of, schema_of
from api.routes.openapi import answers, takes_file
from api.routes.uploads import WithoutBadRows, read_uploads
from api.schemas import respond
from database.observed import StoredExport
from jobs.queue import EXPORT, JobFile, JobRequest
from preprocessing.panel.live import panel_of

router = APIRouter(prefix="/api/v1/{domain}/exports", tags=["outcomes"])


@router.post(
    "",
    responses=answers(StoredExport, later=True),
    openapi_extra=takes_file("mapping"),
    dependencies=[needs("upload")],
)
async def add_export(
    domain: str,
    request: Request,
    state: CurrentState,
    dry: Annotated[bool, Query(description="say what it holds and what would change, and store nothing")] = False,
    infer_days: Annotated[bool, Query(description="of absences alone: who has no record was present")] = False,
    skip_bad_rows: WithoutBadRows = False,
) -> Response:
    """Store what an export says of attendance, marks, incidents, enrolment and calendar; what is known already is left:
    a OneRoster zip, a zip under Ed-Fi's names, or any CSV with a file `mapping` that says which column is what. Names,
    addresses and births are dropped before anything is stored. Whoever is confined to groups may send none."""
    panel_of(schema_of(state, domain))
    if groups_of(request) is not None:
        raise Forbidden("an export is of all groups: whoever is confined to groups sends none")
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    files = {name: JobFile(*held) for name, held in uploads.items() if name in ("file", "mapping")}
    asked = {"dry": dry, "infer_days": infer_days, "skip_bad_rows": skip_bad_rows}
    whoever = principal_of(request).name
    wanted = JobRequest(EXPORT, domain, whoever, asked, files=files, key=idempotency_key(request))
    job = await done(request, state.background, wanted, state.settings)
    return job if isinstance(job, Response) else respond(msgspec.convert(job.result, StoredExport))
