"""What the service says: the records of its answers, encoded by msgspec and shown on the API's page as they are.

Records of the store are given as they are where nothing has to be left out or added.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from starlette.responses import Response

from access.roles import Role
from advice.advise import Advice
from advice.case_files import TakenSteps
from advice.case_steps import CaseStep, Done, HelpGiven
from advice.cases import CaseList, StudentCase
from advice.own_view import OwnView
from api.errors import ProblemDocument
from database.ingest import MatchedOutcomes, StoredOutcomes
from database.observed import StoredExport
from database.records import (
    Access,
    Answer,
    Batch,
    DecisionRecord,
    DriftRecord,
    Event,
    JobProgress,
    JobState,
    ModelVersion,
    Outcome,
    Prediction,
    Succession,
)
from database.uploads import Upload
from database.withdrawal import Withdrawal
from jobs.erasures import Erasure
from model.cache import CacheState
from model.card import ModelCard
from model.objections import Objection
from model.pauses import InPlace, Pause
from model.trial import Mode, Trial
from monitoring.at_risk import AtRisk
from monitoring.change_reports import ChangeReport
from monitoring.domain_performance import DomainPerformance
from monitoring.earliness import KeptEarliness
from monitoring.fairness import Fairness
from monitoring.performance import TargetPerformance
from monitoring.results import Results
from monitoring.trial_report import TrialReport
from monitoring.warning_lists import PolicyPreview
from monitoring.warning_lots import ToldDraw
from monitoring.warning_policy import PolicyFields, PolicyInUse, WarningPolicy
from monitoring.weekly_answers import WeeklyAnswer
from monitoring.what_changed import WhatChanged
from overview.records import ToldCondition
from preprocessing.panel.live import ObservedEvent
from preprocessing.schema import TaskKind
from preprocessing.validation.rules import Problem
from reports.effect_report import EffectReport
from reports.records import CohortReport

FACTORS_NOTE = "factors say what moved this model's answer, not what causes a result"

encoder = msgspec.json.Encoder()


def respond(record: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`record` as a JSON answer."""
    return Response(encoder.encode(record), status, headers, media_type="application/json")


class PredictionResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One logged prediction as its asker sees it.

    id: under which it is logged; give it with the outcome. student: the pseudonym, where a student key was given. row:
    of a file, its number as users count (a header is row 1).
    naive_rules: of each model that answered, which rule's answer stands under `naive`. band_rules: of those whose level
    is the band of a value, that it need not be the likeliest. note: how factors are to be
    read, where they were asked for, and which columns of a file were not.
    """

    id: str
    domain: str
    moment: str
    at: datetime
    answers: tuple[Answer, ...]
    student: str | None = None
    row: int | msgspec.UnsetType = msgspec.UNSET
    warning: str | None = None
    naive_rules: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    band_rules: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    note: str | None = None


class PredictionsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Logged predictions, in the order of the rows. problems: the first of those of bad rows that were left out on
    request."""

    count: int
    predictions: Sequence[PredictionResponse]
    warning: str | None = None
    naive_rules: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    band_rules: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    note: str | None = None
    problems: Sequence[Problem] | msgspec.UnsetType = msgspec.UNSET


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """That the process lives."""

    status: Literal["ok"] = "ok"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in user's access token, to be sent as Authorization: Bearer. expires_in: seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 (a kind, no secret)
    expires_in: int


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A user's name and password."""

    username: str
    password: str


