"""A validated file into the store: as a batch whose id is its content, so that the same content is stored once.

Bad rows are refused by validation before anything is stored. Of a batch no more is in memory than some thousand rows.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clock import now
from database.pairs import contradict
from database.records import Batch, BatchKind, BatchRow, LabeledRecord, Outcome, digest
from database.store import BatchArchive, PredictionLog
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.pii import harmless_name
from preprocessing.validation.rules import OF_ANOTHER, PROBLEMS_KEPT, BadData, Problem
from preprocessing.validation.validate import rows_of, validate_outcomes

if TYPE_CHECKING:
    import polars as pl

    from database.batch_frames import Spool
    from database.packed import PackedRows
    from preprocessing.reading.chunks import FileSource
    from preprocessing.validation.files import CheckedFile


def batch_rows(frame: "pl.DataFrame", schema: DomainSchema, kind: BatchKind) -> list[BatchRow]:
    """The rows of a typed `frame` as a batch of `kind` keeps them (`batch_frames.with_json`)."""
    from database.batch_frames import rows_of_packed, slices_of, with_json

    return rows_of_packed(slices_of([with_json(frame, schema, kind)]))


def add_batch(
    store: BatchArchive, domain: str, rows: Sequence[BatchRow], kind: BatchKind, *, name: str, skipped: int = 0
) -> tuple[Batch, bool]:
    """Store `rows` as one batch; the batch, and whether it is new. name: the file's, for listing."""
    batch = batch_of(domain, rows, kind, name=name, skipped=skipped)
    return batch, store.add_batch(batch, rows)


def batch_of(domain: str, rows: Sequence[BatchRow], kind: BatchKind, *, name: str, skipped: int = 0) -> Batch:
    """The batch that `rows` are, of this moment; its id is their content's digest."""
    content = digest([domain, kind, [[row.record, row.inputs, row.targets] for row in rows]])
    return _named_batch(content, domain, kind, name, len(rows), skipped)


def _named_batch(id: str, domain: str, kind: BatchKind, name: str, rows: int, skipped: int) -> Batch:
    kept = harmless_name(name)
    return Batch(id=id, domain=domain, kind=kind, name=kept, rows=rows, at=now(), skipped=skipped)


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


class RowChanges(NamedTuple):
    """Of rows that come in, how many are new, replace what is known of the same record, and say it again."""

    added: int
    updated: int
    unchanged: int


def count_changes(store: BatchArchive, domain: str, kind: BatchKind, slices: "Iterable[PackedRows]") -> RowChanges:
    """What rows of a batch of `kind`, not stored yet, would change. An unlabelled row says nothing of outcomes."""
    from database.batch_frames import rows_of_packed

    counted: Counter[str] = Counter()
    known = bool(store.batches(domain))
    for packed in slices:
        if not known:
            counted["added"] += len(packed.record)
            continue
        kept = {row.record: row for row in store.newest_rows(domain, packed.record)}
        for row in rows_of_packed([packed]):
            before = kept.get(row.record)
            same = before is not None and row.inputs == before.inputs
            same = same and (kind == "unlabeled" or row.targets == before.targets)  # type: ignore[union-attr]
            counted["added" if before is None else "unchanged" if same else "updated"] += 1
    return RowChanges(counted["added"], counted["updated"], counted["unchanged"])


class OutcomeIntake(NamedTuple):
    """The outcomes of a file, what a user should know of how it was read, and how many bad rows were left out, as well
    as rows of groups that are not the sender's."""

    outcomes: list[Outcome]
    notes: tuple[str, ...]
    skipped: int
    problems: tuple[Problem, ...]


