"""Which outcome belongs to which prediction, and which of these pairs are evidence: one algorithm for every store, and
the only road by which answers meet what happened.

It reads in pages, so that memory grows with the answer and not with what is stored. It knows no database: a store
hands it a `RecordSource`. What figures are made of pairs is `monitoring`'s word.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from database.layout import micros, parts
from database.records import Batch, BatchKind, BatchRow, Cell, Outcome, Prediction, Statement, digest, record_id

Place = tuple[int, str]
"""Where a page ended: (microseconds, or receipt of outcomes, id) of its last record."""

T = TypeVar("T")


class Among(NamedTuple):
    """Which predictions are meant, as `PredictionLog.predictions` has it."""

    since: datetime | None = None
    until: datetime | None = None
    endings: Iterable[str] | None = None
    groups: Sequence[str] | None = None


class Received(NamedTuple, Generic[T]):
    """A record with its receipts: of the upload that it came with (of a prediction: of the newest upload before it),
    and of the upload that gave it its present value. said: of an outcome, every statement that made it, oldest first;
    empty where there was one, and where nobody asked."""

    record: T
    receipt: int
    newest: int
    said: tuple[Statement, ...] = ()


class Placed(NamedTuple):
    """A student's group and period in predictions, and the earliest receipt of those."""

    student: str
    group: str | None
    period: str | None
    receipt: int


class RecordSource(Protocol):
    """The questions that pairing asks of a store. "Backwards" is highest first: predictions by (time, id), what was
    uploaded by (newest receipt, id)."""

    def predictions_backwards(
        self, domain: str, target: str, among: Among, before: Place | None
    ) -> list[Received[Prediction]]:
        """One page; may leave out predictions that no outcome of `target` can belong to."""

    def predictions_about(self, domain: str, ids: Sequence[str], students: Sequence[str]) -> list[Received[Prediction]]:
        """Those with one of the ids or of one of the students, in any order."""

    def placed(self, domain: str, students: Sequence[str]) -> Iterable[Placed]:
        """Where predictions of these students place them, each place once."""

    def outcomes_backwards(self, domain: str, before: Place | None, *, by_prediction: bool) -> list[Received[Outcome]]:
        """One page; `by_prediction`: only those that name a prediction."""

    def outcomes_about(self, domain: str, ids: Sequence[str], students: Sequence[str]) -> list[Received[Outcome]]:
        """Those that name one of the predictions or one of the students, in any order."""

    def batches(self, domain: str, kind: BatchKind | None) -> list[Received[Batch]]:
        """All batches, or those of a kind, backwards."""

    def rows_backwards(self, batch: str) -> Iterable[BatchRow]:
        """The rows of one batch, last first."""

    def rows_of(self, records: Sequence[str]) -> Iterable[tuple[str, BatchRow]]:
        """(batch id, row) of every row with one of the record ids, in any batch and any order."""


def place_of(outcome: Received[Outcome]) -> Place:
    """Where a page of outcomes ended whose last one this is."""
    return outcome.newest, outcome.record.id


