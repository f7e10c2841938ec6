"""Retraining: asking for a run, which a worker does, and what runs decided."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.jobs import idempotency_key, patience_of, refused_job
from api.routes.dependencies import CurrentState, Later, NotFound, keys_of, needs, noted, principal_of, schema_of
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import Retrain, RetrainingRun, Retrainings, RetrainingState, respond
from database.records import DecisionRecord, Job
from database.store import RecordStore
from jobs.queue import RETRAINING, JobRequest

router = APIRouter(prefix="/api/v1/{domain}/retrain", tags=["models"])
MOST_RUNS = 100
BUSY = "Busy"
"""The title of the problem of a run that another one kept out."""

RUN_EXIT_CODES = {"finished": 0, "failed": 1, "busy": 75}
"""What `gradewatch retrain` would have ended with."""


RETRAIN = [needs("retrain")]


@router.post(
    "",
    status_code=202,
    responses=answers(RetrainingRun, 202, "started") | answers(RetrainingRun, 200, "finished"),
    openapi_extra=takes(Retrain),
    dependencies=RETRAIN,
)
async def retrain(domain: str, request: Request, state: CurrentState, later: Later = None) -> Response:
    """Start a retraining run on the newest labelled records; its address is in the answer's Location."""
    wanted = await read_command(request, Retrain)
    keys_of(schema_of(state, domain), wanted.target, wanted.moment, wanted.task)
    arguments = {"target": wanted.target, "moment": wanted.moment, "task": wanted.task, "dry_run": wanted.dry_run}
    asked = JobRequest(RETRAINING, domain, principal_of(request).name, arguments, key=idempotency_key(request))
    await asyncio.to_thread(noted, request, "retraining started", domain, dry_run=wanted.dry_run)
    job = await state.background.ask(asked, alone=True)
    if not (state.settings.train_async if later is None else later):
        job = await state.background.follow(job, patience_of(request, state.settings))
    location = {"location": f"/api/v1/{domain}/retrain/{job.id}"}
    if not job.ended:
        return respond(run_of(job), 202, location)
    if job.state != "done":
        return refused_job(request, job)
    decided = await asyncio.to_thread(decisions_of, state.workspace.store, job)
    return respond(run_of(job, decided), 200, location)


@router.get("", responses=answers(Retrainings), dependencies=RETRAIN)
def retrainings(domain: str, state: CurrentState, limit: Annotated[int, Query(ge=1, le=MOST_RUNS)] = 20) -> Response:
    """The newest runs that the service was asked for, and the newest decisions, whoever started the run."""
    schema_of(state, domain)
    store = state.workspace.store
    runs = [run_of(job) for job in store.jobs(domain=domain, kind=RETRAINING, limit=limit)]
    return respond(Retrainings(runs=runs, decisions=store.decisions(domain, limit=limit)))


@router.get("/{run}", responses=answers(RetrainingRun), dependencies=RETRAIN)
def retraining(domain: str, run: str, state: CurrentState) -> Response:
    """One run: whether it has finished, what it says, and what it decided."""
    schema_of(state, domain)
    store = state.workspace.store
    job = store.job(run)
    if job is None or (job.kind, job.domain) != (RETRAINING, domain):
        raise NotFound(f"no retraining run of that id in {domain}")
    return respond(run_of(job, decisions_of(store, job)))


def decisions_of(store: RecordStore, job: Job) -> list[DecisionRecord]:
    """What a run decided, newest first."""
    ids: list[str] = (job.result or {}).get("decisions", [])
    return [found for found in map(store.decision, reversed(ids)) if found]


def run_of(job: Job, decisions: list[DecisionRecord] | None = None) -> RetrainingRun:
    """A job as a retraining run."""
    state = _state(job)
    words: str = (job.result or {}).get("words", "") or (job.problem.detail if job.problem else "")
    return RetrainingRun(
        id=job.id,
        domain=job.domain or "",
        state=state,
        started=job.at,
        finished=job.finished,
        exit_code=RUN_EXIT_CODES.get(state),
        words=words,
        decisions=decisions or (),
    )


def _state(job: Job) -> RetrainingState:
    if job.state == "failed":
        return "busy" if job.problem and job.problem.title == BUSY else "failed"
    return "finished" if job.state == "done" else "stopped" if job.state == "cancelled" else "running"
