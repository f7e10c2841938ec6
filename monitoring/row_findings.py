"""What a champion tells a drift report: the data that it learned from, read as its domain's file is now; what it says
of rows; and whether a classifier parts them from those that it learned.

A change of the file that leaves values what they were leaves them comparable; a column whose values mean something else
is left out by name, and one that the model reads stops the model itself (`preprocessing.schema_changes`). Rows are all
there are, or a random sample that is the same each time and says how large it is. Columns are counted by profiles, in
which every row counts; what follows for the report is decided in `drift.compare`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from random import Random
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.layout import unpack_ids
from database.records import BatchRow, ChampionKey, LabeledRecord, Prediction, record_id
from drift.classifier_test import ClassifierResult, run_classifier_test
from drift.column import PREDICTION, CategoricalColumn, Column
from drift.compare import Findings
from drift.impact import ExpectedError, Said
from drift.profile import Profile, count_context
from drift.records import NotComparable, NotCompared, Provenance
from drift.samples import effective_shares_of_context
from drift.statistics import EACH_ROW, EffectiveShare, EffectiveShares
from drift.univariate import aligned
from drift.verdicts import conclude, measure
from model.bundle import Manifest, changes_since
from model.expected_error import expect_error
from model.predictor import Predictor
from model.registry import NoChampion, Serving
from model.workspace import Workspace
from monitoring.sampling import ROWS_A_SIDE, pairs_of
from preprocessing.copies import ORDINARY, copies
from preprocessing.schema import DomainSchema
from preprocessing.schema_changes import Effect, changed_columns
from preprocessing.validation.results import RefusedValues
from preprocessing.validation.rules import Problem
from preprocessing.validation.tables import frame_of_records

KNOWN_GROUPS = 0.5  # share of rows, of each side, whose group the other side has too

T = TypeVar("T")


class Sample(NamedTuple):
    """Typed rows, with what was answered: all of `total`, or as many of them as `frame` holds, drawn at random.

    refused, notes, problems: of the file that they are from, as `preprocessing.validation.results.Observed` has them.
    """

    frame: pl.DataFrame
    total: int
    refused: tuple[RefusedValues, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def share(self) -> float:
        return min(1.0, self.frame.height / max(1, self.total))

    def describe(self, whose: str) -> str:
        """How many were read, in words; nothing where that is all.

        >>> Sample(pl.DataFrame({"x": [1]}), 3).describe("rows of now")
        '1 of 3 rows of now'
        """
        return f"{self.frame.height:,} of {self.total:,} {whose}" if self.share < 1 else ""


def reference_of(manifest: Manifest, profile: Profile, schema: DomainSchema) -> Profile:
    """A profile that goes with a model, of the columns that mean now what they meant when it learned.

    Raises NotComparable where the model does not fit the schema, or is too old to say what it learned.
    """
    if profile.fingerprint == schema.fingerprint:
        return profile
    return profile.read_as(schema.fingerprint, without=[one.column for one in changed_of(manifest, schema)])


def origin_of(predictor: Predictor) -> Provenance:
    """Which model a report asks."""
    manifest = predictor.manifest
    return Provenance(moment=manifest.moment, model=predictor.version, candidate=manifest.candidate)


def population_of(predictor: Predictor, schema: DomainSchema) -> Profile:
    """All rows that were offered to the predictor's training, those that lack an input included: what a file is
    compared with, whose rows may lack some too. (Logged predictions lack none: they were asked for at their moment.)"""
    answered = Profile.from_bytes(predictor.profile)
    whole = answered + Profile.from_bytes(predictor.aside) if predictor.aside else answered
    return reference_of(predictor.manifest, whole, schema)


def changed_of(manifest: Manifest, schema: DomainSchema) -> tuple[NotCompared, ...]:
    """The columns that mean something else now, and what has changed. Raises as `reference_of`."""
    if manifest.schema == schema.fingerprint:
        return ()
    what = f"the model learned another {schema.name} than its file describes now"
    if stopping := [one.words for one in changes_since(manifest, schema) if one.effect is Effect.STOP]:
        raise NotComparable(f"{what}: {'; '.join(stopping)}")
    if not manifest.learned:
        raise NotComparable(f"{what}, and is too old to say in what they differ; train a new one")
    found = changed_columns(manifest.learned, schema, moment=manifest.moment, seen=manifest.ranges)
    return tuple(NotCompared(name, f"means something else since the model learned: {why}") for name, why in found)


def comparable_features(manifest: Manifest, schema: DomainSchema) -> list[str]:
    """The features known at the model's moment of which what it learned from tells something. Raises as
    `reference_of`."""
    here = [feature.name for feature in schema.features_at(manifest.moment)]
    if manifest.schema == schema.fingerprint:
        return here
    changed = {one.column for one in changed_of(manifest, schema)}
    known = {feature["name"] for feature in manifest.learned["features"]} - changed
    return [name for name in here if name in known]


def training_rows(
    workspace: Workspace, predictor: Predictor, schema: DomainSchema, limit: int = ROWS_A_SIDE
) -> Sample | None:
    """The stored rows that a model learned from, of more than `limit` so many drawn at random; None where its bundle or
    all of them are gone."""
    known = frozenset(unpack_ids(predictor.learned))
    rows: list[BatchRow | LabeledRecord] = [
        *workspace.store.newest_rows(schema.name, draw(sorted(known), limit), "labeled")
    ]
    if len(rows) < min(limit, len(known)):  # the others came as predictions, which are not found by record
        pairs = pairs_of(workspace.store, schema.name, predictor.manifest.target.name, limit=2 * limit)
        here = known - {row.record for row in rows if isinstance(row, BatchRow)}
        asked = {_record(one): one for one, _, _ in reversed(pairs)}  # the newest of each stays
        rows += [as_record(one) for record, one in asked.items() if record in here][: limit - len(rows)]
    return Sample(frame_of_records(rows, schema), len(known)) if rows else None


def draw(rows: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the rows, in their order, drawn at random; the same each time."""
    if len(rows) <= most:
        return rows
    return [rows[place] for place in sorted(Random(0).sample(range(len(rows)), most))]  # noqa: S311 (no secret)


