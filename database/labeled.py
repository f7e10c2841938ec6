"""The labelled records that a store's batches and outcomes make: rows to learn from, newest first.

It reads in pages, so that memory grows with the answer and not with what is stored. Newer is what came in later, by
receipt; what a clock said counts for nothing.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from database.layout import micros, parts
from database.pairs import OutcomeIndex, Place, Received, RecordSource, index_of, place_of
from database.records import Batch, BatchRow, Cell, LabeledRecord, Outcome, Prediction, record_id

Rank = tuple[int, str, int, str, int, str]
"""Newer ranks higher: receipt of batch or outcome, batch, row, outcome, time of prediction, prediction."""


@dataclass(frozen=True, slots=True)
class _Appearance:
    """One time that a labelled record was seen."""

    rank: Rank
    at: datetime
    record: str
    of: BatchRow | Prediction
    targets: Mapping[str, float | str]


@dataclass(slots=True)
class _Draft:
    """A labelled record in the making: its newest appearance, and the others in any order."""

    newest: _Appearance
    targets: dict[str, tuple[Rank, float | str]] = field(default_factory=dict)

    def add(self, seen: _Appearance) -> None:
        for target, value in seen.targets.items():
            if target not in self.targets or seen.rank > self.targets[target][0]:
                self.targets[target] = (seen.rank, value)

    def finish(self, domain: str) -> LabeledRecord:
        row = self.newest.of
        inputs: Mapping[str, Cell] = row.inputs
        return LabeledRecord(
            id=self.newest.record,
            domain=domain,
            inputs=inputs,
            targets={target: value for target, (_, value) in self.targets.items()},
            at=self.newest.at,
            student=row.student,
            group=row.group,
            period=row.period,
            receipt=self.newest.rank[0],
        )


def labeled_records(source: RecordSource, domain: str, limit: int | None) -> list[LabeledRecord]:
    """`BatchArchive.labeled_records` over `source`."""
    drafts: dict[str, _Draft] = {}
    streams = (_rows(source, domain), _pairs(source, domain))
    for seen in heapq.merge(*streams, key=lambda seen: seen.rank, reverse=True):
        if seen.record not in drafts:
            if limit is not None and len(drafts) >= limit:
                _add_older(source, domain, drafts, seen.rank[0])
                break
            drafts[seen.record] = _Draft(seen)
        drafts[seen.record].add(seen)
    return [draft.finish(domain) for draft in drafts.values()]


def _add_older(source: RecordSource, domain: str, drafts: Mapping[str, _Draft], receipt: int) -> None:
    """Give the chosen records the targets of their appearances up to `receipt`, beyond the newest that were read."""
    for seen in _older(source, domain, drafts, receipt):
        if draft := drafts.get(seen.record):
            draft.add(seen)


def _older(source: RecordSource, domain: str, drafts: Mapping[str, _Draft], receipt: int) -> Iterator[_Appearance]:
    batches = {batch.record.id: batch for batch in source.batches(domain, "labeled")}
    for records in parts(drafts):
        for batch, row in source.rows_of(records):
            if batch in batches:
                yield _row_appearance(batches[batch], row)
    for students in parts({d.newest.of.student for d in drafts.values() if d.newest.of.student is not None}):
        predictions = source.predictions_about(domain, [], students)
        outcomes = source.outcomes_about(domain, [one.record.id for one in predictions], students)
        index = index_of(source, domain, predictions, outcomes)
        yield from _join(domain, predictions, outcomes, index)
    if any(draft.newest.of.student is None for draft in drafts.values()):
        yield from _pairs(source, domain, before=(receipt + 1, ""), by_prediction=True)


def _rows(source: RecordSource, domain: str) -> Iterator[_Appearance]:
    for batch in source.batches(domain, "labeled"):
        for row in source.rows_backwards(batch.record.id):
            if row.targets:
                yield _row_appearance(batch, row)


def _row_appearance(batch: Received[Batch], row: BatchRow) -> _Appearance:
    rank = (batch.newest, batch.record.id, row.number, "", 0, "")
    return _Appearance(rank, batch.record.at, row.record, row, row.targets)


def _pairs(
    source: RecordSource, domain: str, *, before: Place | None = None, by_prediction: bool = False
) -> Iterator[_Appearance]:
    """Every prediction with every outcome that belongs to it, highest rank first."""
    while page := source.outcomes_backwards(domain, before, by_prediction=by_prediction):
        before = place_of(page[-1])
        outcomes = [one.record for one in page]
        named = [outcome.prediction for outcome in outcomes if outcome.prediction is not None]
        students = {o.student for o in outcomes if o.prediction is None and o.student is not None}
        predictions = source.predictions_about(domain, named, sorted(students))
        found = _join(domain, predictions, page, index_of(source, domain, predictions))
        yield from sorted(found, key=lambda seen: seen.rank, reverse=True)


def _join(
    domain: str,
    predictions: Sequence[Received[Prediction]],
    outcomes: Sequence[Received[Outcome]],
    index: OutcomeIndex,
) -> Iterator[_Appearance]:
    """Each of `outcomes` with those of `predictions` to which it, and no better one in `index`, belongs."""
    wanted = {outcome.record.id for outcome in outcomes}
    targets = {outcome.record.target for outcome in outcomes}
    for received in predictions:
        p = received.record
        found = [one for target in targets if (one := index.of(received, target)) and one.record.id in wanted]
        record = record_id(domain, p.student, p.group, p.period, p.inputs) if found else ""
        for receipt, outcome in ((one.newest, one.record) for one in found):
            rank = (receipt, "", 0, outcome.id, micros(p.at), p.id)
            yield _Appearance(rank, outcome.at, record, p, {outcome.target: outcome.value})
