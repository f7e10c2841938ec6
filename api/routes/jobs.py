"""Work in the background: how a job is getting on, what came of it, cancelling it, and the list of jobs."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from access.roles import Permission, Principal
from api.fast.predict import wants_lines
from api.jobs import refused_job, status_of_job
from api.request.headers import REQUEST_HEADERS
from api.routes.answers import ANSWERS_JSON, ANSWERS_LINES, written_answers
from api.routes.dependencies import CurrentState, NotFound, needs, principal_of
from api.routes.openapi import answers
from api.schemas import JobList, JobStatus, PredictionsResponse, respond
from api.state import ServiceState
from database.records import Job, JobState
from jobs.queue import (
    BATCH_FILE,
    DRIFT_DAYS,
    DRIFT_FILE,
    EARLINESS,
    ERASURE,
    EXPORT,
    MATCHING,
    OUTCOMES_FILE,
    REMAKING,
    RETRAINING,
    SCORING,
    STEPS_FILE,
    TRACKING,
    TRAINING,
    absence,
)

router = APIRouter(prefix="/api/v1/jobs", tags=["operation"])
MAY_SEE = [needs("see")]
MOST_JOBS = 200

NEEDED: Mapping[str, Permission] = {
    TRAINING: "retrain",
    RETRAINING: "retrain",
    DRIFT_FILE: "compare",
    DRIFT_DAYS: "compare",
    EARLINESS: "compare",
    SCORING: "predict",
    TRACKING: "change",
    BATCH_FILE: "upload",
    OUTCOMES_FILE: "upload",
    MATCHING: "upload",
    STEPS_FILE: "note",
    EXPORT: "upload",
    ERASURE: "rights",
    REMAKING: "rights",
}
"""What whoever asks must be allowed, in the job's domain, to see it or cancel it."""


@router.get("", responses=answers(JobList), dependencies=MAY_SEE)
def list_jobs(
    request: Request,
    state: CurrentState,
    domain: Annotated[str | None, Query()] = None,
    kind: Annotated[str | None, Query()] = None,
    only: Annotated[JobState | None, Query(alias="state")] = None,
    before: Annotated[str | None, Query(description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_JOBS)] = 50,
) -> Response:
    """The jobs that whoever asks may see, newest first."""
    store, whoever = state.workspace.store, principal_of(request)
    place = _place(state, before)
    found: list[Job] = []
    while len(found) < limit:
        page = store.jobs(domain=domain, kind=kind, states=[only] if only else (), before=place, limit=MOST_JOBS)
        found += [job for job in page if may_see(whoever, job)]
        if len(page) < MOST_JOBS:
            break
        place = (page[-1].at, page[-1].id)
    return respond(JobList(jobs=[status_of_job(job) for job in found[:limit]]))


def _place(state: ServiceState, before: str | None) -> tuple[datetime, str] | None:
    if before is None:
        return None
    job = state.workspace.store.job(before)
    if job is None:
        raise NotFound("no job of that id to go on behind")
    return (job.at, job.id)


@router.get("/{id}", responses=answers(JobStatus), dependencies=MAY_SEE)
def job_status(id: str, request: Request, state: CurrentState) -> Response:
    """One job: its state, how far it is, and its result, or why it failed."""
    job = _job(request, state, id)
    return respond(status_of_job(job, absence(state.workspace.store, job)))


@router.delete("/{id}", responses=answers(JobStatus), dependencies=MAY_SEE)
def cancel_job(id: str, request: Request, state: CurrentState) -> Response:
    """Cancel a job: one that waits ends at once, one that runs within seconds; one that has ended stays as it is."""
    job = _job(request, state, id)
    return respond(status_of_job(state.workspace.store.cancel_job(job.id) or job))


@router.get("/{id}/answers", responses=answers(PredictionsResponse), dependencies=MAY_SEE)
def job_answers(id: str, request: Request, state: CurrentState) -> Response:
    """The predictions for the rows of a file that a job has scored, in order; as JSON lines where asked for."""
    job = _job(request, state, id)
    if job.kind != SCORING or not job.ended:
        raise NotFound("there are no answers of that job, or not yet")
    if job.state != "done":
        return refused_job(request, job)
    lines = wants_lines(request.scope[REQUEST_HEADERS])
    body: Iterator[bytes] = written_answers(state, job, lines=lines)
    return StreamingResponse(body, media_type=ANSWERS_LINES if lines else ANSWERS_JSON)


def may_see(whoever: Principal, job: Job) -> bool:
    """Whether a job may be shown: what one may ask for oneself, and answers about students to their asker alone.
    Whoever is confined to groups sees their own."""
    if not whoever.may(NEEDED.get(job.kind, "operate"), job.domain):
        return False
    return (job.kind != SCORING and whoever.groups is None) or job.actor == whoever.name


def _job(request: Request, state: ServiceState, id: str) -> Job:
    job = state.workspace.store.job(id)
    if job is None or not may_see(principal_of(request), job):
        raise NotFound("no job of that id")
    return job