def _record(asked: Prediction) -> str:
    return record_id(asked.domain, asked.student, asked.group, asked.period, asked.inputs)


def as_record(asked: Prediction) -> LabeledRecord:
    """What was asked, as a record whose outcome nobody knows."""
    return LabeledRecord(
        id=asked.id,
        domain=asked.domain,
        inputs=asked.inputs,
        targets={},
        at=asked.at,
        student=asked.student,
        group=asked.group,
        period=asked.period,
    )


def widest_champion(workspace: Workspace, schema: DomainSchema, columns: Collection[str]) -> Serving:
    """The champion of the latest moment whose inputs are among `columns`, for the first target that has one; where none
    has all of its inputs there, that of the latest moment which has any of its own."""
    moments = [moment for moment in reversed(schema.moments) if _champion_at(workspace, schema, moment)]
    whole = [m for m in moments if all(f.optional or f.name in columns for f in schema.inputs_at(m))]
    part = [m for m in moments if any(f.name in columns and m == schema.moment_of([f.name]) for f in schema.features)]
    for moment in [*whole, *part]:
        if (serving := _champion_at(workspace, schema, moment)) is not None:
            return serving
    stopped = [one for key, one in workspace.champions.stopped.items() if key.domain == schema.name]
    if stopped:
        why = "; ".join(stopped[0].why)
        raise NoChampion(f"{schema.name} is not what its champion learned: {why}; train one, or name a reference file")
    raise NoChampion(f"no champion for {schema.name} sees these columns; train one, or name a reference file")


def _champion_at(workspace: Workspace, schema: DomainSchema, moment: str) -> Serving | None:
    keys = [ChampionKey(schema.name, target.name, moment) for target in schema.targets]
    return next((workspace.champions.loaded[key] for key in keys if key in workspace.champions.loaded), None)


