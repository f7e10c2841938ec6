"""Retraining: starting a run in a process of its own, and what runs decided."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.jobs import runs
from api.routes.dependencies import CurrentState, NotFound, keys_of, needs, noted, schema_of
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import Retrain, RetrainingRun, Retrainings, respond

router = APIRouter(prefix="/api/v1/{domain}/retrain", tags=["retraining"])
NEWEST = 100


RETRAIN = [needs("retrain")]


@router.post(
    "",
    status_code=202,
    responses=answers(RetrainingRun, 202, "started"),
    openapi_extra=takes(Retrain),
    dependencies=RETRAIN,
)
async def retrain(domain: str, request: Request, state: CurrentState) -> Response:
    """Start a retraining run on the newest labelled records; its address is in the answer's Location."""
    wanted = await read_command(request, Retrain)
    keys_of(schema_of(state, domain), wanted.target, wanted.moment)
    await asyncio.to_thread(noted, request, "retraining started", domain, dry_run=wanted.dry_run)
    run = await state.jobs.start(domain, wanted)
    return respond(run, 202, {"location": f"/api/v1/{domain}/retrain/{run.id}"})


@router.get("", responses=answers(Retrainings), dependencies=RETRAIN)
def retrainings(domain: str, state: CurrentState, limit: Annotated[int, Query(ge=1, le=NEWEST)] = 20) -> Response:
    """The newest runs that the service started, and the newest decisions, whoever started the run."""
    schema_of(state, domain)
    store = state.workspace.store
    answer = Retrainings(runs=runs(store, domain, limit=limit), decisions=store.decisions(domain, limit=limit))
    return respond(answer)


@router.get("/{run}", responses=answers(RetrainingRun), dependencies=RETRAIN)
def retraining(domain: str, run: str, state: CurrentState) -> Response:
    """One run: whether it has finished, what it printed last, and what was decided meanwhile."""
    schema_of(state, domain)
    store = state.workspace.store
    for found in runs(store, domain, limit=NEWEST):
        if found.id == run:
            decisions = store.decisions(domain, limit=NEWEST)
            within = [d for d in decisions if found.started <= d.at and (not found.finished or d.at <= found.finished)]
            return respond(msgspec.structs.replace(found, decisions=within))
    raise NotFound(f"no retraining run of that id in {domain}")