def read_outcomes(
    source: Path | bytes,
    schema: DomainSchema,
    *,
    secret: bytes,
    name: str = "",
    sheet: str = "",
    skip_bad_rows: bool = False,
    most_rows: int | None = None,
    own: "OwnGroups | None" = None,
) -> OutcomeIntake:
    """The outcomes of a file, one per known target of each row. Raises UnreadableFile, TooManyRows, BadData.

    sheet: of a workbook. skip_bad_rows: keep the good rows; a file without any is refused all the same. own: whoever
    sends it is confined to these groups; rows of others are left out, and a file of nothing else is refused.
    """
    from preprocessing.reading.files import read_table

    validated = validate_outcomes(
        read_table(source, name=name, sheet=sheet, most_rows=most_rows), schema, secret=secret
    )
    validated.require_good(skip=skip_bad_rows)
    frame = validated.frame
    happened = [None if one is None else datetime.fromisoformat(one) for one in frame["_happened_at"]]
    rows, predictions = rows_of(frame, schema), frame["_prediction"].to_list()
    problems: tuple[Problem, ...] = ()
    if own is not None:
        places = own.outside([row.group for row in rows], predictions)
        problems = tuple(of_another(name, rows[place].row, schema) for place in places)
        if len(places) == len(rows):
            raise BadData(problems)
        gone = set(places)
        rows, predictions, happened = (
            [one for place, one in enumerate(column) if place not in gone] for column in (rows, predictions, happened)
        )
    found = outcomes(rows, schema.name, predictions, happened)
    return OutcomeIntake(found, validated.notes, validated.skipped + len(problems), (*validated.problems, *problems))


class OwnGroups(NamedTuple):
    """Those that a sender of outcomes is confined to; the log says of which group a prediction is."""

    log: PredictionLog
    domain: str
    groups: Collection[str]

    def outside(self, groups: Sequence[str | None], predictions: Sequence[str | None]) -> list[int]:
        """The places of rows of other groups, or of none that is known. predictions: that rows name, or None."""
        ids = [one for one in predictions if one is not None]
        of = {one.id: one.group for one in self.log.placings(self.domain, ids=ids)} if ids else {}
        placed = [
            group if prediction is None else of.get(prediction)
            for group, prediction in zip(groups, predictions, strict=True)
        ]
        return [place for place, group in enumerate(placed) if group not in self.groups]


def of_another(name: str, row: int, schema: DomainSchema) -> Problem:
    """What is said of a row that is left out because its group is not the sender's."""
    return Problem(file=name, row=row, column=schema.group_name, value=None, rule=OF_ANOTHER)


def outcomes(
    rows: Sequence[ValidRow],
    domain: str,
    predictions: Sequence[str | None],
    happened: Sequence[datetime | None],
) -> list[Outcome]:
    """One outcome per known target of each row. predictions, happened: of each row the prediction that it names, and
    when it happened, where it says so."""
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
            happened_at=when,
        )
        for row, prediction, when in zip(rows, predictions, happened, strict=True)
        for target, value in row.targets.items()
    ]


class Intake:
    """A file that was checked, its good rows on disk: as a batch keeps them, as typed frames, or as records.

    skipped: bad rows that were left out, for `problems`; foreign: rows of groups that are not the sender's, left out,
    too. ignored_columns: that nobody asked for. notes: of how it was read.
    """

    def __init__(
        self,
        spool: "Spool",
        checked: "CheckedFile",
        schema: DomainSchema,
        kind: BatchKind,
        *,
        name: str,
        foreign: Sequence[int],
    ) -> None:
        from database.batch_frames import content_digest

        self._spool, self._schema, self.kind = spool, schema, kind
        self._repeated = checked.repeated
        others = sorted({*foreign}.difference(checked.repeated.tolist()))
        self.foreign, self.problem_count = len(others), checked.problem_count + len(others)
        told = (of_another(name, row, schema) for row in others[: PROBLEMS_KEPT - len(checked.problems)])
        self.problems = (*checked.problems, *told)
        self.ignored_columns = checked.ignored_columns
        self.id, self.rows = content_digest(schema.name, kind, self.slices())
        good = checked.good - self.foreign
        good = sum(frame.height for frame in self._frames(())) if len(self._repeated) else good
        self.skipped = checked.rows - good - self.foreign
        self.notes = (*checked.notes, *(checked.dependent if self.skipped else ()))

    def _frames(self, columns: Collection[str]) -> "Iterator[pl.DataFrame]":
        if not len(self._repeated):
            yield from self._spool.frames(columns)
            return
        for frame in self._spool.frames({*columns, "_row"}):
            yield frame.filter(~frame["_row"].is_in(self._repeated))

    def frames(self) -> "Iterator[pl.DataFrame]":
        """The good rows, typed: what is told of them, and when."""
        return self._frames({*self._schema.feature_by_name, *self._schema.target_by_name, "_moment", "_period"})

    def slices(self) -> "Iterator[PackedRows]":
        """The rows of the batch, packed."""
        from database.batch_frames import PACKED_COLUMNS, slices_of

        return slices_of(self._frames(PACKED_COLUMNS))

    def records(self) -> list[BatchRow]:
        """The rows of the batch, each by itself."""
        from database.batch_frames import rows_of_packed

        return rows_of_packed(self.slices())

    def batch(self, name: str) -> Batch:
        """The batch that the rows are, of this moment. name: the file's, for listing."""
        return _named_batch(self.id, self._schema.name, self.kind, name, self.rows, self.skipped)


