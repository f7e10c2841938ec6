"""Training on the labelled records that are stored: asked for here, done by a worker."""

import asyncio

from fastapi import APIRouter, Request, Response

from api.jobs import accepted, idempotency_key
from api.routes.dependencies import CurrentState, keys_of, needs, noted, principal_of, schema_of
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import JobStatus, TrainFirst
from jobs.queue import TRAINING, JobRequest

router = APIRouter(prefix="/api/v1/{domain}/train", tags=["retraining"])


@router.post(
    "",
    status_code=202,
    responses=answers(JobStatus, 202, "started"),
    openapi_extra=takes(TrainFirst),
    dependencies=[needs("retrain")],
)
async def train(domain: str, request: Request, state: CurrentState) -> Response:
    """Train on the newest labelled records; a model serves where none of records serves yet. A job: see Location."""
    wanted = await read_command(request, TrainFirst)
    keys_of(schema_of(state, domain), wanted.target, wanted.moment, wanted.task)
    arguments = {"target": wanted.target, "moment": wanted.moment, "task": wanted.task}
    asked = JobRequest(TRAINING, domain, principal_of(request).name, arguments, key=idempotency_key(request))
    await asyncio.to_thread(noted, request, "training started", domain)
    return accepted(await state.background.ask(asked, alone=True))