def part_rows(
    reference: pl.DataFrame, current: pl.DataFrame, schema: DomainSchema, columns: Sequence[str] | None = None
) -> ClassifierResult | None:
    """The classifier two-sample test of the rows of two typed frames; None where they are too few.

    columns: those looked at, every feature by default. Rows of one group, or else of one student, count as one unit, as
    do copies of one row under whatever keys: a model would know some of them by the others.
    """
    names = [name for name in columns or schema.feature_by_name if {name} <= {*reference.columns} & {*current.columns}]
    if not names:
        return None
    both = pl.concat([side.select(names) for side in (reference, current)], how="vertical_relaxed")
    labels = np.concatenate([_groups(reference), _groups(current)]).astype(object)
    if both.is_duplicated().any():
        copied = copies(both, names)
        labels[copied != ORDINARY] = [f"copy {first}" for first in copied[copied != ORDINARY]]
    groups = labels[: reference.height].astype(str), labels[reference.height :].astype(str)
    return run_classifier_test(reference, current, schema, columns=columns, groups=groups)


class RowContext(NamedTuple):
    """How often each group, and each value of further columns that place a row, occurs in a sample, and what rows of
    it are worth there in independent rows."""

    columns: Mapping[str, Column]
    effective: EffectiveShares


def context_of(frame: pl.DataFrame, schema: DomainSchema) -> RowContext:
    """That of a typed frame."""
    columns = count_context(frame, schema).columns
    return RowContext(columns, effective_shares_of_context(frame, schema, columns))


def context_of_model(predictor: Predictor) -> RowContext | None:
    """That of the rows offered to the predictor's training; None in older bundles, and where nothing places rows."""
    if not predictor.context:
        return None
    return RowContext(Profile.from_bytes(predictor.context).columns, effective_shares_of_model(predictor.manifest))


def with_context(findings: Findings, reference: RowContext | None, current: RowContext) -> Findings:
    """The findings, and whether the rows of two samples are of the same groups, as often; so of all that places them.

    Where most rows of a side are of groups that the other has not, names of groups are made anew from time to time, and
    how often each occurs says nothing: that is told, and not tested.
    """
    if reference is None:
        return findings
    for name, after in current.columns.items():
        before = reference.columns.get(name)
        if not isinstance(before, CategoricalColumn) or not isinstance(after, CategoricalColumn):
            continue
        _, table = aligned(before, after)
        known = table[:, (table > 0).all(axis=0)].sum(axis=1) / table.sum(axis=1)
        if known.min() < KNOWN_GROUPS:
            new = len({*after.levels} - {*before.levels})
            why = f"most rows are of groups that the other sample has not: {new} of {len(after.levels)} are new"
            findings = findings._replace(not_compared=(*findings.not_compared, NotCompared(name, why)))
            continue
        effective = reference.effective.get(name, EACH_ROW), current.effective.get(name, EACH_ROW)
        tested = conclude(measure(name, before, after), effective)
        findings = findings._replace(besides=(*findings.besides, tested))
    return findings


def findings_of(
    workspace: Workspace,
    predictor: Predictor,
    schema: DomainSchema,
    current: pl.DataFrame,
    reference: pl.DataFrame | None = None,
) -> Findings:
    """What a model and the rows say of typed `current` rows; of those that lack an input only where all do.

    reference: the rows compared with; the predictor's own training rows, where they are still stored, if None; of many
    a random sample, of which the findings then say how large it was.
    """
    taught = training_rows(workspace, predictor, schema) if reference is None else None
    earlier = taught.frame if taught else reference
    placed = context_of_model(predictor) if reference is None else None
    if placed is None and earlier is not None:
        placed = context_of(earlier, schema)
    known = [feature.name for feature in schema.features_at(predictor.manifest.moment)]
    known = known if taught is None else comparable_features(predictor.manifest, schema)
    before = predictor.manifest.said if reference is None else said_of(predictor, reference, schema)
    after, target = said_of(predictor, current, schema), predictor.manifest.target.name
    complete = complete_inputs(predictor, schema, current)
    compared = current if complete.is_empty() else complete
    findings = Findings(
        classifier=None if earlier is None else part_rows(earlier, compared, schema, known),
        expected=expect_of(predictor, current, schema),
        said={target: (before, after)} if before and after else {},
        sampled=taught.describe("rows of training") if taught else "",
    )
    return with_context(findings, placed, context_of(current, schema))


