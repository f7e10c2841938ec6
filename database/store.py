"""What a store answers, whichever database it lies in.

`RecordStore` is the contract that `database.sql` (SQLite, PostgreSQL) and `database.mongo` fulfil; one test class runs
over all of them. No question here is a query language.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from database.errors import Conflict
from database.newest import OF_ALL, AskedAbout, NewestAnswer, NewestCounts, Reason, SilentAnswer, Standing, Which
from database.packed import PackedPredictions, PackedRows
from database.pairs import Pair
from database.records import (
    Access,
    Batch,
    BatchKind,
    BatchRow,
    Before,
    BlobChunk,
    ChampionKey,
    DecisionRecord,
    Document,
    DriftRecord,
    Event,
    Job,
    JobProblem,
    JobProgress,
    JobState,
    LabeledRecord,
    ModelVersion,
    Observation,
    Outcome,
    Prediction,
    SeenWorker,
    Succession,
)


def check_successions(successions: Sequence[Succession]) -> None:
    """Raises ValueError for more than one domain, Conflict for a key that occurs twice."""
    if len({succession.domain for succession in successions}) > 1:
        raise ValueError("one change of champions concerns one domain")
    keys = [succession.key for succession in successions]
    if len(set(keys)) < len(keys):
        raise Conflict("a key occurs twice in one change of champions")


MOST_IN_PASSING = 4_000
"""Predictions that somebody who asks about students looks at first, where they are not looked at as they come: a tenth
of a second."""

MADE_IN_PASSING = 20_000
"""Predictions of days whose pairs are read while somebody waits for what is made of them: a quarter of a second, should
a tenth of them have an outcome. More wait for a job (`jobs.catching_up`)."""

UPLOAD_SECONDS = 300.0
"""For which the rows of an upload that gives no sign are left alone. It gives one with each of some thousand rows."""

UPLOAD_LEASE = "upload "
"""Begins the name of the lease under which rows are kept that belong to no batch yet, or to none any more."""

STOOD_STILL = "the upload stood still for so long that its rows were removed; send it again"

MADE_OF_PAIRS = "pairs/"
"""What kinds of documents begin with that hold what was made of a day's pairs (`PredictionLog.changes`); these are not
exported."""

LONGEST_KEY = 2_000
"""Bytes of UTF-8 that a document's kind and name may have together: an index of PostgreSQL holds no longer key."""


def check_document(document: Document) -> None:
    """Raises ValueError for a kind or name with a TAB (it stands between the two in keys), or too long ones."""
    for text in (document.kind, document.name):
        if "\t" in text:
            raise ValueError(f"{text!r} holds a TAB: the kind and name of a document may not")
    length = len(document.kind.encode()) + len(document.name.encode())
    if length > LONGEST_KEY:
        raise ValueError(f"kind and name of a document have {length:,} bytes: at most {LONGEST_KEY:,} fit")


def check_observations(observations: Iterable[Observation]) -> None:
    """Raises ValueError for a key that holds a TAB, or a version below 0."""
    for one in observations:
        if one.version < 0 or any("\t" in text for text in (one.domain, one.student, one.kind, one.event)):
            raise ValueError(f"an observation of {one.kind!r} has a key with a TAB, or a version below 0")


def counted(event: Event, count: int, receipt: int) -> Event:
    """An event that says what was taken back, as `PredictionLog.remove_predictions` keeps it."""
    return msgspec.structs.replace(event, details={**event.details, "count": count, "receipt": receipt})


class Placing(NamedTuple):
    """Whom one prediction is about."""

    id: str
    student: str | None
    group: str | None
    period: str | None


class Dropped(NamedTuple):
    """What went of a domain with a part of the log: how many predictions, of which days (UTC)."""

    domain: str
    predictions: int
    days: Sequence[date]


Forgettable = Literal["accesses", "drift_reports"]
"""Kinds of what is kept for a time and then removed by its age alone."""


class StudentRow(NamedTuple):
    """A row of a student in a batch."""

    batch: str
    row: BatchRow


