"""What changed for students: whose answer moved, by new data, another model or another warning policy."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from access.required_reading import note_read
from access.roles import Forbidden
from api.routes.dependencies import CurrentState, Instant, at_utc, needs, principal_of, schema_of, target_of
from api.routes.openapi import answers
from api.routes.students import which_of
from api.schemas import ChangeReports, respond
from clock import now
from database.newest import Which
from jobs.queue import ask_in_passing
from model.registry import find_model
from monitoring.change_reports import change_reports
from monitoring.what_changed import A_WEEK, WhatChanged, what_changed

router = APIRouter(prefix="/api/v1/{domain}", tags=["students"])


@router.get("/changes", responses=answers(WhatChanged), dependencies=[needs("read")])
def changes(
    domain: str,
    request: Request,
    state: CurrentState,
    which: Annotated[Which, Depends(which_of)],
    target: Annotated[str | None, Query(description="the domain's first if none")] = None,
    from_: Annotated[Instant | None, Query(alias="from", description="since when; a week ago if none")] = None,
    version: Annotated[str | None, Query(description="of a model: what it would change beside the one in use")] = None,
    top_k: Annotated[int, Query(ge=0, le=500, description="so many of the largest moves")] = 20,
) -> Response:
    """Whose newest answers moved, by how much by new data and by another model, and who came onto the list of those to
    warn of, or left it, by these and by another policy; or what a model would change, which whoever promotes one by
    hand has to have read. Every part is exact: models of then and of now are asked again, and nothing is logged."""
    schema, store = schema_of(state, domain), state.workspace.store
    target_of(schema, target)
    model = None if version is None else find_model(store, version, domain)
    about = schema.target_by_name[model.target if model else target or schema.targets[0].name]
    begun = at_utc(from_) or now() - A_WEEK
    found = what_changed(state.workspace, schema, about, begun, which, most=top_k, model=model)
    if found.behind:
        ask_in_passing(store, principal_of(request).name)
    note_read(store, principal_of(request).name, found, which)
    return respond(found)


@router.get("/changes/reports", responses=answers(ChangeReports), dependencies=[needs("see")])
def kept_changes(
    domain: str, request: Request, state: CurrentState, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> Response:
    """Reports of what changed, newest first: a job makes one by itself after each promotion, change of the warning
    policy and load of data. They name nobody, and are of all groups: 403 for whoever is confined to some."""
    schema_of(state, domain)
    if principal_of(request).groups is not None:
        raise Forbidden("such a report tells of all groups, and you are confined to some; ask …/changes")
    return respond(ChangeReports(reports=change_reports(state.workspace.store, domain, limit=limit)))
