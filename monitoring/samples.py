"""The stored rows behind a report: all of them, or a random sample that is the same each time and says how large it is.

Columns are counted by profiles, in which every row counts; what only rows tell is estimated from these. Nothing is
compared here.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cache
from random import Random
from typing import NamedTuple, TypeVar

import polars as pl

from database.records import BatchKind, BatchRow, LabeledRecord, Outcome, Prediction, record_id
from database.store import PredictionLog, RecordStore
from drift.profile import PREDICTION
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle
from model.predictor import Predictor
from model.registry import load_bundle
from model.workspace import Workspace
from monitoring.profile_archive import DAY, ArchivePart, Source, midnight
from preprocessing.schema import DomainSchema
from preprocessing.validation.validate import frame_of

ROWS_A_SIDE = 3_000
"""Rows that a report on days reads of a side, and pairs of predictions and outcomes. With as many on both sides the AUC
of the classifier two-sample test is known to .021; seven times as many know it to .008, and make a report of three
seconds of one that takes less than half."""

DIGITS = 3  # of an id's end by which predictions are drawn: one of 4,096 is the smallest part

T = TypeVar("T")


class Sample(NamedTuple):
    """Typed rows, with what was answered: all of `total`, or as many of them as `frame` holds, drawn at random."""

    frame: pl.DataFrame
    total: int

    @property
    def share(self) -> float:
        return min(1.0, self.frame.height / max(1, self.total))

    def describe(self, whose: str) -> str:
        """How many were read, in words; nothing where that is all.

        >>> Sample(pl.DataFrame({"x": [1]}), 3).describe("of now")
        '1 of 3 rows of now'
        """
        return f"{self.frame.height:,} of {self.total:,} rows {whose}" if self.share < 1 else ""


def rows_behind(
    store: RecordStore,
    schema: DomainSchema,
    source: Source,
    parts: Sequence[ArchivePart],
    limit: int | None = ROWS_A_SIDE,
) -> Sample:
    """The rows of `parts`, which are of one moment, typed; with the columns that are known then, and the answers.

    limit: of more rows than this, so many are drawn at random.
    """
    moment, wanted = parts[0].moment, {(part.day, part.period) for part in parts}
    total = sum(part.rows for part in parts)
    most = None if limit is None or total <= limit else limit
    read = _predictions(store, schema, parts, most) if source == "predictions" else _batches(
        store, schema, source, parts, most
    )  # fmt: skip
    rows = [row for day, row in read if (day, row.period) in wanted and _asked_at(row, moment)]
    frame = frame_of([as_record(row) if isinstance(row, Prediction) else row for row in rows], schema)
    known = {feature.name for feature in schema.features_at(moment)}
    frame = frame.drop([f.name for f in schema.features if f.name in frame.columns and f.name not in known])
    frame = _with_answers_given(frame, schema, rows)
    if source != "predictions":
        frame = frame.filter(pl.col("_moment") == moment)
    return Sample(frame if most is None else frame[_draw(range(frame.height), most)], total)


def training_rows(
    workspace: Workspace, predictor: Predictor, schema: DomainSchema, limit: int = ROWS_A_SIDE
) -> Sample | None:
    """The stored rows that a model learned from, of more than `limit` so many drawn at random; None where its bundle or
    all of them are gone."""
    try:
        known = load_bundle(workspace.artifacts, predictor.version).rows
    except (MissingArtifact, CorruptArtifact, BrokenBundle):
        return None
    rows: list[BatchRow | LabeledRecord] = [*workspace.store.labeled_rows(schema.name, _draw(sorted(known), limit))]
    if len(rows) < min(limit, len(known)):  # the others came as predictions, which are not found by record
        pairs = pairs_of(workspace.store, schema.name, predictor.manifest.target.name, limit=2 * limit)
        here = known - {row.record for row in rows if isinstance(row, BatchRow)}
        asked = {_record(one): one for one, _ in reversed(pairs)}  # the newest of each stays
        rows += [as_record(one) for record, one in asked.items() if record in here][: limit - len(rows)]
    return Sample(frame_of(rows, schema), len(known)) if rows else None


def pairs_of(
    log: PredictionLog,
    domain: str,
    target: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = ROWS_A_SIDE,
) -> list[tuple[Prediction, Outcome]]:
    """Predictions with their outcomes, newest first; of many more than `limit`, about so many drawn at random."""
    total = log.count_predictions(domain, since=since, until=until)
    if total <= limit:
        return log.matched(domain, target, since=since, until=until)
    order, read, found = _endings(), 0, list[tuple[Prediction, Outcome]]()
    while read < len(order) and len(found) < limit / 2:  # few may have an outcome
        more = max(math.ceil(len(order) * limit / total), read)
        found += log.matched(domain, target, since=since, until=until, endings=order[read : read + more])
        read += more
    return sorted(found, key=lambda pair: (pair[0].at, pair[0].id), reverse=True)


def _predictions(
    store: RecordStore, schema: DomainSchema, parts: Sequence[ArchivePart], limit: int | None
) -> Iterator[tuple[date, Prediction]]:
    """What was asked in the days of `parts`, or somewhat more of it than `limit`."""
    total, order, endings = sum(part.rows for part in parts), _endings(), None
    if limit is not None:
        enough = limit / total * (1 + 4 / math.sqrt(limit))
        endings = order[: math.ceil(enough * len(order))] if enough < 1 else None
    for first, last in _stretches({part.day for part in parts}):
        asked = store.predictions(schema.name, since=midnight(first), until=midnight(last + DAY), endings=endings)
        yield from ((one.at.astimezone(UTC).date(), one) for one in asked)


def _stretches(days: Collection[date]) -> list[tuple[date, date]]:
    """Days that follow each other, by the first and the last."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        joined = bool(found) and day - found[-1][1] == DAY
        found = [*found[:-1], (found[-1][0], day)] if joined else [*found, (day, day)]
    return found


