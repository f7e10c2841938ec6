"""Trials: challengers next to champions, in shadow or answering a share of the students, and what they showed."""

import asyncio

from fastapi import APIRouter, Request, Response

from api.jobs import ask_tracking
from api.routes.dependencies import CurrentState, groups_of, needs, noted, principal_of, schema_of, service_state
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import StartTrial, Trials, respond
from model.registry import find_model
from model.trial import Trial, find_trial, start_trial, stop_trial, trials
from monitoring.trial_report import TrialReport, report_trial

router = APIRouter(prefix="/api/v1/{domain}/trials", tags=["trials"])

SEE, CHANGE_TRIALS = [needs("see")], [needs("change")]


@router.get("", responses=answers(Trials), dependencies=SEE)
def list_trials(domain: str, state: CurrentState) -> Response:
    """Every trial on record, newest first, with how it ended."""
    schema_of(state, domain)
    return respond(Trials(trials=trials(state.workspace.store, domain)))


@router.post(
    "",
    status_code=201,
    responses=answers(Trial, 201, "begun; every worker notices within a poll"),
    openapi_extra=takes(StartTrial),
    dependencies=CHANGE_TRIALS,
)
async def start(domain: str, request: Request, state: CurrentState) -> Response:
    """Try a version next to its champion: in shadow its answers are only logged, in a split it answers a share of the
    students, always the same ones."""
    wanted = await read_command(request, StartTrial)
    schema_of(state, domain)
    trial = await asyncio.to_thread(_start, request, domain, wanted)
    return respond(trial, 201, {"location": f"/api/v1/{domain}/trials/{trial.id}"})


def _start(request: Request, domain: str, wanted: StartTrial) -> Trial:
    workspace = service_state(request).workspace
    model = find_model(workspace.store, wanted.version, domain)
    workspace.artifacts.require(model.version)
    actor = principal_of(request).name
    trial = start_trial(workspace.store, model, mode=wanted.mode, share=wanted.share, actor=actor, reason=wanted.reason)
    noted(request, "trial started", domain, version=trial.challenger, mode=trial.mode)
    workspace.champions.refresh()
    ask_tracking(workspace, domain, principal_of(request).name)
    return trial


@router.get("/{trial}", responses=answers(TrialReport), dependencies=SEE)
def report(domain: str, trial: str, request: Request, state: CurrentState) -> Response:
    """What a trial has shown so far: a sentence, then both models beside the plain rule, with n and intervals. Whoever
    is confined to groups is told of these alone."""
    schema, workspace = schema_of(state, domain), state.workspace
    found = find_trial(workspace.store, trial, domain=domain)
    groups = groups_of(request)
    return respond(report_trial(workspace.store, schema, found, learned=workspace.learned, groups=groups))


@router.delete("/{trial}", responses=answers(Trial), dependencies=CHANGE_TRIALS)
async def stop(domain: str, trial: str, request: Request, state: CurrentState, reason: str = "") -> Response:
    """End a running trial; the champion answers alone again."""
    schema_of(state, domain)
    return respond(await asyncio.to_thread(_stop, request, domain, trial, reason))


def _stop(request: Request, domain: str, trial: str, why: str) -> Trial:
    workspace = service_state(request).workspace
    ended = stop_trial(workspace.store, trial, actor=principal_of(request).name, why=why, domain=domain)
    noted(request, "trial stopped", domain, version=ended.challenger, mode=ended.mode)
    workspace.champions.refresh()
    ask_tracking(workspace, domain, principal_of(request).name)
    return ended
