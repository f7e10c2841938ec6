"""What needs a person, and saying that it is known."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.routes.dependencies import CurrentState, needs, principal_of, schema_of, service_state
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import Acknowledge, Conditions, respond
from overview.acknowledgements import acknowledge, find_condition
from overview.conditions import find_conditions
from overview.describing import tell_condition
from overview.records import JUDGES, Held, ToldCondition

router = APIRouter(prefix="/api/v1/conditions", tags=["operation"])


@router.get("", responses=answers(Conditions), dependencies=[needs("see")])
def conditions(
    request: Request,
    state: CurrentState,
    domain: Annotated[str | None, Query(description="all of one's own by default")] = None,
) -> Response:
    """What needs a person now, the most harmful first, and who has seen it. Whoever is confined to groups is told of
    these alone."""
    domains = [] if domain is None else [schema_of(state, domain).name]
    found = find_conditions(state.workspace, principal_of(request), domains)
    return respond(Conditions(conditions=[tell_condition(one, state.workspace.schemas) for one in found]))


@router.post(
    "",
    status_code=201,
    responses=answers(ToldCondition, 201, "seen, for all, until it is worse or comes back"),
    openapi_extra=takes(Acknowledge),
    dependencies=[needs(JUDGES)],
)
async def see(request: Request) -> Response:
    """Say for all that a condition is known. The note is kept for good and names nobody."""
    wanted = await read_command(request, Acknowledge)
    return respond(await asyncio.to_thread(_see, request, wanted), 201)


def _see(request: Request, wanted: Acknowledge) -> ToldCondition:
    workspace, viewer = service_state(request).workspace, principal_of(request)
    condition = find_condition(find_conditions(workspace, viewer), wanted.condition)
    seen = acknowledge(workspace.store, condition, viewer, wanted.note)
    return tell_condition(Held(condition=condition, seen=seen), workspace.schemas)
