"""Asks the prediction service about a cohort: each row once, logged under an id that its report gives it.

Asked again by whoever does a killed maker's work, a student has the answer that was logged first.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import msgspec

from database.records import Answer, Prediction, digest
from database.store import PredictionLog
from model.asked_again import answer_again
from model.readable import said_about
from model.service import PredictionService
from model.unanswered import require_answers, silent_moments
from preprocessing.columns import columns_of
from preprocessing.schema import DomainSchema, Target
from reports.cohort import CohortRow
from reports.records import REPORT_SOURCE

TOLD_REASONS = 3
"""Of each answer: more are not read."""


def ask_cohort(
    service: PredictionService,
    log: PredictionLog,
    schema: DomainSchema,
    rows: Sequence[CohortRow],
    *,
    report: str,
    actor: str,
    at: datetime,
) -> dict[str, Prediction]:
    """Student to the logged answers, without those at whose moment nobody answers. Raises NoChampion where that is
    everybody, SchemaChanged, StoreUnavailable."""
    silent = silent_moments(service, schema.name)
    require_answers(silent, sorted({one.row.moment for one in rows}))
    asked = [one.row for one in rows if one.row.moment not in silent]
    tables = columns_of(asked, schema)
    batches = service.score_columns(schema, tables, source=REPORT_SOURCE, actor=actor, explain=TOLD_REASONS)
    said = chain.from_iterable(batches)
    named = [msgspec.structs.replace(one, id=digest([report, one.student]), at=at) for one in said]
    log.add_predictions(named)
    return {one.student: one for one in log.predictions_of([one.id for one in named]) if one.student is not None}


def answers_now(
    service: PredictionService, schema: DomainSchema, before: Sequence[Prediction], target: Target
) -> dict[str, Answer]:
    """Student to what the models of now say of a row of then: no answer to anybody, so that it is not logged. Without
    those at whose moment nobody answers now."""
    said = answer_again(service, schema, before)
    return {one.student: answer for one in said if one.student and (answer := said_about(one, target))}
