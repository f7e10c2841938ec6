"""Which outcome belongs to which prediction, and the labelled records that follow: one algorithm for every store.

It reads in pages, so that memory grows with the answer and not with what is stored. It knows no database: a store
hands it a `RecordSource`.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from database.layout import instant, micros
from database.records import Batch, BatchRow, Cell, LabeledRecord, Outcome, Prediction, record_id

PAGE = 500
"""Records read at a time: small enough for every database's limit on the values of one question."""

Place = tuple[int, str]
"""Where a page ended: (microseconds, id) of its last record."""

Rank = tuple[int, str, int, str, int, str]
"""Newer ranks higher: time of batch or outcome, batch, row, outcome, time of prediction, prediction."""

T = TypeVar("T")


class Among(NamedTuple):
    """Which predictions are meant, as `PredictionLog.predictions` has it."""

    since: datetime | None = None
    until: datetime | None = None
    endings: Iterable[str] | None = None


class RecordSource(Protocol):
    """The questions that matching asks of a store. "Backwards" is by (time, id), highest first."""

    def predictions_backwards(self, domain: str, target: str, among: Among, before: Place | None) -> list[Prediction]:
        """One page; may leave out predictions that no outcome of `target` can belong to."""

    def predictions_about(self, domain: str, ids: Sequence[str], students: Sequence[str]) -> list[Prediction]:
        """Those with one of the ids or of one of the students, in any order."""

    def outcomes_backwards(self, domain: str, before: Place | None, *, by_prediction: bool) -> list[Outcome]:
        """One page; `by_prediction`: only those that name a prediction."""

    def outcomes_about(self, domain: str, ids: Sequence[str], students: Sequence[str]) -> list[Outcome]:
        """Those that name one of the predictions or one of the students, in any order."""

    def labeled_batches(self, domain: str) -> list[Batch]:
        """All labelled batches, backwards."""

    def rows_backwards(self, batch: str) -> Iterable[BatchRow]:
        """The rows of one batch, last first."""

    def rows_of(self, records: Sequence[str]) -> Iterable[tuple[str, BatchRow]]:
        """(batch id, row) of every row with one of the record ids, in any batch and any order."""


def parts(items: Iterable[T], size: int | None = None) -> Iterator[list[T]]:
    """`items` in lists of at most `size`, `PAGE` by default."""
    part: list[T] = []
    for item in items:
        part.append(item)
        if len(part) == (size or PAGE):
            yield part
            part = []
    if part:
        yield part


def check_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Raises ValueError for one that is NaN or infinite, or about neither a student nor a prediction."""
    for outcome in outcomes:
        if isinstance(outcome.value, float) and not math.isfinite(outcome.value):
            raise ValueError(f"outcome of {outcome.target!r}: {outcome.value} is no value")
        if outcome.student is None and outcome.prediction is None:
            raise ValueError(f"outcome of {outcome.target!r}: name the student or the prediction that it is about")


def fold_outcomes(kept: Mapping[str, Outcome], given: Sequence[Outcome]) -> tuple[dict[str, Outcome], int, int]:
    """What `given` changes in `kept` (by id), how many are new, and how many correct a kept one.

    Each counts as if it came alone, in the order given. One with an earlier time than the kept one changes nothing.
    """
    changed: dict[str, Outcome] = {}
    new = corrected = 0
    for outcome in given:
        before = changed.get(outcome.id) or kept.get(outcome.id)
        if before is None:
            new += 1
        elif before.at > outcome.at or _same_value(before, outcome):
            continue
        else:
            corrected += 1
        changed[outcome.id] = outcome
    return changed, new, corrected


def _same_value(one: Outcome, other: Outcome) -> bool:
    return one.value == other.value and isinstance(one.value, str) == isinstance(other.value, str)


class OutcomeIndex:
    """Outcomes by what they are about, to find the one that belongs to a prediction."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._by_prediction: dict[tuple[str, str], Outcome] = {}
        self._by_student: dict[tuple[str, str | None, str | None, str], Outcome] = {}
        for outcome in sorted(outcomes, key=lambda outcome: (outcome.at, outcome.id)):
            if outcome.prediction is not None:
                self._by_prediction[outcome.prediction, outcome.target] = outcome
            elif outcome.student is not None:
                self._by_student[outcome.student, outcome.group, outcome.period, outcome.target] = outcome

    def of(self, prediction: Prediction, target: str) -> Outcome | None:
        """By prediction id, else by student, group and period, else by student and group alone."""
        if (found := self._by_prediction.get((prediction.id, target))) or prediction.student is None:
            return found
        who = prediction.student, prediction.group
        return self._by_student.get((*who, prediction.period, target)) or self._by_student.get((*who, None, target))


