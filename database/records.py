"""The records that a store keeps: frozen, complete in themselves, equal when their fields are.

No record holds a name or a raw student key: `student` is always a pseudonym. Every `at` is an aware UTC time. Nothing
here knows a database.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

Cell = float | str | None
"""One value of a row: a number, a level, or None where it is missing."""

BatchKind = Literal["labeled", "unlabeled"]


class ChampionKey(msgspec.Struct, frozen=True, order=True):
    """What a champion is champion of."""

    domain: str
    target: str
    moment: str

    def __str__(self) -> str:
        return f"{self.domain}/{self.target}@{self.moment}"


class Factor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one input did to an answer: a statement about the model, not about causes.

    value: the row's own. effect: how far the answer moves when the input is known instead of being any of those seen in
    training; in target units, or for classes the change of the answered level's probability. direction: which way the
    input moves a value, or the expected level (worst first).
    """

    feature: str
    value: Cell
    effect: float
    direction: Literal["raises", "lowers"]


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one model said about one target.

    value: in target units, or a level's name; None where the row lacks too much, of which `insufficient` names what is
    missing. interval: (low, high) in target units with `coverage` (0 to 1) as its stated share; None for classes, and
    where no share can be promised. below_pass: the chance that the outcome lies below the target's pass mark; None
    where there is no such mark, no answer, or an input out of range. naive: what the plain rule says for the same row;
    None where there is no value and the rule would only say what is commonest, whatever the row. model: the version
    (digest) that really answered; generation: the registry's number when it did. out_of_range: inputs unlike any that
    the model was trained on. factors: where asked for, the inputs that moved the answer most, the strongest first.
    """

    target: str
    value: float | str | None
    naive: float | str | None
    model: str
    generation: int
    interval: tuple[float, float] | None = None
    coverage: float | None = None
    probabilities: Mapping[str, float] | None = None
    below_pass: float | None = None
    out_of_range: tuple[str, ...] = ()
    insufficient: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()

    @property
    def likelier(self) -> str | None:
        """The likeliest level, where that is not the answered one: the band of a value can lie beside it."""
        if not self.probabilities or self.value is None:
            return None
        most = max(self.probabilities, key=self.probabilities.__getitem__)
        return most if self.probabilities[most] > self.probabilities[str(self.value)] else None


class Prediction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row that was answered: what was asked, by whom, what was said. Logged before the answer leaves.

    inputs: every known column of the row, protected ones too. source: "api", "dashboard", "cli". actor: the name of
    the key or user that asked, None where nobody was asked to say. shadow: what challengers said about the same row;
    logged beside the answers, never given as one.
    """

    id: str
    domain: str
    moment: str
    inputs: Mapping[str, Cell]
    answers: tuple[Answer, ...]
    source: str
    at: datetime
    student: str | None = None
    group: str | None = None
    period: str | None = None
    actor: str | None = None
    shadow: tuple[Answer, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What really happened to one target of one student, or of one prediction where there is no student key.

    A later outcome for the same key corrects the earlier one. value: in target units, or a level's name. at: when it
    came in. happened_at: when it happened, where whoever sent it said so.
    """

    domain: str
    target: str
    value: float | str
    at: datetime
    student: str | None = None
    group: str | None = None
    period: str | None = None
    prediction: str | None = None
    happened_at: datetime | None = None

    @property
    def id(self) -> str:
        """The same for every outcome about the same thing, whatever its value and time."""
        return digest([self.domain, self.target, self.prediction, self.student, self.group, self.period])


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one upload said of an outcome, as it was given. receipt: of that upload."""

    receipt: int
    value: float | str
    at: datetime
    happened_at: datetime | None = None


class LabeledRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row to learn from: from a labelled batch, or a prediction whose outcomes are known.

    id: the same for the same student's row however it came (`record_id`). targets: the known outcomes. receipt: of the
    newest upload that said something of it, by which newer and older are told; 0 where it was not stored.
    """

    id: str
    domain: str
    inputs: Mapping[str, Cell]
    targets: Mapping[str, float | str]
    at: datetime
    student: str | None = None
    group: str | None = None
    period: str | None = None
    receipt: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One uploaded file. id: the hash of its content, so that the same content is stored once."""

    id: str
    domain: str
    kind: BatchKind
    name: str
    rows: int
    at: datetime
    skipped: int = 0


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted row of a batch; `number` counts from 1 within it. targets is empty in an unlabelled batch."""

    record: str
    number: int
    inputs: Mapping[str, Cell]
    targets: Mapping[str, float | str] = {}
    student: str | None = None
    group: str | None = None
    period: str | None = None


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One trained model. version: the digest of its bundle. scores, lineage: as in the bundle, for listing; among the
    scores, under "naive", those of the plain rule on the same rows, with its "rule" and their "comparison" in words
    (not in older records)."""

    version: str
    domain: str
    target: str
    moment: str
    candidate: str
    scores: Mapping[str, Any]
    lineage: Mapping[str, Any]
    at: datetime

    @property
    def key(self) -> ChampionKey:
        return ChampionKey(self.domain, self.target, self.moment)


Action = Literal["promote", "rollback", "activate"]


class Succession(msgspec.Struct, frozen=True, kw_only=True):
    """One change of champion: the registry's audit row. `generation` counts from 1 per key, without gaps."""

    domain: str
    target: str
    moment: str
    generation: int
    version: str
    action: Action
    actor: str
    reason: str
    at: datetime

    @property
    def key(self) -> ChampionKey:
        return ChampionKey(self.domain, self.target, self.moment)


class DriftRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One stored drift report. document: the report as JSON-ready values. alarm: the data set's verdict."""

    id: str
    domain: str
    at: datetime
    alarm: bool
    reference: str
    current: str
    document: Mapping[str, Any]


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One stored retraining decision with its reasons, intervals and n."""

    id: str
    domain: str
    target: str
    moment: str
    verdict: str
    champion: str | None
    challenger: str | None
    at: datetime
    document: Mapping[str, Any]


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a source said in one version of an event: of a student on a day, or where student is "" of all.

    kind: what it is about; body: its values, in the order that the kind has them, None where the event is taken back.
    event: what the source calls it, as a digest. version: later ones take the place of earlier ones, whichever came in
    first. day: the school day from which it changes what is known, counted from 1970 on. at: when it came in.
    """

    domain: str
    student: str
    kind: str
    event: str
    version: int
    source: str
    day: int
    body: tuple[float | str | bool | None, ...] | None
    at: datetime


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something an operator may have to know. details holds no student data."""

    id: str
    kind: str
    at: datetime
    domain: str | None = None
    details: Mapping[str, Any] = {}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Something small that changes: a key, a user, a trial, a profile, the state of an alert. Its key: (kind, name).

    revision: counts from 1, one more with every change. body: JSON-ready values; what JSON has no word for (NaN)
    comes back as None. at: when it changed last, or whatever else its kind is looked up by.
    """

    kind: str
    name: str
    revision: int
    at: datetime
    domain: str | None = None
    body: Mapping[str, Any]  # last, so that SQLite reads the fields above without walking through megabytes


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who looked at or changed what about students, or was refused. details holds no student data but pseudonyms."""

    id: str
    actor: str
    action: str
    at: datetime
    domain: str | None = None
    details: Mapping[str, Any] = {}


JobState = Literal["waiting", "running", "done", "failed", "cancelled"]


class JobProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is. step: what it does, in words. share: of the whole, 0 to 1; None where nobody can say."""

    step: str
    share: float | None = None


class JobProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a job failed. title: the error's name. category: of the error, as `errors.Category` writes it; None for a
    fault of ours. problems: of a file's cells, as JSON has them; the first of problem_count."""

    title: str
    detail: str
    category: str | None = None
    problems: tuple[Mapping[str, Any], ...] = ()
    problem_count: int = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work in the background. Its times are the database's, so that no worker's own clock counts.

    actor: who asked for it. arguments: JSON-ready, what its kind takes. due: it is not begun before. attempts: how
    often it was begun. token: counts the claims; only who holds the newest one may write. worker: who claimed it last,
    expires: until when. cancelling: it is to end without a result. started: when it was claimed last. result,
    problem: of the last attempt that had one; a waiting job with a problem is to be tried again. request: the id of the
    request that asked for it, by which lines of logs are found.
    """

    id: str
    kind: str
    at: datetime
    due: datetime
    state: JobState = "waiting"
    domain: str | None = None
    actor: str | None = None
    arguments: Mapping[str, Any] = {}
    attempts: int = 0
    token: int = 0
    worker: str | None = None
    expires: datetime | None = None
    cancelling: bool = False
    started: datetime | None = None
    finished: datetime | None = None
    progress: JobProgress | None = None
    result: Mapping[str, Any] | None = None
    problem: JobProblem | None = None
    request: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ("done", "failed", "cancelled")


class BlobChunk(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a blob, which is content that a record names: an uploaded file. number: counts from 0."""

    blob: str
    number: int
    at: datetime
    content: bytes


class SeenWorker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that does jobs. at: when it was seen last, `ago` seconds before now by the database's clock."""

    id: str
    kinds: tuple[str, ...]
    at: datetime
    ago: float


Record = (
    Prediction
    | Outcome
    | Batch
    | ModelVersion
    | Succession
    | DriftRecord
    | DecisionRecord
    | Event
    | Document
    | Access
    | Job
    | BlobChunk
    | Observation
)


Before = tuple[datetime, str]
"""The `at` and the id (of a document: the name) of the last one of the page before."""


def digest(parts: Any) -> str:
    """SHA-256 (32 hex digits) of the canonical JSON of `parts`."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:32]


def digest_in_pieces(pieces: Iterable[Sequence[Any]]) -> str:
    """The digest of all pieces as one list, one of which is held at a time.

    >>> digest_in_pieces([[1, "a"], [], [None]]) == digest([1, "a", None])
    True
    """
    whole, between = hashlib.sha256(b"["), b""
    for piece in pieces:
        if len(piece):
            whole.update(between + msgspec.json.encode(piece, order="sorted")[1:-1])
            between = b","
    whole.update(b"]")
    return whole.hexdigest()[:32]


def record_id(
    domain: str, student: str | None, group: str | None, period: str | None, inputs: Mapping[str, Cell]
) -> str:
    """The identity of a row across batches and predictions: the student in that group and period, or the content."""
    if student is not None:
        return digest([domain, student, group, period])
    return digest([domain, group, period, sorted(inputs.items())])
