"""The stored rows behind a report on days or on segments, read as many as it needs and drawn at random of more."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from clock import now
from database.records import BatchKind, BatchRow, LabeledRecord, Prediction, record_id
from database.store import RecordStore
from drift.column import PREDICTION, ProfileError
from drift.records import NotComparable
from drift.segments import segment_column
from model.workspace import Workspace
from monitoring.days import DAY, midnight
from monitoring.profile_archive import ArchivePart, Source
from monitoring.row_findings import Sample, as_record, draw
from monitoring.sampling import ROWS_A_SIDE, endings_of
from preprocessing.schema import DomainSchema
from preprocessing.validation.tables import frame_of_records, rows_of_frame

NEWEST_LOOKED_AT = 20_000  # logged predictions that segments are looked for in


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
    frame = frame_of_records([as_record(row) if isinstance(row, Prediction) else row for row in rows], schema)
    known = {feature.name for feature in schema.features_at(moment)}
    frame = frame.drop([f.name for f in schema.features if f.name in frame.columns and f.name not in known])
    frame = _with_answers_given(frame, schema, rows)
    if source != "predictions":
        frame = frame.filter(pl.col("_moment") == moment)
    return Sample(frame if most is None else frame[draw(range(frame.height), most)], total)


def _predictions(
    store: RecordStore, schema: DomainSchema, parts: Sequence[ArchivePart], limit: int | None
) -> Iterator[tuple[date, Prediction]]:
    """What was asked in the days of `parts`, or somewhat more of it than `limit`."""
    endings = None if limit is None else endings_of(sum(part.rows for part in parts), limit)
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
    drawn = None if limit is None else draw(range(rows), math.ceil(limit * rows / total))
    for batch in batches:
        here = None
        if drawn is not None:
            first, last = (bisect_left(drawn, place) for place in (start, start + batch.rows))
            here = [place - start + 1 for place in drawn[first:last]]
            start += batch.rows
        yield from ((batch.at.astimezone(UTC).date(), row) for row in store.batch_rows(batch.id, here))


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


def earlier_rows(
    workspace: Workspace,
    schema: DomainSchema,
    current: pl.DataFrame,
    by: str,
    moment: str,
    before: datetime | None = None,
) -> pl.DataFrame:
    """Rows that segments by `by` are compared with: labelled records from before the time `before` that are not among
    the current rows, or else, where they do not know the segments, the newest 20,000 logged predictions of the moment.

    Raises ProfileError where `by` makes no segments of the current rows, NotComparable where no earlier rows do.
    """
    segment_column(current, schema, by)
    end = before or now() + timedelta(days=1)
    labeled = [record for record in workspace.store.labeled_records(schema.name) if record.at < end]
    found = _segmented(schema, current, by, labeled)
    if found is None:
        asked = workspace.store.predictions(schema.name, until=end, limit=NEWEST_LOOKED_AT)
        found = _segmented(schema, current, by, [as_record(one) for one in asked if one.moment == moment])
    if found is None:
        raise NotComparable(
            f"segments by {by!r} are compared with labelled records of {schema.name} from before, or with predictions "
            f"logged before at moment {moment!r}, and none of them has {by!r}; ingest labelled files, or name a "
            "reference file"
        )
    return found


def _segmented(
    schema: DomainSchema, current: pl.DataFrame, by: str, records: Sequence[LabeledRecord]
) -> pl.DataFrame | None:
    """Those of the records that are not among the current rows, typed; None where they have no segments."""
    here = {record_id(schema.name, r.student, r.group, r.period, r.inputs) for r in rows_of_frame(current, schema)}
    others = [r for r in records if record_id(schema.name, r.student, r.group, r.period, r.inputs) not in here]
    if not others:
        return None
    frame = frame_of_records(others, schema)
    try:
        return frame if frame[segment_column(frame, schema, by)].count() else None
    except ProfileError:
        return None