def matched(
    source: RecordSource, domain: str, target: str, among: Among, limit: int | None
) -> list[tuple[Prediction, Outcome]]:
    """`PredictionLog.matched` over `source`."""
    found: list[tuple[Prediction, Outcome]] = []
    before: Place | None = None
    while limit is None or len(found) < limit:
        page = source.predictions_backwards(domain, target, among, before)
        if not page:
            break
        before = (micros(page[-1].at), page[-1].id)
        answered = [p for p in page if any(answer.target == target for answer in p.answers)]
        outcomes = _outcomes_of(source, domain, answered)
        found += [(p, outcome) for p in answered if (outcome := outcomes.of(p, target))]
    return found[:limit]


def _outcomes_of(source: RecordSource, domain: str, predictions: Sequence[Prediction]) -> OutcomeIndex:
    students = sorted({p.student for p in predictions if p.student is not None})
    return OutcomeIndex(source.outcomes_about(domain, [p.id for p in predictions], students))


@dataclass(frozen=True, slots=True)
class _Appearance:
    """One time that a labelled record was seen."""

    rank: Rank
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
            at=instant(self.newest.rank[0]),
            student=row.student,
            group=row.group,
            period=row.period,
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


def _add_older(source: RecordSource, domain: str, drafts: Mapping[str, _Draft], at: int) -> None:
    """Give the chosen records the targets of their appearances up to time `at`, beyond the newest that were read."""
    for seen in _older(source, domain, drafts, at):
        if draft := drafts.get(seen.record):
            draft.add(seen)


def _older(source: RecordSource, domain: str, drafts: Mapping[str, _Draft], at: int) -> Iterator[_Appearance]:
    times = {batch.id: micros(batch.at) for batch in source.labeled_batches(domain)}
    for records in parts(drafts):
        for batch, row in source.rows_of(records):
            if batch in times:
                yield _row_appearance(times[batch], batch, row)
    for students in parts({d.newest.of.student for d in drafts.values() if d.newest.of.student is not None}):
        predictions = source.predictions_about(domain, [], students)
        outcomes = source.outcomes_about(domain, [p.id for p in predictions], students)
        yield from _join(domain, predictions, outcomes, OutcomeIndex(outcomes))
    if any(draft.newest.of.student is None for draft in drafts.values()):
        yield from _pairs(source, domain, before=(at + 1, ""), by_prediction=True)


def labeled_rows(source: RecordSource, domain: str, records: Iterable[str]) -> list[BatchRow]:
    """`BatchArchive.labeled_rows` over `source`."""
    times = {batch.id: micros(batch.at) for batch in source.labeled_batches(domain)}
    newest: dict[str, tuple[tuple[int, str, int], BatchRow]] = {}
    for part in parts(records):
        for batch, row in source.rows_of(part):
            rank = (times.get(batch, -1), batch, row.number)
            if batch in times and (row.record not in newest or newest[row.record][0] < rank):
                newest[row.record] = rank, row
    return [row for _, row in newest.values()]


def _rows(source: RecordSource, domain: str) -> Iterator[_Appearance]:
    for batch in source.labeled_batches(domain):
        at = micros(batch.at)
        for row in source.rows_backwards(batch.id):
            if row.targets:
                yield _row_appearance(at, batch.id, row)


def _row_appearance(at: int, batch: str, row: BatchRow) -> _Appearance:
    return _Appearance((at, batch, row.number, "", 0, ""), row.record, row, row.targets)


def _pairs(
    source: RecordSource, domain: str, *, before: Place | None = None, by_prediction: bool = False
) -> Iterator[_Appearance]:
    """Every prediction with every outcome that belongs to it, highest rank first."""
    while page := source.outcomes_backwards(domain, before, by_prediction=by_prediction):
        before = (micros(page[-1].at), page[-1].id)
        named = [outcome.prediction for outcome in page if outcome.prediction is not None]
        students = {o.student for o in page if o.prediction is None and o.student is not None}
        predictions = source.predictions_about(domain, named, sorted(students))
        yield from sorted(
            _join(domain, predictions, page, _outcomes_of(source, domain, predictions)),
            key=lambda seen: seen.rank,
            reverse=True,
        )


def _join(
    domain: str, predictions: Sequence[Prediction], outcomes: Sequence[Outcome], index: OutcomeIndex
) -> Iterator[_Appearance]:
    """Each of `outcomes` with those of `predictions` to which it, and no better one in `index`, belongs."""
    wanted = {outcome.id for outcome in outcomes}
    targets = {outcome.target for outcome in outcomes}
    for p in predictions:
        found = [outcome for target in targets if (outcome := index.of(p, target)) and outcome.id in wanted]
        record = record_id(domain, p.student, p.group, p.period, p.inputs) if found else ""
        for outcome in found:
            rank = (micros(outcome.at), "", 0, outcome.id, micros(p.at), p.id)
            yield _Appearance(rank, record, p, {outcome.target: outcome.value})
