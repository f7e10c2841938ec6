"""A validated file into the store: as a batch whose id is its content, so that the same content is stored once.

Bad rows are refused by validation before anything is stored.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from database.records import (
    Batch,
    BatchKind,
    BatchRow,
    LabeledRecord,
    Outcome,
    digest,
    now,
    record_id,
)
from database.store import BatchArchive, PredictionLog
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.rules import Known, Problem
from preprocessing.validation.validate import rows_of, validate_outcomes, validate_table

if TYPE_CHECKING:
    import polars as pl


def batch_rows(frame: "pl.DataFrame", schema: DomainSchema, kind: BatchKind) -> list[BatchRow]:
    """The rows of a typed `frame` as a batch of `kind` keeps them, each under the id of its student or content.

    Only rows with an outcome belong in a labelled batch; an unlabelled one keeps no outcomes.
    """
    rows = [row for row in rows_of(frame, schema) if kind == "unlabeled" or row.targets]
    return [
        BatchRow(
            record=record_id(schema.name, row.student, row.group, row.period, row.inputs),
            number=number,
            inputs=row.inputs,
            targets=row.targets if kind == "labeled" else {},
            student=row.student,
            group=row.group,
            period=row.period,
        )
        for number, row in enumerate(rows, start=1)
    ]


def add_batch(
    store: BatchArchive, domain: str, rows: Sequence[BatchRow], kind: BatchKind, *, name: str, skipped: int = 0
) -> tuple[Batch, bool]:
    """Store `rows` as one batch; the batch, and whether it is new. name: the file's, for listing."""
    batch = batch_of(domain, rows, kind, name=name, skipped=skipped)
    return batch, store.add_batch(batch, rows)


def batch_of(domain: str, rows: Sequence[BatchRow], kind: BatchKind, *, name: str, skipped: int = 0) -> Batch:
    """The batch that `rows` are, of this moment; its id is their content's digest."""
    content = digest([domain, kind, [[row.record, row.inputs, row.targets] for row in rows]])
    return Batch(id=content, domain=domain, kind=kind, name=name, rows=len(rows), at=now(), skipped=skipped)


def labeled(domain: str, rows: Sequence[BatchRow]) -> list[LabeledRecord]:
    """The rows of a labelled batch as records to learn from, without storing them; the last row is the newest."""
    at = now()
    return [
        LabeledRecord(
            id=row.record,
            domain=domain,
            inputs=row.inputs,
            targets=row.targets,
            at=at,
            student=row.student,
            group=row.group,
            period=row.period,
        )
        for row in rows
    ]


class OutcomeIntake(NamedTuple):
    """The outcomes of a file, and what a user should know of how it was read."""

    outcomes: list[Outcome]
    notes: tuple[str, ...]


def read_outcomes(source: Path | bytes, schema: DomainSchema, *, secret: bytes, name: str = "") -> OutcomeIntake:
    """The outcomes of a file, one per known target of each row. Raises UnreadableFile, BadData."""
    from preprocessing.reading.files import read_table

    validated = validate_outcomes(read_table(source, name=name), schema, secret=secret).require_clean()
    found = outcomes(rows_of(validated.frame, schema), schema.name, validated.frame["_prediction"].to_list())
    return OutcomeIntake(found, validated.notes)


def outcomes(rows: Sequence[ValidRow], domain: str, predictions: Sequence[str | None]) -> list[Outcome]:
    """One outcome per known target of each row; predictions: the prediction id of each row, where it names one."""
    at = now()
    return [
        Outcome(
            domain=domain,
            target=target,
            value=value,
            at=at,
            student=None if prediction else row.student,
            group=None if prediction else row.group,
            period=None if prediction else row.period,
            prediction=prediction,
        )
        for row, prediction in zip(rows, predictions, strict=True)
        for target, value in row.targets.items()
    ]


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read: its rows to keep, how many bad ones were left out, columns nobody asked for, and notes of
    how it was read."""

    rows: Sequence[BatchRow]
    skipped: int
    problems: tuple[Problem, ...]
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_batch(
    source: Path | bytes,
    schema: DomainSchema,
    kind: BatchKind,
    *,
    secret: bytes,
    name: str = "",
    skip_bad_rows: bool = False,
) -> Intake:
    """The rows of a file for a batch of `kind`. Raises UnreadableFile, or BadData with every problem of every row.

    skip_bad_rows: keep the good rows instead; a file without any, or one that identifies people, is refused all the
    same.
    """
    from preprocessing.reading.files import read_table

    raw = read_table(source, name=name)
    targets: Known = "required" if kind == "labeled" else "ignored"
    validated = validate_table(raw, schema, secret=secret, with_targets=targets)
    if not skip_bad_rows or validated.frame.is_empty():
        validated.require_clean()
    return Intake(
        rows=batch_rows(validated.frame, schema, kind),
        skipped=validated.skipped,
        problems=validated.problems,
        ignored_columns=validated.ignored_columns,
        notes=validated.notes,
    )


def count_strays(log: PredictionLog, found: Sequence[Outcome]) -> int:
    """How many outcomes belong to no logged prediction: a mistyped key, or a student who was never asked about."""
    index, strays = {outcome.id: outcome for outcome in found}.values(), 0
    for domain in {outcome.domain for outcome in index}:
        outcomes = [outcome for outcome in index if outcome.domain == domain]
        ids = [one.prediction for one in outcomes if one.prediction is not None]
        students = {one.student for one in outcomes if one.prediction is None and one.student is not None}
        asked = log.placings(domain, ids=ids, students=sorted(students))
        about: set[object] = {one.id for one in asked} | {one[1:] for one in asked} | {one[1:3] for one in asked}
        strays += sum(_subject(outcome) not in about for outcome in outcomes)
    return strays


def _subject(outcome: Outcome) -> object:
    """What an outcome is about: a prediction, or a student in a group, in one period or in any."""
    if outcome.prediction is not None:
        return outcome.prediction
    if outcome.period is None:
        return outcome.student, outcome.group
    return outcome.student, outcome.group, outcome.period
