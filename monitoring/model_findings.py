"""What a drift report cannot learn from profiles: the classifier two-sample test of rows, and what a model expects of
them.

It finds the rows and asks the model; what follows for the report is decided in `drift.compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

import numpy as np
import polars as pl
from numpy.typing import NDArray

from drift.answers import Said, summarise_said
from drift.classifier_test import ClassifierResult, run_classifier_test
from drift.compare import Findings
from drift.effective_size import EffectiveShare
from drift.impact import ExpectedError
from drift.profile import PREDICTION
from model.answer_frame import numbers_of, outputs_of
from model.bundle import Manifest
from model.expectation import expect_error
from model.predictor import Predictor
from model.workspace import Workspace
from monitoring.samples import training_rows
from preprocessing.schema import DomainSchema


def part_rows(
    reference: pl.DataFrame, current: pl.DataFrame, schema: DomainSchema, columns: Sequence[str] | None = None
) -> ClassifierResult | None:
    """The classifier two-sample test of the rows of two typed frames; None where they are too few.

    columns: those looked at, every feature by default. Rows of one group, or else of one student, count as one unit.
    """
    groups = (_groups(reference), _groups(current))
    return run_classifier_test(reference, current, schema, columns=columns, groups=groups)


def findings_of(
    workspace: Workspace,
    predictor: Predictor,
    schema: DomainSchema,
    current: pl.DataFrame,
    reference: pl.DataFrame | None = None,
) -> Findings:
    """What a model and the rows say of typed `current` rows, all of which it answers.

    reference: the rows compared with; the predictor's own training rows, where they are still stored, if None; of many
    a random sample, of which the findings then say how large it was.
    """
    taught = training_rows(workspace, predictor, schema) if reference is None else None
    earlier = taught.frame if taught else reference
    known = [feature.name for feature in schema.features_at(predictor.manifest.moment)]
    before = predictor.manifest.said if reference is None else said_of(predictor, reference, schema)
    after, target = said_of(predictor, current, schema), predictor.manifest.target.name
    return Findings(
        classifier=None if earlier is None else part_rows(earlier, current, schema, known),
        expected=expect_of(predictor, current, schema),
        said={target: (before, after)} if before and after else {},
        sampled=taught.describe("of training") if taught else "",
    )


def complete_inputs(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a typed frame that the predictor answers: those with every input that is not optional."""
    return frame.drop_nulls([f.name for f in schema.inputs_at(predictor.manifest.moment) if not f.optional])


def with_answers(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """A typed frame with what the predictor says of each row, None where a row lacks an input."""
    needed = [f.name for f in schema.inputs_at(predictor.manifest.moment) if not f.optional]
    answered = frame.select(pl.all_horizontal(pl.lit(value=True), *(pl.col(n).is_not_null() for n in needed)))
    places, levels = answered.to_series().arg_true(), predictor.manifest.target.levels
    numbers = numbers_of(predictor, frame[places]) if len(places) else np.empty(0)
    given = pl.Series(levels, dtype=pl.String).gather(numbers.astype(np.uint32)) if levels else pl.Series(numbers)
    said = pl.Series([None], dtype=pl.String if levels else pl.Float64).new_from_index(0, frame.height)
    return frame.with_columns(said.scatter(places, given).alias(PREDICTION + predictor.manifest.target.name))


def effective_shares_of_model(manifest: Manifest) -> dict[str, EffectiveShare]:
    """The effective sample size over rows of the champion's stored reference, by column."""
    return {name: EffectiveShare(*effective) for name, effective in manifest.effective_shares.items()}


def said_of(predictor: Predictor, frame: pl.DataFrame, schema: DomainSchema) -> Said | None:
    """The probabilities that the predictor gives to each class in a typed frame; None for values, and of few rows."""
    complete = complete_inputs(predictor, schema, frame)
    if predictor.manifest.target.kind == "value" or complete.is_empty():
        return None
    units = len(np.unique(_groups(complete)))
    return summarise_said(predictor.manifest.target.levels, outputs_of(predictor, complete), units / complete.height)


def expect_of(predictor: Predictor, frame: pl.DataFrame, schema: DomainSchema) -> ExpectedError | None:
    """The error to be expected of a model's answers to a typed frame; None without complete rows, or without a table of
    held-out errors in the bundle."""
    manifest = predictor.manifest
    complete = complete_inputs(predictor, schema, frame)
    if manifest.errors is None or complete.is_empty():
        return None
    beyond = [
        (pl.col(name) < low) | (pl.col(name) > high)
        for name, (low, high) in manifest.ranges.items()
        if name in complete.columns
    ]
    outside = complete.select(reduce(or_, beyond).fill_null(value=False).mean()).item() if beyond else 0.0
    outputs = outputs_of(predictor, complete)
    return expect_error(manifest.target, manifest.errors, outputs, outside=float(outside or 0.0))


def _groups(frame: pl.DataFrame) -> NDArray[np.str_]:
    """(n,) the group and period of each row, else its student; a row without either stands alone.

    A student who was asked about every day is many equal rows: a model would know some of them by the others.
    """
    group = pl.format("{}\x1f{}", pl.col("_group"), pl.col("_period").fill_null(""))
    student = pl.format("student {}", pl.col("_student"))
    own = pl.format("row {}", pl.int_range(pl.len()))
    return frame.select(pl.coalesce(group, student, own)).to_series().to_numpy().astype(str)
