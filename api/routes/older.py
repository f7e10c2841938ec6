"""Addresses of the systems before this one that do not predict: signing in, the cache, drift.

Their callers get the form that they read, of what the canonical routes know. Those that predict are
`api.fast.older_forms`'.
"""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from access.confined import confine_report
from access.roles import require
from api.routes.access import BadForm, sign_in
from api.routes.dependencies import OPEN, CurrentState, needs, noted, principal_of, schema_of
from api.routes.openapi import answers, takes
from api.schemas import OlderCleared, OlderDriftStatus, SignIn, Token, respond
from database.records import DriftRecord
from drift.policy import ALARMING

router = APIRouter(tags=["older systems"])
SIGNED_IN = answers(Token, words="signed in")

WATCHED = "school"
"""The domain that the older drift monitor was about."""

TOLD = ("test", "statistic", "p_value", "p_adjusted", "effect", "effect_low", "effect_high", "threshold", "verdict")
"""What is told of a column of a report."""

NO_REPORT = "no drift report of {} yet: gradewatch drift, or POST /api/v1/{}/drift, makes one"


@router.post("/auth/login", responses=SIGNED_IN, openapi_extra=takes(SignIn), dependencies=[OPEN])
@router.post("/login", responses=SIGNED_IN, openapi_extra=takes(SignIn), dependencies=[OPEN])
async def login(request: Request, state: CurrentState) -> Response:
    """Sign in with a name and a password as JSON; /api/v1/token takes them as a form."""
    return await sign_in(request, state, _read_sign_in)


def _read_sign_in(body: bytes) -> SignIn:
    try:
        return msgspec.json.decode(body, type=SignIn)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise BadForm('send {"username": "…", "password": "…"} as JSON') from None


@router.delete("/admin/cache/clear", responses=answers(OlderCleared), dependencies=[needs("operate")])
async def clear(
    request: Request,
    state: CurrentState,
    pattern: Annotated[str, Query(max_length=200, description="taken and not followed: entries have no names")] = "*",
) -> Response:
    """Empty the cache of answers, all of it: its entries are found by what was asked, not by a name."""
    await asyncio.to_thread(noted, request, "cache emptied")
    gone = await asyncio.to_thread(state.cache.clear)
    message = f"the whole cache was emptied, {gone:,} entries; it knows no patterns"
    return respond(OlderCleared(message=message, pattern=pattern, cleared=gone))


@router.get("/drift-status", responses=answers(OlderDriftStatus), dependencies=[needs("see")])
def drift_status(request: Request, state: CurrentState) -> Response:
    """The newest stored drift report of a school subject, in short."""
    require(principal_of(request), "see", WATCHED)
    schema = schema_of(state, WATCHED)
    found = state.workspace.store.drift_reports(WATCHED, limit=1)
    if not found:
        return respond(OlderDriftStatus(status="unknown", message=NO_REPORT.format(WATCHED, WATCHED)))
    return respond(_in_short(confine_report(found[0], principal_of(request).groups, schema)))


def _in_short(report: DriftRecord) -> OlderDriftStatus:
    columns = report.document.get("columns", ())
    moved = [one["column"] for one in columns if {one["verdict"], one["missing"]["verdict"]} & ALARMING]
    details: dict[str, dict[str, Any]] = {
        one["column"]: {"drift_detected": one["column"] in moved} | {name: one.get(name) for name in TOLD}
        for one in columns
    }
    return OlderDriftStatus(
        message=report.document.get("summary", ""),
        drift_detected=report.alarm,
        drifted_features_count=len(moved),
        timestamp=report.at,
        details=details,
        report=report.id,
    )
