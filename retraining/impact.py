"""What a drift report cannot learn from profiles: whether rows can be told apart, and what error to expect of them.

It finds the rows and asks the model; what follows for the report is decided in `drift.report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

import numpy as np
import polars as pl
from numpy.typing import NDArray

from drift.impact import ExpectedError
from drift.report import DriftReport, add_findings
from drift.separation import separate
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle
from model.expectation import expect_error
from model.home import Home
from model.predictor import Predictor
from model.registry import load_bundle
from preprocessing.encode import encode_rows
from preprocessing.schema import DomainSchema
from preprocessing.validate import frame_of, rows_of


def add_rows(
    report: DriftReport,
    reference: pl.DataFrame,
    current: pl.DataFrame,
    schema: DomainSchema,
    columns: Sequence[str] | None = None,
) -> DriftReport:
    """The report with how well the rows of two typed frames are told apart; as it was where they are too few.

    columns: those looked at, every feature by default. Rows of one group, or else of one student, count as one unit.
    """
    groups = (_groups(reference), _groups(current))
    separation = separate(reference, current, schema, columns=columns, groups=groups)
    return add_findings(report, separation=separation) if separation else report


def add_model(
    home: Home,
    report: DriftReport,
    predictor: Predictor,
    current: pl.DataFrame,
    schema: DomainSchema,
    reference: pl.DataFrame | None = None,
) -> DriftReport:
    """The report with what the `reference` rows (the champion's own training rows, where they are still stored, if
    None) and its held-out errors say about the current rows."""
    expected = expect_of(predictor, current, schema)
    report = add_findings(report, expected=expected) if expected else report
    taught = training_rows(home, predictor, schema) if reference is None else reference
    if taught is None:
        return report
    known = [feature.name for feature in schema.features_at(predictor.manifest.moment)]
    return add_rows(report, taught, current, schema, known)


def training_rows(home: Home, predictor: Predictor, schema: DomainSchema) -> pl.DataFrame | None:
    """The stored rows that a model learned from; None where its bundle or all of them are gone."""
    try:
        known = load_bundle(home.artifacts, predictor.version).rows
    except (MissingArtifact, CorruptArtifact, BrokenBundle):
        return None
    records = [record for record in home.store.labeled_records(schema.name) if record.id in known]
    return frame_of(records, schema) if records else None


def expect_of(predictor: Predictor, frame: pl.DataFrame, schema: DomainSchema) -> ExpectedError | None:
    """The error to be expected of a model's answers to a typed frame; None without complete rows, or without a table of
    held-out errors in the bundle."""
    manifest = predictor.manifest
    complete = frame.drop_nulls([f.name for f in schema.inputs_at(manifest.moment) if not f.optional])
    if manifest.errors is None or complete.is_empty():
        return None
    outputs = predictor.outputs(encode_rows(manifest.encoding, [row.inputs for row in rows_of(complete, schema)]))
    beyond = [
        (pl.col(name) < low) | (pl.col(name) > high)
        for name, (low, high) in manifest.ranges.items()
        if name in complete.columns
    ]
    outside = complete.select(reduce(or_, beyond).fill_null(value=False).mean()).item() if beyond else 0.0
    return expect_error(manifest.target, manifest.errors, outputs, outside=float(outside or 0.0))


def _groups(frame: pl.DataFrame) -> NDArray[np.str_]:
    """(n,) the group and period of each row, else its student; a row without either stands alone.

    A student who was asked about every day is many equal rows: a model would know some of them by the others.
    """
    group = pl.format("{}\x1f{}", pl.col("_group"), pl.col("_period").fill_null(""))
    student = pl.format("student {}", pl.col("_student"))
    own = pl.format("row {}", pl.int_range(pl.len()))
    return frame.select(pl.coalesce(group, student, own)).to_series().to_numpy().astype(str)
