"""Training on the labelled records that are stored: asked for here, done by a worker."""

import asyncio

from fastapi import APIRouter, Request, Response

from api.jobs import done, idempotency_key, status_of_job
from api.routes.dependencies import CurrentState, Later, keys_of, needs, noted, principal_of, schema_of
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import JobStatus, TrainFirst, respond
from jobs.queue import TRAINING, JobRequest

router = APIRouter(prefix="/api/v1/{domain}/train", tags=["models"])


@router.post(
    "",
    status_code=202,
    responses=answers(JobStatus, 202, "started") | answers(JobStatus, 200, "trained"),
    openapi_extra=takes(TrainFirst),
    dependencies=[needs("retrain")],
)
async def train(domain: str, request: Request, state: CurrentState, later: Later = None) -> Response:
    """Train on the newest labelled records; a model serves where none of records serves yet. A job: see Location."""
    wanted = await read_command(request, TrainFirst)
    keys_of(schema_of(state, domain), wanted.target, wanted.moment, wanted.task)
    arguments = {"target": wanted.target, "moment": wanted.moment, "task": wanted.task}
    asked = JobRequest(TRAINING, domain, principal_of(request).name, arguments, key=idempotency_key(request))
    await asyncio.to_thread(noted, request, "training started", domain)
    later = state.settings.train_async if later is None else later
    job = await done(request, state.background, asked, state.settings, later=later, alone=True)
    return job if isinstance(job, Response) else respond(status_of_job(job))
