"""Students by their newest answers."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from access.roles import require_groups
from api.fast.parameters import BadQueryParameter
from api.routes.dependencies import CurrentState, Instant, at_utc, groups_of, needs, noted, principal_of, schema_of
from api.routes.openapi import answers
from api.schemas import respond
from database.newest import Which
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
    if target is not None and target not in schema.target_by_name:
        raise BadQueryParameter(f"target is one of {', '.join(schema.target_by_name)}")
    least, after, limit = ranked.at_least, ranked.after, ranked.top_k
    found = at_risk(state.workspace.store, schema, target, which=which, least=least, after=after, limit=limit)
    noted(request, "students listed", domain, found=len(found.students))
    return respond(found)