def check_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Raises ValueError for one that is NaN or infinite, or about neither a student nor a prediction."""
    for outcome in outcomes:
        if isinstance(outcome.value, float) and not math.isfinite(outcome.value):
            raise ValueError(f"outcome of {outcome.target!r}: {outcome.value} is no value")
        if outcome.student is None and outcome.prediction is None:
            raise ValueError(f"outcome of {outcome.target!r}: name the student or the prediction that it is about")


def fold_outcomes(
    kept: Mapping[str, Received[Outcome]], given: Sequence[Outcome], receipt: int
) -> tuple[list[Received[Outcome]], int, int]:
    """What `given`, an upload with this receipt, changes in `kept` (by id), how many are new, and how many correct a
    kept one. Each counts as if it came alone, in the order given."""
    changed: dict[str, Received[Outcome]] = {}
    new = corrected = 0
    for outcome in given:
        known = changed.get(outcome.id) or kept.get(outcome.id)
        statement = Statement(receipt=receipt, value=outcome.value, at=outcome.at, happened_at=outcome.happened_at)
        if known is None:
            new += 1
            changed[outcome.id] = as_told(outcome, [statement])
            continue
        told = _statements(known)
        if _same(told[-1], statement):
            continue
        changed[outcome.id] = now = as_told(outcome, [*told, statement])
        corrected += not _same(known.record, now.record)
    return list(changed.values()), new, corrected


def withdraw_outcomes(
    kept: Mapping[str, Received[Outcome]], given: Iterable[Outcome]
) -> tuple[list[Received[Outcome]], list[str]]:
    """What `kept` (by id) becomes had nobody ever said what `given` says: those that change, and ids of those of which
    nothing is left."""
    wrong: dict[str, list[Outcome]] = {}
    for outcome in given:
        if outcome.id in kept:
            wrong.setdefault(outcome.id, []).append(outcome)
    changed, gone = [], []
    for one_id, outcomes in wrong.items():
        told = _statements(kept[one_id])
        left = [one for one in told if not any(_same_value(one, outcome) for outcome in outcomes)]
        if not left:
            gone.append(one_id)
        elif len(left) < len(told):
            changed.append(as_told(kept[one_id].record, left))
    return changed, gone


def as_told(about: Outcome, statements: Sequence[Statement]) -> Received[Outcome]:
    """What statements about one thing, oldest first and at least one, make of it: the later one is the newer, whatever
    its time, and one that says nothing of when it happened leaves that as it was. about: any outcome about it."""
    first, *later = statements
    present = msgspec.structs.replace(about, value=first.value, at=first.at, happened_at=first.happened_at)
    newest = first.receipt
    for one in later:
        happened = one.happened_at or present.happened_at
        told = msgspec.structs.replace(about, value=one.value, at=one.at, happened_at=happened)
        if not _same(present, told):
            present, newest = told, one.receipt
    return Received(present, first.receipt, newest, tuple(statements) if later else ())


def _statements(known: Received[Outcome]) -> tuple[Statement, ...]:
    one = known.record
    alone = Statement(receipt=known.receipt, value=one.value, at=one.at, happened_at=one.happened_at)
    return known.said or (alone,)


def _same(one: Outcome | Statement, other: Outcome | Statement) -> bool:
    return _same_value(one, other) and one.happened_at == other.happened_at


def _same_value(one: Outcome | Statement, other: Outcome | Statement) -> bool:
    return one.value == other.value and isinstance(one.value, str) == isinstance(other.value, str)


class OutcomeIndex:
    """Outcomes, each once, by what they are about, to find the one that belongs to a prediction. placed: where
    predictions place students whose outcome says too little, each place with its earliest receipt."""

    def __init__(self, outcomes: Iterable[Received[Outcome]]) -> None:
        self._by_prediction: dict[tuple[str, str], Received[Outcome]] = {}
        self._by_student: dict[tuple[str, str | None, str | None, str], Received[Outcome]] = {}
        self._of_student: dict[tuple[str, str], dict[tuple[str | None, str | None], Received[Outcome]]] = {}
        self.placed: Mapping[str, Sequence[Placed]] = {}
        for one in sorted(outcomes, key=_newer):
            outcome = one.record
            if outcome.prediction is not None:
                self._by_prediction[outcome.prediction, outcome.target] = one
            elif outcome.student is not None:
                self._by_student[outcome.student, outcome.group, outcome.period, outcome.target] = one
                places = self._of_student.setdefault((outcome.student, outcome.target), {})
                places[outcome.group, outcome.period] = one

    def of(self, prediction: Received[Prediction], target: str) -> Received[Outcome] | None:
        """By prediction id, else by student, group and period, else by student and group, else by the student alone
        where that can mean one thing only."""
        asked = prediction.record
        if (found := self._by_prediction.get((asked.id, target))) or asked.student is None:
            return found
        who = asked.student, asked.group
        found = self._by_student.get((*who, asked.period, target)) or self._by_student.get((*who, None, target))
        return found or self._by_student_alone(asked, target)

    def waits(self, prediction: Prediction, target: str) -> bool:
        """Whether an outcome may belong to the prediction by its student alone."""
        return prediction.student is not None and len(self._of_student.get((prediction.student, target), ())) == 1

    def _by_student_alone(self, asked: Prediction, target: str) -> Received[Outcome] | None:
        """The only outcome of a student that predictions knew in one place when it came in, where nothing that both
        say contradicts. Where later predictions place the student changes nothing."""
        if asked.student is None or not self.waits(asked, target):
            return None
        (found,) = self._of_student[asked.student, target].values()
        known = [one for one in self.placed.get(asked.student, ()) if one.receipt < found.receipt]
        if len(known) != 1:
            return None
        place, outcome = (known[0].group, known[0].period), found.record
        if contradict(place, (outcome.group, outcome.period)):
            return None
        return found if (asked.group, asked.period) == place else None


def _newer(outcome: Received[Outcome]) -> Place:
    """Newer is more. Only of those that name the same prediction may several be about the same, and of one upload."""
    return outcome.newest, outcome.record.id if outcome.record.prediction is not None else ""


def contradict(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> bool:
    """Whether two groups and periods are known to differ; what one does not say it does not deny."""
    return any(None not in both and both[0] != both[1] for both in zip(one, other, strict=True))


def index_of(
    source: RecordSource,
    domain: str,
    predictions: Sequence[Received[Prediction]],
    outcomes: Sequence[Received[Outcome]] | None = None,
) -> OutcomeIndex:
    """The outcomes (`outcomes`, where they are known) that may belong to one of `predictions`."""
    asked = [one.record for one in predictions]
    if outcomes is None:
        students = sorted({p.student for p in asked if p.student is not None})
        outcomes = source.outcomes_about(domain, [p.id for p in asked], students)
    index = OutcomeIndex(outcomes)
    targets = {one.record.target for one in outcomes}
    open_ones = {
        one.record.student
        for one in predictions
        for target in targets
        if one.record.student is not None and index.waits(one.record, target) and index.of(one, target) is None
    }
    index.placed = _placed(source, domain, open_ones)
    return index


def _placed(source: RecordSource, domain: str, students: Iterable[str]) -> dict[str, list[Placed]]:
    found: dict[str, list[Placed]] = {}
    for part in parts(sorted(students)):
        for place in source.placed(domain, part):
            found.setdefault(place.student, []).append(place)
    return found


class Pair(NamedTuple):
    """A prediction and its outcome. before: whether the answer was given before the outcome came in and, where that is
    known, before it happened."""

    prediction: Prediction
    outcome: Outcome
    before: bool = True


def matched(source: RecordSource, domain: str, target: str, among: Among, limit: int | None) -> list[Pair]:
    """`PredictionLog.pairs` over `source`."""
    found: list[Pair] = []
    pages = matched_pages(source, domain, target, among)
    while limit is None or len(found) < limit:
        page = next(pages, None)
        if page is None:
            break
        found += page
    return found[:limit]


def matched_pages(source: RecordSource, domain: str, target: str, among: Among) -> Iterator[list[Pair]]:
    """`PredictionLog.pair_pages` over `source`."""
    before: Place | None = None
    while page := source.predictions_backwards(domain, target, among, before):
        before = (micros(page[-1].record.at), page[-1].record.id)
        answered = [one for one in page if any(answer.target == target for answer in one.record.answers)]
        index = index_of(source, domain, answered)
        yield [_pair(one, outcome) for one in answered if (outcome := index.of(one, target))]


class Subjects(NamedTuple):
    """Whom outcomes are about: predictions, and students. What one outcome says concerns no other prediction."""

    predictions: list[str]
    students: list[str]


def subjects_of(outcomes: Iterable[Outcome]) -> dict[str, Subjects]:
    """By domain, each once and in order."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for one in outcomes:
        predictions, students = found.setdefault(one.domain, (set(), set()))
        if one.prediction is not None:
            predictions.add(one.prediction)
        elif one.student is not None:
            students.add(one.student)
    return {domain: Subjects(sorted(ids), sorted(students)) for domain, (ids, students) in found.items()}


