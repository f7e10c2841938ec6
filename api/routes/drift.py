"""Drift: an uploaded file, or a window of days, judged against what came before it; and the stored reports.

Reports are made by a worker: what they need is never loaded here.
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from access.confined import confine_report
from api.jobs import done, idempotency_key
from api.request.body import MEGABYTE
from api.routes.dependencies import CurrentState, NotFound, needs, principal_of, schema_of
from api.routes.openapi import answers, takes, takes_file
from api.routes.uploads import OfSheet, WithoutBadRows, read_command, read_uploads
from api.schemas import CompareDays, DriftReports, respond
from api.state import ServiceState
from database.records import DriftRecord
from jobs.queue import DRIFT_DAYS, DRIFT_FILE, JobFile, JobRequest

router = APIRouter(prefix="/api/v1/{domain}/drift", tags=["drift"])
FILES = ("file", "reference")
By = Annotated[str | None, Query(description="also by this column: each of its values against the same value before")]


@router.post(
    "",
    responses=answers(DriftRecord, later=True),
    openapi_extra=takes_file("reference"),
    dependencies=[needs("compare")],
)
async def compare(
    domain: str,
    request: Request,
    state: CurrentState,
    by: By = None,
    sheet: OfSheet = "",
    reference_sheet: OfSheet = "",
    skip_bad_rows: WithoutBadRows = False,
) -> Response:
    """Compare a file with the champion's training data, or with a second file `reference`, and store the report."""
    schema_of(state, domain)
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    files = {name: JobFile(*upload) for name, upload in uploads.items() if name in FILES}
    arguments = {"by": by, "sheet": sheet, "reference_sheet": reference_sheet, "skip_bad_rows": skip_bad_rows}
    wanted = JobRequest(
        DRIFT_FILE, domain, principal_of(request).name, arguments, files=files, key=idempotency_key(request)
    )
    return await _reported(request, state, wanted)


@router.post(
    "/window",
    responses=answers(DriftRecord, later=True),
    openapi_extra=takes(CompareDays),
    dependencies=[needs("compare")],
)
async def compare_days(domain: str, request: Request, state: CurrentState) -> Response:
    """Report on a window of days from the profiles that are kept of them, and store the report."""
    schema_of(state, domain)
    asked = await read_command(request, CompareDays)
    until = asked.until.isoformat() if asked.until else None
    arguments = {"since": asked.since.isoformat(), "until": until, "by": asked.by}
    arguments |= {name: getattr(asked, name) for name in ("source", "moment", "against", "exact", "week")}
    wanted = JobRequest(DRIFT_DAYS, domain, principal_of(request).name, arguments, key=idempotency_key(request))
    return await _reported(request, state, wanted)


async def _reported(request: Request, state: ServiceState, wanted: JobRequest) -> Response:
    job = await done(request, state.background, wanted, state.settings)
    if isinstance(job, Response):
        return job
    made = (job.result or {})["report"]
    report = await asyncio.to_thread(state.workspace.store.drift_report, made)
    if report is None:
        raise NotFound(f"the report of job {job.id} is not there any more")
    return respond(_as_seen(request, state, report))


def _as_seen(request: Request, state: ServiceState, report: DriftRecord) -> DriftRecord:
    return confine_report(report, principal_of(request).groups, schema_of(state, report.domain))


@router.get("", responses=answers(DriftReports), dependencies=[needs("see")])
def reports(
    domain: str, request: Request, state: CurrentState, limit: Annotated[int, Query(ge=1, le=100)] = 10
) -> Response:
    """Stored reports, newest first; of groups, only one's own."""
    schema_of(state, domain)
    found = state.workspace.store.drift_reports(domain, limit=limit)
    return respond(DriftReports(reports=[_as_seen(request, state, one) for one in found]))


@router.get("/{id}", responses=answers(DriftRecord), dependencies=[needs("see")])
def report(domain: str, id: str, request: Request, state: CurrentState) -> Response:
    """One report."""
    schema_of(state, domain)
    found = state.workspace.store.drift_report(id)
    if found is None or found.domain != domain:
        raise NotFound(f"no drift report of that id in {domain}")
    return respond(_as_seen(request, state, found))
