"""Drift: an uploaded file, or a window of days, judged against what came before it; and the stored reports."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.request.body import MEGABYTE
from api.routes.dependencies import CurrentState, NotFound, needs, noted, schema_of, service_state
from api.routes.openapi import answers, takes, takes_file
from api.routes.uploads import Upload, read_command, read_uploads
from api.schemas import CompareDays, DriftReports, respond
from database.records import DriftRecord

router = APIRouter(prefix="/api/v1/{domain}/drift", tags=["drift"])
By = Annotated[str | None, Query(description="also by this column: each of its values against the same value before")]


@router.post(
    "",
    responses=answers(DriftRecord),
    openapi_extra=takes_file(reference=True),
    dependencies=[needs("compare")],
)
async def compare(domain: str, request: Request, state: CurrentState, by: By = None) -> Response:
    """Compare a file with the champion's training data, or with a second file `reference`, and store the report."""
    schema_of(state, domain)
    uploads = await read_uploads(request, state.settings.max_upload_mb * MEGABYTE)
    current, reference = uploads["file"], uploads.get("reference")
    return respond(await asyncio.to_thread(_compare, request, domain, current, reference, by))


def _compare(request: Request, domain: str, current: Upload, reference: Upload | None, by: str | None) -> DriftRecord:
    from monitoring.drift_monitor import report_file

    before = reference.content if reference else None
    report = report_file(
        service_state(request).workspace, domain, current.content, before, name=current.name, by=by
    ).record
    noted(request, "drift judged", domain, report=report.id)
    return report


@router.post(
    "/window",
    responses=answers(DriftRecord),
    openapi_extra=takes(CompareDays),
    dependencies=[needs("compare")],
)
async def compare_days(domain: str, request: Request, state: CurrentState) -> Response:
    """Report on a window of days from the profiles that are kept of them, and store the report."""
    schema_of(state, domain)
    asked = await read_command(request, CompareDays)
    return respond(await asyncio.to_thread(_compare_days, request, domain, asked))


def _compare_days(request: Request, domain: str, asked: CompareDays) -> DriftRecord:
    from monitoring.drift_days import days_of
    from monitoring.drift_monitor import report_days

    choices = {name: getattr(asked, name) for name in ("source", "moment", "against", "exact")}
    window = days_of(asked.since, asked.until, **choices)
    report = report_days(service_state(request).workspace, domain, window, by=asked.by).record
    noted(request, "drift judged", domain, report=report.id)
    return report


@router.get("", responses=answers(DriftReports), dependencies=[needs("see")])
def reports(domain: str, state: CurrentState, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> Response:
    """Stored reports, newest first."""
    schema_of(state, domain)
    return respond(DriftReports(reports=state.workspace.store.drift_reports(domain, limit=limit)))


@router.get("/{id}", responses=answers(DriftRecord), dependencies=[needs("see")])
def report(domain: str, id: str, state: CurrentState) -> Response:
    """One of the newest thousand reports."""
    schema_of(state, domain)
    for found in state.workspace.store.drift_reports(domain, limit=1000):
        if found.id == id:
            return respond(found)
    raise NotFound(f"no drift report of that id in {domain}")
