"""Students by their newest answers, and what they may be advised."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from access.roles import require_groups
from advice.advise import Advice, advise, advise_student
from advice.positions import Place
from api.routes.dependencies import (
    HEX,
    CurrentState,
    Instant,
    at_utc,
    groups_of,
    logged_prediction,
    needs,
    noted,
    principal_of,
    pseudonym_of,
    schema_of,
    target_of,
)
from api.routes.openapi import answers
from api.schemas import respond
from database.newest import Which
from jobs.queue import ask_in_passing
from monitoring.at_risk import AtRisk, at_risk

router = APIRouter(prefix="/api/v1/{domain}", tags=["students"])
MOST_RANKED = 500


def which_of(
    request: Request,
    group: Annotated[str | None, Query(description="only of this group")] = None,
    period: Annotated[str | None, Query(description="only of this period")] = None,
    since: Annotated[Instant | None, Query(description="only answers from then on, with its zone")] = None,
) -> Which:
    """The answers that are asked for, as a FastAPI dependency. Raises Forbidden for another's group."""
    if group is not None:
        require_groups(principal_of(request), [group])
    return Which(groups_of(request) if group is None else [group], period, at_utc(since))


@dataclass(frozen=True)
class Ranked:
    """How students are listed, as a FastAPI dependency."""

    order: Annotated[Literal["risk"], Query(description="by the chance of ending below the pass mark")] = "risk"
    top_k: Annotated[int, Query(ge=1, le=MOST_RANKED, description="so many students")] = 100
    target: Annotated[str | None, Query(description="the first one with a pass mark by default")] = None
    at_least: Annotated[float, Query(ge=0, le=1, description="only students with so large a chance")] = 0.0
    warned: Annotated[bool, Query(description="only those whom the warning policy in use warns of")] = False
    after: Annotated[str | None, Query(description="`next` of the page before")] = None


@router.get("/students", responses=answers(AtRisk), dependencies=[needs("read")])
def students(
    domain: str,
    request: Request,
    state: CurrentState,
    which: Annotated[Which, Depends(which_of)],
    ranked: Annotated[Ranked, Depends()],
) -> Response:
    """The newest answer of each student, in each group and period, the likeliest to end below the pass mark first."""
    schema, target = schema_of(state, domain), ranked.target
    target_of(schema, target)
    least, after, limit = ranked.at_least, ranked.after, ranked.top_k
    store, sees_all = state.workspace.store, groups_of(request) is None
    paged: dict[str, Any] = {"least": least, "after": after, "limit": limit, "warned": ranked.warned}
    found = at_risk(store, schema, target, which=which, sees_all=sees_all, objected=state.workspace.objections, **paged)
    if found.behind:
        ask_in_passing(store, principal_of(request).name)
    noted(request, "students listed", domain, groups=which.groups, period=which.period, found=len(found.students))
    return respond(found)


@router.get("/students/{student}/advice", responses=answers(Advice), dependencies=[needs("read")])
def advice(
    domain: str,
    student: Annotated[str, Path(description="pseudonym, as answers give it", json_schema_extra=HEX)],
    request: Request,
    state: CurrentState,
    group: Annotated[str | None, Query(description="by the newest answer in this group")] = None,
    period: Annotated[str | None, Query(description="with group: in this period")] = None,
) -> Response:
    """A student's results beside those of the others, what stands out that can be changed, and a study plan."""
    schema, who = schema_of(state, domain), pseudonym_of(student)
    place = None
    if group is not None:
        require_groups(principal_of(request), [group])
        place = Place(group, period)
    noted(request, "student looked up", domain, student=who)
    groups, objected = groups_of(request), state.workspace.objections
    return respond(
        advise_student(
            state.workspace.store, schema, state.catalogue, student, groups=groups, place=place, objected=objected
        )
    )


@router.get("/predictions/{id}/advice", responses=answers(Advice), dependencies=[needs("read")])
def advice_by_prediction(domain: str, id: str, request: Request, state: CurrentState) -> Response:
    """The same by one logged prediction, whether or not its row named a student."""
    found = logged_prediction(request, domain, id)
    noted(request, "prediction read", domain, prediction=found.id, student=found.student)
    schema, store, objected = schema_of(state, domain), state.workspace.store, state.workspace.objections
    return respond(advise(store, schema, state.catalogue, found, groups=groups_of(request), objected=objected))