def _batches(
    store: RecordStore, schema: DomainSchema, source: BatchKind, parts: Sequence[ArchivePart], limit: int | None
) -> Iterator[tuple[date, BatchRow]]:
    """The rows of the batches of the days of `parts`, or so many that `limit` of them are of their moment."""
    days = {part.day for part in parts}
    batches = [one for one in store.batches(schema.name, source) if one.at.astimezone(UTC).date() in days]
    start = 0
    rows, total = sum(batch.rows for batch in batches), sum(part.rows for part in parts)
    drawn = None if limit is None else _draw(range(rows), math.ceil(limit * rows / total))
    for batch in batches:
        here = None
        if drawn is not None:
            first, last = (bisect_left(drawn, place) for place in (start, start + batch.rows))
            here = [place - start + 1 for place in drawn[first:last]]
            start += batch.rows
        yield from ((batch.at.astimezone(UTC).date(), row) for row in store.batch_rows(batch.id, here))


@cache
def _endings() -> Sequence[str]:
    """All ends that an id may have, in an order drawn at random."""
    ends = [f"{number:0{DIGITS}x}" for number in range(16**DIGITS)]
    Random(0).shuffle(ends)  # noqa: S311 (a sample, no secret)
    return ends


def _draw(rows: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the rows, in their order, drawn at random; the same each time."""
    if len(rows) <= most:
        return rows
    return [rows[place] for place in sorted(Random(0).sample(range(len(rows)), most))]  # noqa: S311 (no secret)


def _asked_at(row: Prediction | BatchRow, moment: str) -> bool:
    """Whether a prediction is of a moment; that of a row in a batch is known by its columns."""
    return isinstance(row, BatchRow) or row.moment == moment


def _with_answers_given(
    frame: pl.DataFrame, schema: DomainSchema, rows: Sequence[Prediction | BatchRow]
) -> pl.DataFrame:
    """The frame with what was answered about each target, where rows are predictions."""
    if not any(isinstance(row, Prediction) for row in rows):
        return frame
    said = [{a.target: a.value for a in row.answers} if isinstance(row, Prediction) else {} for row in rows]
    columns = [
        pl.Series(PREDICTION + t.name, [one.get(t.name) for one in said], dtype=pl.String if t.levels else pl.Float64)
        for t in schema.targets
    ]
    return frame.with_columns(columns)


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
