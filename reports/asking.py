"""Asks the prediction service about a cohort: each row once, logged under an id that its report gives it.

Asked again by whoever does a killed maker's work, a student has the answer that was logged first.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain

import msgspec

from database.records import Answer, Prediction, digest
from database.store import PredictionLog
from model.service import PredictionService
from model.unanswered import require_answers, silent_moments
from preprocessing.columns import columns_of
from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.json_rows import ValidRow
from reports.changes import said_about
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
    said = _scored(service, schema, asked, actor, TOLD_REASONS)
    named = [msgspec.structs.replace(one, id=digest([report, one.student]), at=at) for one in said]
    log.add_predictions(named)
    return {one.student: one for one in log.predictions_of([one.id for one in named]) if one.student is not None}


def answers_now(
    service: PredictionService, schema: DomainSchema, before: Sequence[Prediction], target: Target
) -> dict[str, Answer]:
    """Student to what the models of now say of a row of then: no answer to anybody, so that it is not logged. Without
    those at whose moment nobody answers now."""
    silent = silent_moments(service, schema.name)
    rows = [_as_row(one, number, schema) for number, one in enumerate(before) if one.moment not in silent]
    said = _scored(service, schema, rows, None, 0)
    return {one.student: answer for one in said if one.student and (answer := said_about(one, target))}


def _as_row(before: Prediction, number: int, schema: DomainSchema) -> ValidRow:
    inputs = {feature.name: before.inputs.get(feature.name) for feature in schema.features_at(before.moment)}
    return ValidRow(
        row=number,
        inputs=inputs,
        moment=before.moment,
        student=before.student,
        group=before.group,
        period=before.period,
    )


def _scored(
    service: PredictionService, schema: DomainSchema, rows: Sequence[ValidRow], actor: str | None, explain: int
) -> Iterator[Prediction]:
    tables = columns_of(rows, schema)
    batches = service.score_columns(schema, tables, source=REPORT_SOURCE, actor=actor, explain=explain)
    return chain.from_iterable(batches)
