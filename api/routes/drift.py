"""Drift: an uploaded file judged against the champion's data or another file, and the stored reports."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.admission import needs
from api.bodies import MEGABYTE, Upload, read_uploads
from api.lookup import NotFound, noted, running, schema_of
from api.openapi import answers, takes_file
from api.running import Running
from api.wire import DriftReports, respond
from database.records import DriftRecord

router = APIRouter(prefix="/api/v1/{domain}/drift", tags=["drift"])
Service = Annotated[Running, Depends(running)]


@router.post(
    "",
    responses=answers(DriftRecord),
    openapi_extra=takes_file(reference=True),
    dependencies=[needs("judge")],
)
async def judge(domain: str, request: Request, service: Service) -> Response:
    """Compare a file with the champion's training data, or with a second file `reference`, and store the report."""
    schema_of(service, domain)
    uploads = await read_uploads(request, service.settings.max_upload_mb * MEGABYTE)
    current, reference = uploads["file"], uploads.get("reference")
    report = await asyncio.to_thread(_judge, service, domain, current, reference)
    await asyncio.to_thread(noted, request, "drift judged", domain, report=report.id)
    return respond(report)


def _judge(service: Running, domain: str, current: Upload, reference: Upload | None) -> DriftRecord:
    from retraining.watch import watch_file

    before = reference.content if reference else None
    report, _, _ = watch_file(service.home, domain, current.content, before, name=current.name)
    pair = (report.reference_digest, report.current_digest)
    stored = service.home.store.drift_reports(domain)
    return next(one for one in stored if (one.reference, one.current) == pair)


@router.get("", responses=answers(DriftReports), dependencies=[needs("see")])
def reports(domain: str, service: Service, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> Response:
    """Stored reports, newest first."""
    schema_of(service, domain)
    return respond(DriftReports(reports=service.home.store.drift_reports(domain, limit=limit)))


@router.get("/{id}", responses=answers(DriftRecord), dependencies=[needs("see")])
def report(domain: str, id: str, service: Service) -> Response:
    """One of the newest thousand reports."""
    schema_of(service, domain)
    for found in service.home.store.drift_reports(domain, limit=1000):
        if found.id == id:
            return respond(found)
    raise NotFound(f"no drift report of that id in {domain}")