def _pair(asked: Received[Prediction], known: Received[Outcome]) -> Pair:
    happened = known.record.happened_at
    before = asked.receipt < known.receipt and (happened is None or asked.record.at < happened)
    return Pair(asked.record, known.record, before)


class LearnedRows(NamedTuple):
    """What a model learned from: ids of rows, and, of rows without a student key, of their contents as each moment sees
    them (`content_id`)."""

    records: Collection[str] = frozenset()
    contents: Collection[str] = frozenset()

    def knows(self, asked: Prediction) -> bool:
        """Whether the model had learned this row. A row that is asked at an earlier moment is the same row."""
        if record_id(asked.domain, asked.student, asked.group, asked.period, asked.inputs) in self.records:
            return True
        return (
            bool(self.contents) and content_id(asked.group, asked.period, asked.moment, asked.inputs) in self.contents
        )


Learned = Callable[[str], LearnedRows | None]
"""What the model of a version learned from; None where that is not known any more."""


def content_id(group: str | None, period: str | None, moment: str, inputs: Mapping[str, Cell]) -> str:
    """The identity of what a row holds at a moment. inputs: those known then; missing ones count for nothing."""
    return digest([group, period, moment, sorted((name, cell) for name, cell in inputs.items() if cell is not None)])


class LeftOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pairs that are no evidence, each by the first reason that holds. afterwards: answered when the outcome was known
    or had happened. learned: the model had learned the row. unknown: its model is gone, and with it what it learned.
    repeated: the same student, moment and inputs again. copied: copies of other rows, under whatever keys; counted by
    trials."""

    afterwards: int = 0
    learned: int = 0
    unknown: int = 0
    repeated: int = 0
    copied: int = 0

    def __add__(self, other: "LeftOut") -> "LeftOut":
        sums = (getattr(self, name) + getattr(other, name) for name in self.__struct_fields__)
        return LeftOut(**dict(zip(self.__struct_fields__, sums, strict=True)))

    def __str__(self) -> str:
        return "; ".join(
            f"{getattr(self, name):,} {words}" for name, words in LEFT_OUT_WORDS.items() if getattr(self, name)
        )


LEFT_OUT_WORDS = {
    "afterwards": "answered when the outcome was known",
    "learned": "answered by a model that had learned the row",
    "unknown": "answered by a model that is gone",
    "repeated": "asked again with the same inputs",
    "copied": "copies of other rows, which count once",
}


class Counted(NamedTuple):
    """The pairs that count, in the order given, and how many were left out."""

    pairs: list[Pair]
    left_out: LeftOut


def evidence(found: Sequence[Pair], models: Callable[[Prediction], Collection[str]], learned: Learned) -> Counted:
    """Those of `found`, newest first as stores give them, that say something of how good answers are.

    models: the versions whose answers are measured. Of a repeated prediction the first one that counts does.
    """
    counts = dict.fromkeys(LeftOut.__struct_fields__, 0)
    kept: list[Pair] = []
    seen: set[object] = set()
    for pair in reversed(found):
        row = same_row(pair.prediction)
        reason: str | None = shows_nothing(pair, models(pair.prediction), learned)
        if reason is None and row is not None and row in seen:
            reason = "repeated"
        if reason is not None:
            counts[reason] += 1
            continue
        seen.add(row)
        kept.append(pair)
    return Counted(kept[::-1], LeftOut(**counts))


def shows_nothing(
    pair: Pair, models: Collection[str], learned: Learned
) -> Literal["afterwards", "learned", "unknown"] | None:
    """Why a pair is no evidence, whatever other pairs there are; None where it may be."""
    if not pair.before:
        return "afterwards"
    rows = [learned(model) for model in models]
    if any(known is not None and known.knows(pair.prediction) for known in rows):
        return "learned"
    return "unknown" if None in rows else None


def same_row(asked: Prediction) -> tuple[object, ...] | None:
    """Equal where the same row was asked about again; None for rows without a student, of which nobody knows."""
    if asked.student is None:
        return None
    return asked.student, asked.group, asked.period, asked.moment, tuple(sorted(asked.inputs.items()))
