"""What help did to outcomes, in each way that there is, and how far answers missed for whom."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from access.roles import require
from api.routes.dependencies import CurrentState, Instant, at_utc, groups_of, needs, principal_of, schema_of, target_of
from api.routes.openapi import answers
from api.schemas import respond
from monitoring.at_risk import ranked_target
from reports.effect_report import EffectReport, report_effects

router = APIRouter(prefix="/api/v1/{domain}/effects", tags=["results"])


@router.get("", responses=answers(EffectReport), dependencies=[needs("see")])
def effects(
    domain: str,
    request: Request,
    state: CurrentState,
    target: Annotated[str | None, Query(description="the first one with a pass mark if none")] = None,
    kind: Annotated[str | None, Query(description="of help, beside who got none; all if none")] = None,
    since: Annotated[Instant | None, Query(description="of predictions made from then on")] = None,
) -> Response:
    """What help did to the outcome, in each way that there is, the best trusted first and those that show nothing, too:
    n, a 95 % interval, how far to trust it and what speaks against it. Of fewer than ten students nothing is told; to
    choose by `kind` or `since` takes the permission to read predictions. Whoever is confined to groups is told of these
    alone."""
    if kind is not None or since is not None:  # two choices that differ by one student would tell of that one
        require(principal_of(request), "read", domain)
    schema = schema_of(state, domain)
    target_of(schema, target)
    about, groups = ranked_target(schema, target), groups_of(request)
    return respond(report_effects(state.workspace.store, schema, about, since=at_utc(since), kind=kind, groups=groups))
