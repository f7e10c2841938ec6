"""Pausing answers: what is paused, pausing, and letting the models answer again."""

import asyncio

from fastapi import APIRouter, Request, Response

from access.roles import require
from api.routes.dependencies import CurrentState, needs, noted, principal_of, schema_of, service_state
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import Pauses, ResumeAnswers, SetPause, respond
from model.pauses import EVERY_DOMAIN, Pause, pause, pauses, resume
from monitoring.alerts import post_pause

router = APIRouter(prefix="/api/v1/pauses", tags=["models"])
CHANGE = [needs("change")]


@router.get("", responses=answers(Pauses), dependencies=[needs("see")])
def list_pauses(request: Request, state: CurrentState) -> Response:
    """What is paused, since when, by whom and why."""
    may, found = principal_of(request).may, pauses(state.workspace.store)
    return respond(
        Pauses(pauses=[one for one in found.values() if one.domain == EVERY_DOMAIN or may("see", one.domain)])
    )


@router.post(
    "",
    status_code=201,
    responses=answers(Pause, 201, "holds here at once, and in every other process as soon as it looks"),
    openapi_extra=takes(SetPause),
    dependencies=CHANGE,
)
async def pause_answers(request: Request) -> Response:
    """Let no model of a domain, or of any, answer: the plain rule does in its place, or nobody. It is told to everybody
    who asks, and to whoever gets alerts."""
    wanted = await read_command(request, SetPause)
    _require(request, wanted.domain)
    return respond(await asyncio.to_thread(_pause, request, wanted), 201)


def _require(request: Request, domain: str | None) -> None:
    """Raises Forbidden, also where a principal of some domains means all; UnknownDomain."""
    for name in service_state(request).workspace.schemas if domain is None else [domain]:
        require(principal_of(request), "change", name)
        schema_of(service_state(request), name)


def _pause(request: Request, wanted: SetPause) -> Pause:
    state, who = service_state(request), principal_of(request).name
    workspace = state.workspace
    made = pause(workspace.store, wanted.domain or EVERY_DOMAIN, wanted.answers, reason=wanted.reason, actor=who)
    workspace.champions.refresh()
    noted(request, "answers paused", wanted.domain, answers=wanted.answers)
    post_pause(workspace.store, made, state.settings.for_jobs().channels())
    return made


@router.post("/resume", responses=answers(Pauses), openapi_extra=takes(ResumeAnswers), dependencies=CHANGE)
async def resume_answers(request: Request, state: CurrentState) -> Response:
    """Let the models answer again. What is still paused is answered."""
    wanted = await read_command(request, ResumeAnswers)
    _require(request, wanted.domain)
    await asyncio.to_thread(_resume, request, wanted)
    return await asyncio.to_thread(list_pauses, request, state)


def _resume(request: Request, wanted: ResumeAnswers) -> None:
    workspace, who = service_state(request).workspace, principal_of(request).name
    resume(workspace.store, wanted.domain or EVERY_DOMAIN, reason=wanted.reason, actor=who)
    workspace.champions.refresh()
    noted(request, "answers resumed", wanted.domain)