def complete_inputs(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a typed frame that have every input of the predictor that is not optional."""
    needed = [f.name for f in schema.inputs_at(predictor.manifest.moment) if not f.optional]
    return frame.drop_nulls(needed) if {*needed} <= {*frame.columns} else frame.clear()


def _answerable(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """Those of them of which prediction would refuse nothing."""
    complete = complete_inputs(predictor, schema, frame)
    return complete.filter("_valid") if "_valid" in complete.columns else complete


def with_answers(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """A typed frame with what the predictor says of each row, None where a row lacks an input."""
    answered = _answerable(predictor, schema, frame.with_row_index("_place"))
    places, levels = answered["_place"], predictor.manifest.target.levels
    numbers = predictor.numbers_of(answered.drop("_place")) if len(places) else np.empty(0)
    given = pl.Series(levels, dtype=pl.String).gather(numbers.astype(np.uint32)) if levels else pl.Series(numbers)
    said = pl.Series([None], dtype=pl.String if levels else pl.Float64).new_from_index(0, frame.height)
    return frame.with_columns(said.scatter(places, given).alias(PREDICTION + predictor.manifest.target.name))


def effective_shares_of_model(manifest: Manifest) -> dict[str, EffectiveShare]:
    """The effective sample size over rows of the champion's stored reference, by column."""
    return {name: EffectiveShare(*effective) for name, effective in manifest.effective_shares.items()}


def said_of(predictor: Predictor, frame: pl.DataFrame, schema: DomainSchema) -> Said | None:
    """The probabilities that the predictor gives to each class in a typed frame; None for values, and of few rows."""
    complete = _answerable(predictor, schema, frame)
    if predictor.manifest.target.kind == "value" or complete.is_empty():
        return None
    units = len(np.unique(_groups(complete)))
    return Said.of(predictor.manifest.target.levels, predictor.outputs_of_frame(complete), units / complete.height)


def expect_of(predictor: Predictor, frame: pl.DataFrame, schema: DomainSchema) -> ExpectedError | None:
    """The error to be expected of a model's answers to a typed frame; None without complete rows, or without a table of
    held-out errors in the bundle."""
    manifest = predictor.manifest
    complete = _answerable(predictor, schema, frame)
    if manifest.errors is None or complete.is_empty():
        return None
    ranges, levels = manifest.ranges.items(), predictor.levels
    known = {*complete.columns}
    beyond = [(pl.col(name) < low) | (pl.col(name) > high) for name, (low, high) in ranges if name in known]
    beyond += [~pl.col(name).cast(pl.String).is_in([*map(str, seen)]) for name, seen in levels if name in known]
    outside = complete.select(reduce(or_, beyond).fill_null(value=False).mean()).item() if beyond else 0.0
    outputs = predictor.outputs_of_frame(complete)
    return expect_error(manifest.target, manifest.errors, outputs, outside=float(outside or 0.0))


def _groups(frame: pl.DataFrame) -> NDArray[np.str_]:
    """(n,) the group and period of each row, else its student; a row without either stands alone.

    A student who was asked about every day is many equal rows: a model would know some of them by the others.
    """
    group = pl.format("{}\x1f{}", pl.col("_group"), pl.col("_period").fill_null(""))
    student = pl.format("student {}", pl.col("_student"))
    own = pl.format("row {}", pl.int_range(pl.len()))
    return frame.select(pl.coalesce(group, student, own)).to_series().to_numpy().astype(str)