NOBODY_NAMED = "erased"
"""Stands in entries of access in the place of a student who was erased."""


class Changes(NamedTuple):
    """How far the outcomes of a domain are, for whoever keeps what was made of pairs. newest: the number of the newest
    change: an upload, a withdrawal or a load. days: by day of prediction (UTC), the number of the newest of these that
    may have changed its pairs. always: the newest that may have changed those of any day."""

    newest: int
    days: dict[date, int]
    always: int

    def fit(self, day: date, number: int) -> bool:
        """Whether nothing has changed the pairs of a day since the upload of that number, but new predictions."""
        return number >= max(self.days.get(day, 0), self.always)


class Log(Protocol):
    """Where answers are kept before they are given."""

    def add_predictions(
        self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()
    ) -> None:
        """Keep all or none, durably, before returning. batches: those that come by column."""


class InstantLog(Log, Protocol):
    """A log that can also keep predictions without waiting for anyone (`database.sqlite_log.SqliteAppender`)."""

    def add_at_once(self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()) -> bool:
        """As `add_predictions`, or False, and nothing kept, where that would have to wait."""

    @property
    def wants_write_back(self) -> bool:
        """Whether `write_back` is due."""

    def write_back(self) -> None:
        """Do what `add_at_once` put off."""


class Appender(InstantLog, Protocol):
    """A log beside a store, with connections of its own; it is closed before the store."""

    def close(self) -> None:
        """Give the connections back."""