@contextmanager
def read_batch(
    source: "FileSource",
    schema: DomainSchema,
    kind: BatchKind,
    *,
    secret: bytes,
    skip_bad_rows: bool = False,
    groups: Collection[str] | None = None,
    targets: Collection[str] = (),
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[Intake]:
    """The rows of a file for a batch of `kind`, as long as the block lasts. It is read to its end in bounded memory
    before there are any. Raises UnreadableFile, TooManyRows, or BadData with every problem of every row.

    skip_bad_rows: keep the good rows instead; a file without any, or one that identifies people, is refused all the
    same. groups: that whoever sends it is confined to; rows of others are left out, and a file of nothing else is
    refused. targets: of a labelled file that something is asked of; all where none is named. progress: hears which
    share is read.
    """
    from database.batch_frames import Spool, add_to
    from preprocessing.validation.files import check_file

    foreign: list[int] = []

    def keep(frame: "pl.DataFrame") -> None:
        if groups is not None:
            outside = ~frame["_group"].is_in(list(groups)).fill_null(value=False)
            foreign.extend(frame["_row"].filter(outside).to_list())
            frame = frame.filter(~outside)
        if frame.height:
            add_to(spool, frame, schema, kind)

    with closing(Spool()) as spool:
        checked = check_file(
            source,
            schema,
            secret=secret,
            with_targets="required" if kind == "labeled" else "ignored",
            asked=targets,
            keep=keep,
            progress=progress,
        )
        if not skip_bad_rows:
            checked.require_clean()
        intake = Intake(spool, checked, schema, kind, name=source.name, foreign=foreign)
        if not intake.rows and intake.problems:
            raise BadData(intake.problems, intake.problem_count)
        yield intake


class MatchedOutcomes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What would become of outcomes, one per row and target, were they stored: so many belong to a prediction
    (matched), so many to none so far. undated, lacking, notes, skipped, problems: as `StoredOutcomes` has them."""

    outcomes: int
    matched: int
    unmatched: int = 0
    undated: int = 0
    lacking: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def sentence(self) -> str:
        """
        >>> MatchedOutcomes(outcomes=60, matched=54, unmatched=6, lacking=("semester",)).sentence
        '54 of 60 match; 6 belong to no prediction: the file lacks semester'
        """
        said = f"{self.matched:,} of {self.outcomes:,} match"
        if self.unmatched:
            why = f"the file lacks {' and '.join(self.lacking)}" if self.lacking else "check the keys"
            said += f"; {self.unmatched:,} belong{'s' * (self.unmatched == 1)} to no prediction: {why}"
        return said


class StoredOutcomes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of uploaded outcomes, one per row and target. known: said the same before. undated: did not say when
    they happened, so that the time of receipt counts. unmatched: belong to no prediction so far. lacking: columns by
    which they would be told apart, and which the upload has not. notes: what to know of how a file was read. skipped:
    rows that were left out, bad ones on request and those of groups that are not the sender's, with the first of their
    problems. upload: under which the history of uploads has a file."""

    outcomes: int
    new: int
    corrected: int
    known: int
    undated: int = 0
    unmatched: int = 0
    lacking: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: int = 0
    problems: tuple[Problem, ...] = ()
    upload: str = ""

    @property
    def sentences(self) -> list[str]:
        """What a user should know beside the counts."""
        said = []
        if self.unmatched:
            why = f"; the file has no {' and no '.join(self.lacking)}" if self.lacking else ""
            said.append(f"{self.unmatched:,} of them belong to no prediction so far: check the keys{why}")
        if self.undated:
            said.append(
                f"{self.undated:,} of them do not say when they happened (happened_at): their time of receipt counts"
            )
        return said


def match_outcomes(
    log: PredictionLog, schema: DomainSchema, found: Sequence[Outcome], notes: Sequence[str] = ()
) -> MatchedOutcomes:
    """To how many predictions outcomes of a domain belong; nothing is kept."""
    unmatched = len(strays_among(log, found))
    return MatchedOutcomes(
        outcomes=len(found),
        matched=len(found) - unmatched,
        unmatched=unmatched,
        undated=sum(one.happened_at is None for one in found),
        lacking=lacking_of(schema, found) if unmatched else (),
        notes=tuple(notes),
    )


def store_outcomes(
    log: PredictionLog, schema: DomainSchema, found: Sequence[Outcome], notes: Sequence[str] = ()
) -> StoredOutcomes:
    """Keep outcomes of a domain as one upload, and say what became of them."""
    new, corrected = log.add_outcomes(found)
    matched = match_outcomes(log, schema, found, notes)
    return StoredOutcomes(
        outcomes=len(found),
        new=new,
        corrected=corrected,
        known=len(found) - new - corrected,
        undated=matched.undated,
        unmatched=matched.unmatched,
        lacking=matched.lacking,
        notes=matched.notes,
    )


def lacking_of(schema: DomainSchema, found: Sequence[Outcome]) -> tuple[str, ...]:
    """The columns of student, group and period that no outcome has; none is lacking where all name a prediction."""
    about = [one for one in found if one.prediction is None]
    if not about:
        return ()
    names: list[str] = []
    if schema.student and not any(one.student for one in about):
        names.append(schema.student.name)
    if not any(one.group for one in about):
        names += schema.group
    if schema.period and not any(one.period for one in about):
        names.append(schema.period)
    return tuple(names)


def strays_among(log: PredictionLog, found: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes that belong to no logged prediction: a mistyped key, or a student who was never asked about."""
    index, strays = {outcome.id: outcome for outcome in found}.values(), list[Outcome]()
    for domain in {outcome.domain for outcome in index}:
        outcomes = [outcome for outcome in index if outcome.domain == domain]
        ids = [one.prediction for one in outcomes if one.prediction is not None]
        students = {one.student for one in outcomes if one.prediction is None and one.student is not None}
        asked = log.placings(domain, ids=ids, students=sorted(students))
        about: set[object] = {one.id for one in asked} | {one[1:] for one in asked} | {one[1:3] for one in asked}
        places: dict[str | None, set[tuple[str | None, str | None]]] = {}
        for one in asked:
            places.setdefault(one.student, set()).add((one.group, one.period))
        strays += [
            one for one in outcomes if _subject(one) not in about and not _fits(one, places.get(one.student, set()))
        ]
    return strays


def _fits(outcome: Outcome, places: Collection[tuple[str | None, str | None]]) -> bool:
    """Whether a student whom predictions know in these places is known well enough by what the outcome says."""
    if outcome.prediction is not None or len(places) != 1:
        return False
    return not any(contradict((outcome.group, outcome.period), place) for place in places)


def _subject(outcome: Outcome) -> object:
    """What an outcome is about: a prediction, or a student in a group, in one period or in any."""
    if outcome.prediction is not None:
        return outcome.prediction
    if outcome.period is None:
        return outcome.student, outcome.group
    return outcome.student, outcome.group, outcome.period
