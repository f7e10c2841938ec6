"""Addresses of the weekly system before this one: one student, some ranked, figures, and orders to learn.

Its callers get the form that they read, of what `…/students`, `…/performance`, `…/outcomes` and `…/retrain` know.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from datetime import time as clock_time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from access.roles import require
from api.jobs import status_of_job
from api.routes.dependencies import CurrentState, Day, NotFound, groups_of, needs, noted, principal_of, schema_of
from api.routes.openapi import answers, takes
from api.routes.outcomes import take_plain
from api.routes.uploads import read_command
from api.routes.weeks import weekly_answers
from api.schemas import (
    OlderAskStudent,
    OlderAskStudents,
    OlderCoverage,
    OlderFactor,
    OlderFigures,
    OlderRanked,
    OlderRisk,
    OlderRiskPrediction,
    OlderRisks,
    OlderUnanswered,
    OlderUpdate,
    OlderUpdated,
    respond,
)
from clock import now
from database.ingest import MatchedOutcomes, StoredOutcomes
from errors import Category, GradewatchError
from jobs.queue import RETRAINING, JobRequest
from model.microbatch import API_SOURCE
from monitoring.domain_performance import measure
from monitoring.weekly_answers import WeeklyAnswer
from preprocessing.validation.pii import pseudonym

router = APIRouter(prefix="/api/v1", tags=["older systems"])

SCHOOL_WEEKS = "k12"
"""The domain that the older system was about."""

Key = str | int


class NoOutcomes(GradewatchError):
    """Rows that are not plainly outcomes."""

    category = Category.INVALID


@router.post(
    "/predict", responses=answers(OlderRisk), openapi_extra=takes(OlderAskStudent), dependencies=[needs("predict")]
)
async def predict(request: Request) -> Response:
    """How a student stands this week, or by the end of `date_range`. A student without an answer has no score, and is
    told why; one that is unknown is not found."""
    asked = await read_command(request, OlderAskStudent)
    as_of = None if asked.date_range is None else asked.date_range.end
    [told] = await _asked(request, [asked.student_id], as_of, factors=asked.include_factors)
    if told.why_not == "unknown":
        raise NotFound(f"no student of that key in {SCHOOL_WEEKS}: {told.told}")
    return respond(_risk(asked.student_id, told))


@router.post(
    "/predict/batch",
    responses=answers(OlderRisks),
    openapi_extra=takes(OlderAskStudents),
    dependencies=[needs("predict")],
)
async def predict_batch(request: Request) -> Response:
    """The students with the largest risk first, `top_k` of them; whoever has no answer is named with the reason."""
    asked, begun = await read_command(request, OlderAskStudents), time.perf_counter()
    told = await _asked(request, asked.student_ids, None, factors=False)
    pairs = list(zip(asked.student_ids, told, strict=True))
    ranked = sorted((one for one in pairs if one[1].risk is not None), key=lambda one: -(one[1].risk or 0.0))
    return respond(
        OlderRisks(
            predictions=[
                OlderRanked(student_id=key, rank=place, risk_score=one.risk or 0.0, risk_category=one.level, answer=one)
                for place, (key, one) in enumerate(ranked[: asked.top_k], 1)
            ],
            unanswered=[
                OlderUnanswered(student_id=key, why_not=one.why_not, details=one.told)
                for key, one in pairs
                if one.risk is None
            ],
            processing_time_ms=round((time.perf_counter() - begun) * 1000, 3),
        )
    )


@router.get("/metrics", responses=answers(OlderFigures), dependencies=[needs("see")])
def metrics(
    request: Request,
    state: CurrentState,
    start_date: Annotated[Day | None, Query(description="of answers from that day on")] = None,
) -> Response:
    """How the answers turned out, and of how many students what came of them is known; told as performance is."""
    whoever = principal_of(request)
    require(whoever, "read" if start_date else "see", SCHOOL_WEEKS)
    schema, store = schema_of(state, SCHOOL_WEEKS), state.workspace.store
    since = start_date and datetime.combine(start_date, clock_time.min, tzinfo=UTC)
    choice: Any = {"since": since, "groups": groups_of(request)}
    found = measure(store, schema, learned=state.workspace.learned, **choice)
    figures = found.targets[0]
    count = store.count_predictions(SCHOOL_WEEKS, **choice)
    coverage = OlderCoverage(predictions=count, with_outcome=figures.n, students=figures.students)
    return respond(OlderFigures(performance_metrics=figures, data_coverage=coverage, fairness=found.fairness))


@router.post(
    "/train/update",
    status_code=202,
    responses=answers(OlderUpdated, 202, "started"),
    openapi_extra=takes(OlderUpdate),
    dependencies=[needs("retrain")],
)
async def update(request: Request, state: CurrentState) -> Response:
    """Keep what became of students, corrections after it, and have a retraining done, which promotes only what is
    better. Rows are those of …/outcomes. When it is done nobody knows before: see status_url."""
    sent, whoever = await read_command(request, OlderUpdate), principal_of(request)
    require(whoever, "upload", SCHOOL_WEEKS)
    rows = [dict(one) for one in (*sent.student_outcomes, *sent.feedback_corrections)]
    stored = await asyncio.to_thread(_keep, request, rows) if rows else None
    await asyncio.to_thread(noted, request, "retraining started", SCHOOL_WEEKS)
    arguments = {"target": None, "moment": None, "task": "both", "dry_run": False}
    job = await state.background.ask(JobRequest(RETRAINING, SCHOOL_WEEKS, whoever.name, arguments), alone=True)
    told = OlderUpdated(
        update_id=job.id, status=status_of_job(job).state, status_url=f"/api/v1/jobs/{job.id}", outcomes=stored
    )
    return respond(told, 202, {"location": told.status_url})


def _keep(request: Request, rows: list[dict[str, Any]]) -> StoredOutcomes:
    stored = take_plain(request, SCHOOL_WEEKS, rows, dry=False)
    if stored is None or isinstance(stored, MatchedOutcomes):
        told = "prediction_id, or student_id and week; and a target's value"
        raise NoOutcomes(f"rows are those of POST /api/v1/{SCHOOL_WEEKS}/outcomes: {told}")
    return stored


async def _asked(request: Request, keys: Sequence[Key], as_of: date | None, *, factors: bool) -> list[WeeklyAnswer]:
    require(principal_of(request), "predict", SCHOOL_WEEKS)
    state, groups = request.app.state.service_state, groups_of(request)
    students = [pseudonym(str(key), state.workspace.secret) for key in keys]

    def ask() -> list[WeeklyAnswer]:
        noted(request, "students listed", SCHOOL_WEEKS, groups=groups, found=len(students))
        weekly, whoever = weekly_answers(state, SCHOOL_WEEKS), principal_of(request).name
        return weekly.answers(students, source=API_SOURCE, actor=whoever, as_of=as_of, factors=factors, groups=groups)

    return await asyncio.to_thread(ask)


def _risk(key: Key, told: WeeklyAnswer) -> OlderRisk:
    at = told.at or now()
    factors = tuple(
        OlderFactor(factor=one.theme, weight=one.points, details=f"{one.column}: {one.value}, usually {one.reference}")
        for one in told.factors
    )
    prediction = OlderRiskPrediction(
        id=told.prediction, student_id=key, risk_score=told.risk, risk_category=told.level, interval=told.interval,
        risk_factors=factors, model_version=told.model, prediction_date=at,
    )  # fmt: skip
    return OlderRisk(
        prediction=prediction, contributing_factors=factors, timestamp=at, why_not=told.why_not, details=told.told,
        answer=told,
    )  # fmt: skip