class PredictionLog(Protocol):
    """Predictions and what came of them."""

    def add_predictions(
        self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()
    ) -> None:
        """Keep all or none, durably, before returning; batches: those that come by column, which are kept and read as
        if they had come one by one. An id that is already there is left as it is. Raises ValueError
        for an answer, given or shadow, that is NaN or infinite. (A MongoDB without transactions, that is one server
        without a replica set, can keep part of a call that it cuts off; giving the same predictions again completes
        it.)"""

    def prediction(self, id: str) -> Prediction | None: ...

    def predictions_of(self, ids: Sequence[str]) -> list[Prediction]:
        """In the order of the ids; those that are unknown are left out."""

    def predictions(
        self,
        domain: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        student: str | None = None,
        groups: Sequence[str] | None = None,
        endings: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[Prediction]:
        """Newest first; since is inclusive, until exclusive. groups: only rows whose group is one of these, so that an
        empty sequence finds nothing. endings: only those whose id ends with one of these texts of equal length; ids end
        by chance, so that some of all endings give a random sample, found without reading the rest."""

    def count_predictions(
        self,
        domain: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        groups: Sequence[str] | None = None,
    ) -> int:
        """since is inclusive, until exclusive. groups: as `predictions`."""

    def predictions_per_day(
        self, domain: str, since: datetime, *, groups: Sequence[str] | None = None
    ) -> dict[date, int]:
        """How many there are of each day (UTC) from `since` on; days without any are left out. groups: as
        `predictions`."""

    def placings(self, domain: str, *, ids: Sequence[str] = (), students: Sequence[str] = ()) -> set[Placing]:
        """Of every prediction with one of the ids or of one of the students; what was asked and answered is not
        read."""

    def newest_answers(
        self,
        domain: str,
        target: str,
        which: Which = OF_ALL,
        *,
        least: float = 0.0,
        before: NewestAnswer | None = None,
        limit: int = 100,
    ) -> list[NewestAnswer]:
        """Of each student the newest answer about the target in each group and period, by time and id, where it says a
        chance of `least` or more of ending below the pass mark: the largest chance first. before: the last one of the
        page before, whether or not it is still the newest."""

    def silent_answers(
        self,
        domain: str,
        target: str,
        which: Which = OF_ALL,
        *,
        why: Reason | None = None,
        after: SilentAnswer | None = None,
        limit: int = 100,
    ) -> list[SilentAnswer]:
        """The newest answers that say no chance, for one reason or for any: by student, group and period. after: the
        last one of the page before."""

    def count_newest(
        self, domain: str, target: str, which: Which = OF_ALL, *, least: float = 0.0, but: Iterable[str] = ()
    ) -> NewestCounts:
        """How many newest answers there are; known: of those that say a chance of `least` or more. but: whose answers
        are not counted."""

    def newest_behind(self) -> int:
        """How many predictions, or a few more, nothing of the newest answers knows of yet. Where they are not looked at
        as they come, whoever asks for newest answers or standings looks at up to MOST_IN_PASSING; more wait for
        `catch_up_newest`, and until then nobody is told of any of them."""

    def catch_up_newest(self, heard: Callable[[int], object] = ...) -> int:
        """Look at all predictions that are waited for; how many there were. heard: told so now and then. Begun again
        after it was killed, it goes on; several at once do no harm."""

    def answered_groups(self, domain: str, *, after: str = "", limit: int = 100) -> list[str]:
        """So many of the groups that predictions of a domain are of, in order, behind one."""

    def asked_about(self, domain: str, students: Sequence[str]) -> list[AskedAbout]:
        """Every prediction about these students, in any order; what was asked and answered is not read."""

    def add_outcomes(self, outcomes: Sequence[Outcome]) -> tuple[int, int]:
        """Keep all or none, as one upload. Returns (new, corrected); one that says the same as the kept one, also of
        when it happened, counts as neither. What comes later is newer, whatever times say. What was corrected is kept
        beside the present value, for `remove_outcomes`. Raises ValueError for one that is not finite or about
        nobody."""

    def remove_predictions(self, domain: str, ids: Sequence[str], event: Event) -> Event | None:
        """Take back those of the domain that are there, and keep the event that says so, both or neither.

        Returns the event as it is kept: with "count", of how many, and "receipt" among its details, for it is numbered
        as an upload is, so that whoever keeps sums over records as of one receipt learns that some are gone. None, and
        nothing kept, where none is there. (A MongoDB without transactions keeps the event first; cut off there, the
        same call again takes back the rest.)"""

    def drop_predictions(
        self, domains: Collection[str], before: datetime, event: Callable[[str, str], Event]
    ) -> list[Dropped]:
        """Take away at once each whole part of the log that holds nothing but predictions of these domains from before
        then; the rest of them stays, for `remove_predictions`. event: makes the event of a domain and of a part by its
        name, which is kept as `remove_predictions` keeps it. A store whose log has no parts takes away nothing."""

    def remove_outcomes(self, domain: str, outcomes: Sequence[Outcome], event: Event) -> Event | None:
        """As `remove_predictions`: all is as if nobody had ever said these values of these things. One that had been
        corrected so has its earlier value and receipts again; one of which nothing else was said is gone; one that
        was corrected since keeps its present value."""

    def pairs(
        self,
        domain: str,
        target: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        groups: Sequence[str] | None = None,
        endings: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[Pair]:
        """Predictions (of these times, groups and endings, as `predictions`) that answered `target`, newest first, each
        with its outcome, and whether it came before that: by prediction id, else by student, group and period, else by
        student and group for an outcome without a period, else by student alone where all predictions of the student
        from before the outcome, and all its outcomes of the target, are of one place and what both say of it agrees.
        An outcome that names a prediction belongs to no other. Predictions without an outcome are left out. Which of
        them are evidence, `database.pairs.evidence` says."""

    def pair_pages(self, domain: str, target: str, *, since: datetime, until: datetime) -> Iterator[list[Pair]]:
        """The same as `pairs`, some hundred at a time, so that memory does not grow with them."""

    def changes(self, domain: str) -> Changes:
        """What `pairs` gives of a day of predictions is what it gave before, as long as the day has as many predictions
        and nothing here says that it changed. Asked before the pairs are read. A document of a kind that begins with
        MADE_OF_PAIRS, of the domain and at the beginning of a day, is removed when that day's pairs change."""


class BatchArchive(Protocol):
    """Uploaded files, labelled and unlabelled kept apart."""

    def add_batch(self, batch: Batch, rows: Iterable[BatchRow] = (), packed: Iterable[PackedRows] = ()) -> bool:
        """Keep the batch and its rows, all or none; packed: those that come by column. False, and nothing changed, when
        its id is already there.

        Rows are taken as they come and kept some thousand at a time, so that nobody else waits long; nobody sees them
        before the last step, which also gives the batch its receipt. Where it fails or is killed before that, they are
        removed, by this call or by `sweep_uploads`."""

    def sweep_uploads(self) -> None:
        """Remove the rows of uploads that gave no sign for `UPLOAD_SECONDS`, and of removed batches."""

    def remove_batch(self, id: str, event: Event) -> Event | None:
        """With its rows, as `remove_predictions`; count: of its rows. Its content is new again."""

    def batches(self, domain: str | None = None, kind: BatchKind | None = None) -> list[Batch]:
        """Newest first: that came in last."""

    def batch_rows(self, batch: str, numbers: Collection[int] | None = None) -> list[BatchRow]:
        """In file order, all or those of these numbers; empty for an unknown batch. Numbers have gaps where rows were
        erased."""

    def batch_rows_after(self, batch: str, number: int, limit: int) -> list[BatchRow]:
        """In file order so many of those behind the row of this number."""

    def standings(
        self, domain: str, group: str, period: str | None, *, after: str | None = None, limit: int = 100
    ) -> list[Standing]:
        """Of each student of whom a batch has a row in this group and period (None: rows that have none), the newest
        such row, labelled or not, with what was answered about the student there: by student. Newest means as in
        `labeled_records`. after: the last student of the page before."""

    def newest_rows(self, domain: str, records: Collection[str], kind: BatchKind | None = None) -> list[BatchRow]:
        """The newest row of each of these records in a batch, or in one of a kind, in any order; what came as a
        prediction has none."""

    def labeled_records(self, domain: str, *, limit: int | None = None) -> list[LabeledRecord]:
        """The newest labelled rows, newest first: rows of labelled batches and predictions with an outcome.

        Newest means by receipt of the batch or outcome, then by position within the batch (later rows are newer). A
        record id occurs once: its newest inputs, with the targets of all its appearances merged (newest wins)."""


class StudentRecords(Protocol):
    """All that is kept of one student (a pseudonym) in a domain, but for predictions, which `PredictionLog` lists; and
    removing what was kept long enough."""

    def student_rows(self, domain: str, student: str) -> list[StudentRow]:
        """In batches of the domain, in any order."""

    def student_outcomes(self, domain: str, student: str) -> list[Outcome]:
        """About the student, or about one of its predictions, in any order."""

    def student_accesses(self, domain: str, student: str) -> list[Access]:
        """Entries of the domain that name the student, newest first."""

    def erase_student(self, domain: str, student: str, event: Event) -> Event | None:
        """Predictions, rows of batches, outcomes, observations and newest answers are gone, and entries of access name
        nobody in the student's place; and the event is kept that says so, as `remove_predictions` does. None, and
        nothing kept, where nothing is there. (On a MongoDB without transactions the same call again erases what
        is left of one that was cut off.)"""

    def oldest_outcomes(self, domain: str, limit: int) -> list[Outcome]:
        """Those that came in first."""

    def count_outcomes(self, domain: str) -> int: ...

    def outcomes_ending(self, domain: str, endings: Collection[str] | None) -> list[Outcome]:
        """Those whose id ends with one of these texts of equal length, in any order; all for None. Ids end by chance,
        so that some of all endings give a random sample, found without reading the rest."""

    def forget(self, kind: Forgettable, before: datetime) -> int:
        """Remove entries of before then, some at a time so that nobody waits long; how many."""

    def wipe(self, removed: Sequence[str]) -> None:
        """See to it that what was removed cannot be read from the files of the database either, where it lies in files
        of this machine. removed: texts that no record holds any more; where one is found, all is written anew. Raises
        StoreUnavailable where others read for so long that it cannot be done now."""


class ObservationColumns(NamedTuple):
    """Observations of one domain by column, in key order. body: JSON; "null" where the event is taken back."""

    student: Sequence[str]
    kind: Sequence[str]
    event: Sequence[str]
    version: Sequence[int]
    source: Sequence[str]
    day: Sequence[int]
    body: Sequence[str]
    at: Sequence[int]
    receipt: Sequence[int]


class ObservationTexts(NamedTuple):
    """All versions of the events of one kind of one student, in any order. told: a line of each: event, version, day
    and body (as of `ObservationColumns`) between tabs. size: how many there are."""

    student: str
    kind: str
    size: int
    told: str


ObservedKey = tuple[str, str, str]
"""Student, kind and event: what an event is known by within a domain."""


class ObservedSince(NamedTuple):
    """Students of whom something was observed after a receipt ("" stands for what concerns all), and the newest one."""

    newest: int
    students: Sequence[str]


class ObservationLog(Protocol):
    """What is observed of students, version by version; nothing that is there changes."""

    def add_observations(self, observations: Sequence[Observation]) -> int:
        """Keep all or none, under one receipt; a version of an event that is there is left as it is. How many are new.
        (A MongoDB without transactions can keep part of a call that it cuts off; giving them again completes it.)
        Raises ValueError for a key with a TAB, or a version below 0."""

    def observation_pages(
        self,
        domain: str,
        *,
        students: Sequence[str] | None = None,
        known_at: datetime | None = None,
    ) -> Iterator[ObservationColumns]:
        """All versions of all or of some students ("": of what concerns all), some thousands at a time, in key order:
        by student, kind, event and version. known_at: only what had come in by then. What comes in while the pages are
        read is in none of them."""

    def observation_texts(
        self,
        domain: str,
        *,
        students: Sequence[str] | None = None,
        known_at: datetime | None = None,
        kind: str | None = None,
    ) -> Iterator[Sequence[ObservationTexts]]:
        """The same of whole students, some hundreds at a time, in order, without a row for each event. kind: of one
        alone."""

    def observations_of_events(self, domain: str, events: Sequence[ObservedKey]) -> Iterator[ObservationColumns]:
        """All versions of these events, some events at a time, in key order."""

    def observed_since(self, domain: str, receipt: int | None) -> ObservedSince:
        """The students of whom something came in behind this receipt, in order; None: only the newest one is asked."""

    def remove_observations(self, domain: str, before: datetime) -> int:
        """Forget what came in before then, but for versions above one that came in later: that would count again. How
        many."""


class ModelRegistry(Protocol):
    """Model versions and who is champion. A champion changes by compare-and-swap, audit row included."""

    def add_model(self, model: ModelVersion) -> None:
        """Keep it; a version that is already there is left as it is."""

    def models(self, key: ChampionKey | None = None) -> list[ModelVersion]:
        """Newest first."""

    def champions(self) -> list[Succession]:
        """The newest succession of every key, in key order: one read, so that no caller sees a half-made change."""

    def successions(self, key: ChampionKey) -> list[Succession]:
        """The whole history of one key, oldest first."""

    def succeed(self, successions: Sequence[Succession]) -> None:
        """Install every given succession, or none. Each one's generation must be exactly one above its key's present
        one (1 where there is none) at the time of the commit. Raises Conflict otherwise, nothing changed; ValueError
        when they belong to more than one domain (MongoDB keeps one registry document per domain)."""


class Journal(Protocol):
    """Drift reports, retraining decisions and events."""

    def add_drift_report(self, report: DriftRecord) -> None: ...

    def drift_report(self, id: str) -> DriftRecord | None: ...

    def drift_reports(
        self, domain: str | None = None, *, before: Before | None = None, limit: int = 100
    ) -> list[DriftRecord]:
        """Newest first."""

    def add_decision(self, decision: DecisionRecord) -> None: ...

    def decision(self, id: str) -> DecisionRecord | None: ...

    def decisions(
        self,
        domain: str | None = None,
        *,
        key: ChampionKey | None = None,
        before: Before | None = None,
        limit: int = 100,
    ) -> list[DecisionRecord]:
        """Newest first, all or those about one champion."""

    def add_event(self, event: Event) -> None: ...

    def events(
        self,
        domain: str | None = None,
        *,
        kind: str | None = None,
        before: Before | None = None,
        limit: int = 100,
    ) -> list[Event]:
        """Newest first."""

    def try_lease(self, name: str, holder: str, seconds: float) -> str | None:
        """Take or renew the lease `name` for `seconds`. None when `holder` now has it, else the present holder."""

    def release_lease(self, name: str, holder: str) -> None:
        """Give the lease back; nothing happens when someone else has it by now."""


class Documents(Protocol):
    """Small things that change: keys, users, trials, profiles, states of alerts. A document changes by
    compare-and-swap on its revision."""

    def document(self, kind: str, name: str) -> Document | None: ...

    def documents(
        self, kind: str, *, domain: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Document]:
        """Sorted by name; since is inclusive, until exclusive, both on `at`."""

    def documents_named(self, kind: str, names: Sequence[str]) -> list[Document]:
        """Those of these names, in any order; names that are unknown are left out."""

    def newest_documents(self, kind: str, *, before: Before | None = None, limit: int = 100) -> list[Document]:
        """Newest first."""

    def put_document(self, document: Document) -> None:
        """Keep it in place of the one with its kind and name. Its revision must be exactly one above the kept one's (1
        where there is none) at the time of the commit. Raises Conflict otherwise, nothing changed; ValueError for a
        kind or name with a TAB or of more than `LONGEST_KEY` bytes, and on MongoDB for more than 16 MB."""

    def remove_document(self, kind: str, name: str) -> bool:
        """Whether it was there. The next one of this kind and name starts at revision 1 again."""


class AccessLog(Protocol):
    """Who looked at or changed what about students, or was refused."""

    def add_accesses(self, accesses: Sequence[Access]) -> None:
        """Keep all or none, as `add_predictions` does. An id that is already there is left as it is."""

    def accesses(
        self,
        *,
        actor: str | None = None,
        domain: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Access]:
        """Newest first; since is inclusive."""


class JobQueue(Protocol):
    """Work in the background: each job is held by at most one worker, by a lease that it must renew.

    Leases and times are measured by one clock: the server's, or the machine's where a file is the database. Whatever
    takes a token raises LostJob, and has done nothing, unless the job is running under that token and the lease has not
    run out.
    """

    def add_job(self, job: Job, *, pause: float = 0.0) -> Job:
        """Keep a waiting job, to be begun after `pause` seconds; its times are the database's. The one that is there
        already where its id is: the same job asked for twice is done once."""

    def claim_job(self, kinds: Sequence[str], worker: str, seconds: float, *, id: str | None = None) -> Job | None:
        """The due job of these kinds that waits longest, or whose lease ran out, held by `worker` for `seconds` under
        a new token; None where there is none. Of several that ask at once, one gets it. id: only this one."""

    def renew_job(self, id: str, token: int, seconds: float, progress: JobProgress | None = None) -> Job:
        """Hold it for `seconds` from now on, and tell how far it is. The answer says whether it is to be cancelled."""

    def end_job(
        self, id: str, token: int, state: JobState, *, result: Any = None, problem: JobProblem | None = None
    ) -> Job:
        """It is done, failed or cancelled. result: JSON-ready."""

    def put_back_job(
        self, id: str, token: int, *, pause: float = 0.0, problem: JobProblem | None = None, counts: bool = True
    ) -> Job:
        """It waits again, to be begun after `pause` seconds. counts: whether this was an attempt."""

    def cancel_job(self, id: str) -> Job | None:
        """End it if it waits, ask for its end if it runs; nothing becomes of one that has ended. None: there is
        none."""

    def job(self, id: str) -> Job | None: ...

    def jobs(
        self,
        *,
        domain: str | None = None,
        kind: str | None = None,
        actor: str | None = None,
        states: Sequence[JobState] = (),
        before: Before | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Newest first."""

    def remove_jobs(self, before: datetime) -> int:
        """Forget those that ended before then. How many."""

    def fenced(self, id: str, token: int) -> "RecordStore":
        """The same store to whoever holds a job: whatever it writes, it writes under that token, or raises LostJob.

        On SQL in the transaction of the write; on MongoDB just before it, so that a write under way when the lease
        ends may still come. It shares this store's connections and is not closed by itself."""

    def see_worker(self, id: str, kinds: Sequence[str]) -> None:
        """Remember that a worker lives now."""

    def workers(self) -> list[SeenWorker]:
        """The one that was seen last first."""

    def forget_workers(self, before: datetime) -> None:
        """Those that were last seen before then."""


class Blobs(Protocol):
    """Content of any size that a record names, in chunks (`database.blobs` puts it together)."""

    def add_chunk(self, chunk: BlobChunk) -> None:
        """One that is already there is left as it is."""

    def chunk(self, blob: str, number: int) -> BlobChunk | None: ...

    def blobs(self, *, before: datetime | None = None) -> list[str]:
        """The names of those that were begun before then, in order."""

    def remove_blobs(self, names: Sequence[str]) -> None:
        """Those that are there."""


class Exporter(Protocol):
    """What a store holds, document by document."""

    def export(
        self, kind: str, *, after: str | None = None, limit: int = 1000, unreadable: bool = False
    ) -> list[tuple[str, bytes]]:
        """Up to `limit` documents of one kind, in key order, as (key, canonical JSON), from the key behind `after`.

        Raises Damaged for one that cannot be read. unreadable: it is there as `layout.Unreadable`, which says why; of
        kinds without receipts only."""


class Snapshot(Exporter, Protocol):
    """What a store held at one moment."""

    @property
    def receipt(self) -> int:
        """Of the newest upload that is in it, with all before it."""


class RecordStore(
    PredictionLog,
    BatchArchive,
    StudentRecords,
    ObservationLog,
    ModelRegistry,
    Journal,
    Documents,
    AccessLog,
    JobQueue,
    Blobs,
    Protocol,
):
    """Everything that Gradewatch remembers.

    Safe to share between threads; several processes may have the same database open. Every method either does all of
    its work or raises StoreUnavailable and has done none of it; whatever reads raises Damaged for a record that cannot
    be read. Times come back aware, UTC, to the microsecond.
    """

    @property
    def embedded(self) -> bool:
        """Whether it lies in a file of this machine, which no other can reach."""

    def open_appender(self) -> Appender | None:
        """A log beside this store that appends predictions at less cost, where there is such a thing."""

    def ping(self) -> None:
        """Return when the database answers, and can be read: it reads something that is kept, past whatever this
        process remembers. Raises StoreUnavailable."""

    def export(
        self, kind: str, *, after: str | None = None, limit: int = 1000, unreadable: bool = False
    ) -> list[tuple[str, bytes]]:
        """Up to `limit` documents of one kind, in key order, as (key, canonical JSON), from the key behind `after`.

        Raises Damaged for one that cannot be read. unreadable: it is there as `layout.Unreadable`, which says why; of
        kinds without receipts only."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """What it holds at one moment, to be read as long as the block lasts; others write meanwhile.

        On MongoDB that moment is a receipt: predictions, outcomes and batches are as of it, and nothing is taken back
        meanwhile (withdrawals raise StoreUnavailable). What else is written while it is read may be in it or not: read
        what refers to others before these. Raises StoreUnavailable where another snapshot is being read there."""

    def number_from(self, receipt: int) -> None:
        """Number the next upload higher than this one, as where the documents came from that were loaded."""

    def load(self, kind: str, documents: Sequence[tuple[str, bytes]]) -> None:
        """Keep exported documents as they are; one whose key is already there is replaced. All or none."""

    def close(self) -> None:
        """Give back connections. The store must not be used afterwards."""


KINDS = (
    "predictions",
    "outcomes",
    "batches",
    "batch_rows",
    "models",
    "successions",
    "drift_reports",
    "decisions",
    "events",
    "documents",
    "accesses",
    "chunks",
    "jobs",
    "observations",
)
"""The kinds of document that `export` and `load` know, in an order in which loading them keeps references whole."""


Durability = Literal["normal", "full"]
"""What is kept survives a killed process (normal), or also power loss (full)."""