class Accesses(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of the record of access, newest first."""

    accesses: Sequence[Access]


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries the cache had before it was emptied."""

    cleared: int


class ChampionState(msgspec.Struct, frozen=True, kw_only=True):
    """A champion that this worker has in memory. from_examples: it learned from generated examples."""

    domain: str
    target: str
    moment: str
    version: str
    generation: int
    from_examples: bool


class BrokenChampion(msgspec.Struct, frozen=True, kw_only=True):
    """A champion that could not be loaded; the one before it serves on, where there was one."""

    domain: str
    target: str
    moment: str
    generation: int


class StoppedChampion(msgspec.Struct, frozen=True, kw_only=True):
    """A champion that learned another schema than its domain has now. why: what has changed."""

    domain: str
    target: str
    moment: str
    generation: int
    why: tuple[str, ...]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this worker can answer. store: "ok", or what is wrong. reasons: why it is not ready. stopped: at the
    moments of these champions nobody is answered (409); others are."""

    ready: bool
    store: str
    reasons: tuple[str, ...]
    champions: tuple[ChampionState, ...]
    broken: tuple[BrokenChampion, ...]
    stopped: tuple[StoppedChampion, ...]


class DomainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A domain in a list. champions: "target@moment" of those that are loaded."""

    name: str
    title: str
    description: str
    moments: tuple[str, ...]
    targets: tuple[str, ...]
    champions: tuple[str, ...]


class Domains(msgspec.Struct, frozen=True, kw_only=True):
    """The domains that are served."""

    domains: Sequence[DomainSummary]


class FoundPredictions(msgspec.Struct, frozen=True, kw_only=True):
    """Logged predictions, newest first."""

    predictions: Sequence[Prediction]


class Find(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search by a raw student key, which belongs in a body and never in an address."""

    student: str | int
    limit: int = 100


class ReportSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A report in a list. due: the day that it is for; next_due: when the next one is. edition: a later one than the
    first is without students who were erased since, `withdrawn` of them."""

    id: str
    group: str
    period: str
    due: date
    made: datetime
    edition: int
    withdrawn: int
    students: int
    next_due: date
    address: str


class ReportSummaries(msgspec.Struct, frozen=True, kw_only=True):
    """Which reports there are, the newest first."""

    reports: Sequence[ReportSummary]


class MakeReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which report to make. due: the day that it is for; the one that is due by its schedule, or today, by default."""

    group: str
    period: str
    due: date | None = None


class ClassList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The institution's own keys of students, which belong in a body and never in an address."""

    keys: Sequence[str | int]


class StoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an uploaded file. new: False when the same content was there already; nothing changed then.

    skipped: bad rows that were left out on request; problems: the first of theirs, and of rows of groups that are not
    the sender's. upload: what the history of uploads says of the file. ignored_columns: columns of the
    file that were not read: those that the domain does not know, and outcomes in an unlabelled file. notes: what to
    know of how it was read.
    """

    batch: Batch
    new: bool
    upload: Upload | None = None
    skipped: int = 0
    problems: Sequence[Problem] = ()
    ignored_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Uploads(msgspec.Struct, frozen=True, kw_only=True):
    """The history of uploaded files, newest first; the next page begins behind the last one's id."""

    uploads: Sequence[Upload]


class Batches(msgspec.Struct, frozen=True, kw_only=True):
    """Uploaded batches, newest first."""

    batches: Sequence[Batch]


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """The registry: versions newest first, what each is called ("v3", by its digest), and who is champion."""

    models: Sequence[ModelVersion]
    names: Mapping[str, str]
    champions: Sequence[Succession]


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """Challengers tried next to champions, newest first."""

    trials: Sequence[Trial]


class StartTrial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Try `version` (or its beginning) next to its champion. share: of the students that it answers in a split."""

    version: str
    mode: Mode
    share: float = 0.5
    reason: str = "started over the API"


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a condition (its id, or the beginning) is known. note: why that is enough; kept for good, names nobody."""

    condition: str
    note: str = ""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What needs a person, the most harmful first."""

    conditions: list[ToldCondition]


class Withdraw(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take back one of: a batch (its id, or the beginning), predictions by id, or outcomes as they were sent."""

    reason: str
    batch: str = ""
    predictions: Sequence[str] = ()
    outcomes: Sequence[dict[str, Any]] = ()


class TakeEvents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events to store, in any order."""

    events: Sequence[ObservedEvent]


class StoredEvents(msgspec.Struct, frozen=True, kw_only=True):
    """How many events were sent: new ones, corrections of known ones, and those that change nothing."""

    events: int
    new: int
    corrected: int
    known: int


class OfStudent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A student, by the institution's own key."""

    student: str | int


class AskStudents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How these stand this week, by the institution's own keys. factors: with the themes that moved each answer, and
    what moved since the week before. as_of: by what is known at the end of that day; today by default."""

    students: Annotated[Sequence[str | int], msgspec.Meta(min_length=1, max_length=1000)]
    factors: bool = False
    as_of: date | None = None


class StudentsThisWeek(msgspec.Struct, frozen=True, kw_only=True):
    """Students as they were asked for. within: the weeks of the horizons of `risks`."""

    domain: str
    target: str
    within: Sequence[int]
    students: Sequence[WeeklyAnswer]


class TakeStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Note what was done about a student: talked to; the warning accepted, not applicable or wrong (with a reason as
    text); helped; the help reviewed (with what came of it); the case closed; or a note, which needs a text. text: names
    nobody. target: whose answer it follows, the first with a pass mark if none. group, period: where; those of the
    newest answer if no group is given. help: of which kind, when and how much. at: when it was, with its zone, where
    that is told later."""

    done: Done
    text: str = ""
    target: str | None = None
    group: str | None = None
    period: str | None = None
    help: HelpGiven | None = None
    at: datetime | None = None


class EraseStudent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Erase a student, by the institution's own key. retrain: start retraining where models learned from it."""

    student: str | int
    reason: str
    retrain: bool = False


class LinkStudent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which student a user is to see. student: the institution's key."""

    student: str | int


class LinkedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user, and whether it is linked to a student."""

    user: str
    role: Role
    linked: bool


class OwnPage(msgspec.Struct, frozen=True, kw_only=True):
    """What one student is told of itself. told: the same in sentences, in the language that was asked for. limits: what
    the numbers are not. contact: whom to ask."""

    view: OwnView
    told: Sequence[str]
    limits: Sequence[str]
    contact: str


class OwnObjection(msgspec.Struct, frozen=True, kw_only=True):
    """That the student is in no list and never scored from `at` on. told: the same in a sentence."""

    at: datetime
    told: str


class ObjectFor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Record that a student objects to being scored, by the institution's own key."""

    student: str | int
    reason: str = ""


class Erasures(msgspec.Struct, frozen=True, kw_only=True):
    """Erasures, the newest first."""

    erasures: Sequence[Erasure]


class Successions(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of champion, oldest first."""

    successions: Sequence[Succession]


class Activate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make `version` (or its beginning) champion; all_targets: with every model of the same training run."""

    domain: str
    version: str
    all_targets: bool = False
    reason: str = "activated over the API"


class Promote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make `version` (or its beginning), which never was champion, champion. generation: of the champion that this was
    decided about; refused where there is another by now."""

    domain: str
    version: str
    generation: int | None = None
    reason: str = "promoted over the API"


class Rollback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring back the champions before the present ones, of one target and moment or of all."""

    domain: str
    target: str | None = None
    moment: str | None = None
    reason: str = "rolled back over the API"


class SetPause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let no model answer in a domain, or in any where none is named. answers: what is given instead. reason: everybody
    who asks is told, so that it names nobody."""

    reason: str
    domain: str | None = None
    answers: InPlace = "plain rule"


class ResumeAnswers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let the models of a domain answer again, or end what paused all of them."""

    domain: str | None = None
    reason: str = "resumed over the API"


class Pauses(msgspec.Struct, frozen=True, kw_only=True):
    """What is paused now; of all domains as `*`."""

    pauses: Sequence[Pause]


class ProposePolicy(PolicyFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A warning policy that is looked at before it is used. target: the first one with a pass mark by default. period:
    only students of this one."""

    target: str | None = None
    period: str | None = None


class ActivatePolicy(ProposePolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A warning policy to be put into use. reason: kept in the history, so that it names nobody. generation: of the
    policy that it was compared with; refused where there is another by now."""

    reason: str
    generation: int | None = None


class RollBackPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring back the warning policy before the one in use."""

    reason: str
    target: str | None = None


class DrawSlots(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give by lot the slots that the warning policy in use gives so, by the newest answers."""

    target: str | None = None
    period: str | None = None


class LotDraws(msgspec.Struct, frozen=True, kw_only=True):
    """Slots that were given by lot, the oldest draw first, each drawn again."""

    draws: Sequence[ToldDraw]


class WarningPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """The warning policy in use about a target, in words too, and which was in use when. generation: of the one in use;
    0 where nobody chose one yet."""

    domain: str
    target: str
    generation: int
    version: str
    words: str
    policy: WarningPolicy
    history: Sequence[PolicyInUse]


class DriftReports(msgspec.Struct, frozen=True, kw_only=True):
    """Stored drift reports, newest first."""

    reports: Sequence[DriftRecord]


class CompareDays(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report on stored rows: of whole days, UTC, from `since` to before `until` (tomorrow if not given).

    source: predictions, or batches of a kind. moment: by default the one with the most rows. against: the champion's
    data, the same weeks of earlier periods ("past"), or these where there are enough ("auto"). exact: read the rows
    again instead of stored profiles. by: also by this column, each of its values against the same value before. week:
    of a domain with school weeks, the one that is compared with the same week of earlier years; by default the newest.
    """

    since: date
    until: date | None = None
    source: Literal["predictions", "labeled", "unlabeled"] = "predictions"
    moment: str | None = None
    against: Literal["auto", "champion", "past"] = "auto"
    exact: bool = False
    by: str | None = None
    week: str | None = None


class Retrain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to retrain: one target or moment, values or classes alone, or all. A value and its bands move together
    whichever is named. dry_run: decide and say so in the run's words, change nothing."""

    target: str | None = None
    moment: str | None = None
    task: TaskKind = "both"
    dry_run: bool = False


class TrainFirst(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to train: one target or moment, values or classes alone, or all. A value and its bands are trained together
    whichever is named."""

    target: str | None = None
    moment: str | None = None
    task: TaskKind = "both"


RetrainingState = Literal["running", "finished", "failed", "busy", "stopped"]


class ChangeReports(msgspec.Struct, frozen=True, kw_only=True):
    """Reports of what changed for students, newest first."""

    reports: Sequence[ChangeReport]


class FindEarliness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on answers can be trusted, about which target; the domain's first if none."""

    target: str | None = None


class RetrainingRun(msgspec.Struct, frozen=True, kw_only=True):
    """A retraining run that the service was asked for, as the job of the same id. words: what it says of its end."""

    id: str
    domain: str
    state: RetrainingState
    started: datetime
    finished: datetime | None = None
    exit_code: int | None = None
    words: str = ""
    decisions: Sequence[DecisionRecord] = ()


class Retrainings(msgspec.Struct, frozen=True, kw_only=True):
    """The newest retraining runs and decisions of a domain."""

    runs: Sequence[RetrainingRun]
    decisions: Sequence[DecisionRecord]


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A job in the background. result: where what it made is found, in `address`, and what else there is to say.
    problem: of the last attempt that failed; one that waits is tried again. note: what keeps it from being done."""

    id: str
    kind: str
    domain: str | None
    actor: str | None
    state: JobState
    asked: datetime
    attempts: int
    started: datetime | None = None
    finished: datetime | None = None
    cancelling: bool = False
    progress: JobProgress | None = None
    result: Mapping[str, Any] | None = None
    problem: ProblemDocument | None = None
    note: str | None = None


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs, newest first; the next page begins behind the last one's id."""

    jobs: Sequence[JobStatus]


# What callers of the systems before this one read; each of these stands before the fields of ours ---------------------


class OlderScore(msgspec.Struct, frozen=True, kw_only=True):
    """A score as the assignments' dashboard reads it. student_index: from 0, of many. cached: many rows are scored
    together, so none of them comes from the cache."""

    predicted_score: float | None
    student_index: int | msgspec.UnsetType = msgspec.UNSET
    cached: bool | msgspec.UnsetType = msgspec.UNSET


class OlderScores(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of many rows, in their order."""

    predictions: Sequence[Any]
    total_processed: int
    processing_time_ms: float
    cache_hits: int = 0


class OlderGradePrediction(msgspec.Struct, frozen=True, kw_only=True):
    """A final grade, and the whole number next to it."""

    score: float | None = msgspec.field(name="G3_score")
    rounding: int | None


class OlderGrade(msgspec.Struct, frozen=True, kw_only=True):
    """A final grade of a school subject, as the drift monitor's callers read it."""

    status: Literal["success"] = "success"
    prediction: OlderGradePrediction
    model_version: str


class OlderOutlookPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """Final marks and grade of a university subject, a probability for each grade, and who answered."""

    predicted_final_marks: float | None
    predicted_grade: str | None
    grade_probabilities: Mapping[str, float]
    model_versions: Mapping[str, str | None]


class OlderOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """What the study recommendation's callers read. weak_subjects: of a student who is named. study_plan_links: what
    is recommended; advice: why it is nothing, where it is."""

    success: Literal[True] = True
    prediction: OlderOutlookPrediction
    weak_subjects: Sequence[Mapping[str, Any]] = ()
    study_plan_links: Sequence[Mapping[str, str]] = ()
    advice: str | None = None
    response_time_ms: float


class OlderQueued(msgspec.Struct, frozen=True, kw_only=True):
    """That a worker answers later, at `status_url`."""

    success: Literal[True] = True
    queued: Literal[True] = True
    task_id: str
    status_url: str


class OlderCleared(msgspec.Struct, frozen=True, kw_only=True):
    """That the cache is empty: it has no patterns, so `pattern` only comes back."""

    message: str
    pattern: str
    cleared: int


class OlderDriftStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The newest stored drift report in short; unknown where there is none. details: what is told of each column that
    was compared; report: its id."""

    status: Literal["known", "unknown"] = "known"
    message: str
    drift_detected: bool | None = None
    drifted_features_count: int | None = None
    timestamp: datetime | None = None
    details: Mapping[str, Mapping[str, Any]] = {}
    report: str | None = None


class OlderTaken(msgspec.Struct, frozen=True, kw_only=True):
    """That a CSV of a course was taken. uploads: as the history of uploads tells of it. notes: how it was read."""

    message: str
    uploads: Sequence[str] = ()
    notes: Sequence[str] = ()


class OlderDates(msgspec.Struct, frozen=True, kw_only=True):
    """Days; only the last one matters: by what was known at its end."""

    start: date | None = None
    end: date | None = None


class OlderAskStudent(msgspec.Struct, frozen=True, kw_only=True):
    """A student, by the institution's own key."""

    student_id: str | int
    include_factors: bool = False
    date_range: OlderDates | None = None


class OlderAskStudents(msgspec.Struct, frozen=True, kw_only=True):
    """Students to rank, and how many of them to name."""

    student_ids: Annotated[Sequence[str | int], msgspec.Meta(min_length=1, max_length=1000)]
    top_k: Annotated[int, msgspec.Meta(ge=1)] = 10


class OlderFactor(msgspec.Struct, frozen=True, kw_only=True):
    """What a theme did to the risk (weight: by how much of 1), and the column that did most."""

    factor: str
    weight: float
    details: str


class OlderRiskPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """risk_score: of the longest horizon; null where there is no answer. risk_category: by the warning policy in use.
    confidence: null, since no share of confidence is known of one student; interval stands beside it: where the true
    chance of all who are answered so lies."""

    id: str | None
    student_id: str | int
    risk_score: float | None
    risk_category: str | None
    confidence: None = None
    interval: tuple[float, float] | None = None
    risk_factors: Sequence[OlderFactor] = ()
    model_version: str | None
    prediction_date: datetime


class OlderRisk(msgspec.Struct, frozen=True, kw_only=True):
    """How a student stands, as the weekly system's callers read it. why_not, details: why there is no score. answer:
    the same as …/students says it."""

    prediction: OlderRiskPrediction
    contributing_factors: Sequence[OlderFactor]
    timestamp: datetime
    why_not: str | None
    details: str | None
    answer: WeeklyAnswer


class OlderRanked(msgspec.Struct, frozen=True, kw_only=True):
    """A student among others, the largest risk first."""

    student_id: str | int
    rank: int
    risk_score: float
    risk_category: str | None
    answer: WeeklyAnswer


class OlderUnanswered(msgspec.Struct, frozen=True, kw_only=True):
    """A student without an answer, and why."""

    student_id: str | int
    why_not: str | None
    details: str | None


class OlderRisks(msgspec.Struct, frozen=True, kw_only=True):
    """Students ranked, and those that are not."""

    predictions: Sequence[OlderRanked]
    unanswered: Sequence[OlderUnanswered]
    processing_time_ms: float


class OlderCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers there are; of how many of them, and of how many students, is known what came of it."""

    predictions: int
    with_outcome: int
    students: int


class OlderFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How the answers turned out, and by how much that is known."""

    performance_metrics: TargetPerformance
    data_coverage: OlderCoverage
    fairness: Sequence[Fairness] = ()


class OlderUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of students, and what is corrected after it, in rows as of …/outcomes; the later ones count."""

    student_outcomes: Sequence[dict[str, str | int | float | None]] = ()
    feedback_corrections: Sequence[dict[str, str | int | float | None]] = ()


class OlderUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """That a retraining was asked for; when it ends nobody knows before. outcomes: what became of the rows."""

    update_id: str
    status: str
    status_url: str
    estimated_completion: None = None
    outcomes: StoredOutcomes | None = None


# The Open Inference Protocol, version 2 -------------------------------------------------------------------------------


class InferenceInput(msgspec.Struct, frozen=True, kw_only=True):
    """A column of rows: its shape is [rows] or [rows, 1], its data row by row, null where a value is not known."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: Sequence[Any]
    parameters: Mapping[str, Any] = {}


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor that is asked for."""

    name: str
    parameters: Mapping[str, Any] = {}


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as tensors. outputs: those that are asked for; all where none is named. parameters: `moment`."""

    inputs: Sequence[InferenceInput]
    id: str | None = None
    parameters: Mapping[str, Any] = {}
    outputs: Sequence[RequestedOutput] = ()


class InferenceOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of an answer, its data row by row."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: Sequence[Any]


class InferenceResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Answers as tensors. id: the request's. parameters: the `warning` that answers come with, where there is one."""

    model_name: str
    outputs: Sequence[InferenceOutput]
    id: str | None = None
    parameters: Mapping[str, str] = {}


class TensorMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor that is taken or given. shape: -1 for the number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The tensors of a domain, and the versions of the models that answer."""

    name: str
    versions: Sequence[str]
    platform: str
    inputs: Sequence[TensorMetadata]
    outputs: Sequence[TensorMetadata]


class ModelReady(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a domain has a model that answers."""

    name: str
    ready: bool


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What serves, and the extensions of the protocol that it speaks."""

    name: str
    version: str
    extensions: tuple[str, ...] = ()


class ServerLive(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the process lives."""

    live: bool


class ServerReady(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests can be answered."""

    ready: bool


DESCRIBED: tuple[type, ...] = (
    PredictionResponse, PredictionsResponse, Health, CacheState, Cleared, Readiness, Domains, FoundPredictions,
    KeptEarliness, FindEarliness, WarningPolicies, ProposePolicy, PolicyPreview, ActivatePolicy, RollBackPolicy,
    PolicyInUse, DrawSlots, LotDraws, ToldDraw, EffectReport, ChangeReports,
    Prediction, Find, AtRisk, WhatChanged, Advice, CohortReport, ReportSummaries, ReportSummary, MakeReport, ClassList,
    StoredBatch, Batches, Uploads, Upload, StoredOutcomes, MatchedOutcomes, DomainPerformance, Results, Models,
    ModelCard, Successions, Promote, Activate, Rollback, Pause, Pauses, SetPause, ResumeAnswers, DriftReports,
    Trials, Trial, TrialReport, StartTrial, Conditions, ToldCondition, Acknowledge,
    DriftRecord, CompareDays, TrainFirst, Retrain, RetrainingRun, Retrainings, JobStatus, JobList, Outcome, Event,
    Problem, Token, Accesses, Access, Withdraw, Withdrawal, TakeEvents, StoredEvents, StoredExport,
    OfStudent, AskStudents, StudentsThisWeek, WeeklyAnswer, LinkStudent, LinkedUser, OwnPage, OwnObjection,
    EraseStudent, Erasures, ObjectFor, Objection, TakeStep, CaseStep, StudentCase, CaseList, TakenSteps,
    SignIn, OlderScore, OlderScores, OlderGrade, OlderOutlook, OlderQueued, OlderCleared, OlderDriftStatus, OlderTaken,
    OlderAskStudent, OlderAskStudents, OlderRisk, OlderRisks, OlderFigures, OlderUpdate, OlderUpdated,
    InferenceRequest, InferenceResponse, ModelMetadata, ModelReady, ServerMetadata, ServerLive, ServerReady,
)  # fmt: skip
"""The records that the API's page describes."""
