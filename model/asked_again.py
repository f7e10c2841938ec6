"""What the models of now say of rows that were answered before, and why. It is no answer to anybody, so that nothing is
logged."""

from collections.abc import Mapping, Sequence
from itertools import chain

from database.records import Factor, Prediction
from model.service import PredictionService
from model.unanswered import silent_moments
from preprocessing.columns import columns_of
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow

AGAIN = "again"
"""The source of what is never logged."""


def answer_again(
    service: PredictionService, schema: DomainSchema, before: Sequence[Prediction], *, explain: int = 0
) -> list[Prediction]:
    """Of each row that somebody answers at now, in their order, under an id of its own; the others are left out.
    explain: so many factors of each answer."""
    silent = silent_moments(service, schema.name)
    asked = [one for one in before if one.moment not in silent]
    rows = [_row_of(one, number, schema) for number, one in enumerate(asked)]
    if not rows:
        return []
    batches = service.score_columns(schema, columns_of(rows, schema), source=AGAIN, actor=None, explain=explain)
    return sorted(chain.from_iterable(batches), key=lambda one: one.id)  # ids ascend as the rows do


def factors_of(
    service: PredictionService, schema: DomainSchema, before: Sequence[Prediction], target: str, *, most: int
) -> Mapping[str, tuple[Factor, ...]]:
    """By id of a prediction, what moved its answer about a target: as it was told then, or as the same model says now.
    Those whose model answers no more are left out."""
    found = {one.id: answer.factors[:most] for one in before for answer in one.answers if answer.target == target}
    open_ones = [one for one in before if not found.get(one.id)]
    silent = silent_moments(service, schema.name)
    asked = [one for one in open_ones if one.moment not in silent]
    versions = {one.id: answer.model for one in asked for answer in one.answers if answer.target == target}
    for one, again in zip(asked, answer_again(service, schema, asked, explain=most), strict=True):
        same = (answer for answer in again.answers if answer.target == target and answer.model == versions.get(one.id))
        found[one.id] = next((answer.factors for answer in same), ())
    return {id_: factors for id_, factors in found.items() if factors}


def _row_of(before: Prediction, number: int, schema: DomainSchema) -> ValidRow:
    inputs = {feature.name: before.inputs.get(feature.name) for feature in schema.features_at(before.moment)}
    return ValidRow(
        row=number,
        inputs=inputs,
        moment=before.moment,
        student=before.student,
        group=before.group,
        period=before.period,
    )
