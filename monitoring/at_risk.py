"""Which students may end below the pass mark: the newest answer of each, the likeliest first, page by page.

It ranks what answers said when they were given; it answers nobody anew and knows no name.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from database.newest import NewestAnswer, Reason, Which
from database.records import Prediction
from database.store import MOST_IN_PASSING, PredictionLog, RecordStore
from errors import Category, GradewatchError
from model.objections import Objections
from monitoring.chances import chances_warning
from monitoring.student_list import ListedStudent, StudentLists, missing_of
from monitoring.warning_lists import WarningCause, WarningList
from preprocessing.schema import DomainSchema, Target


class NoPassMark(GradewatchError):
    """Nobody can end below a mark that there is not."""

    category = Category.INVALID


class UnknownPlace(GradewatchError):
    """A page that begins behind a prediction which is none of this list."""

    category = Category.UNKNOWN


class StudentAtRisk(msgspec.Struct, frozen=True, kw_only=True):
    """A student (a pseudonym) in a group and period, and its newest answer about the target, as it was given.

    below_pass: the chance of ending below the pass mark; None of somebody who is warned of without one. model: the
    version that answered; at: when. change: of the value since the answer before there, in target units or levels.
    missing: columns that a model may see by then, and that the row did not have. warned: whether the policy in use
    warns of the student; level: of urgency, where it parts any.
    """

    student: str
    group: str | None
    period: str | None
    below_pass: float | None
    value: float | str | None
    interval: tuple[float, float] | None
    coverage: float | None
    moment: str
    model: str
    at: datetime
    prediction: str
    change: float | None = None
    missing: tuple[str, ...] = ()
    warned: bool = False
    level: str | None = None


class AtRisk(msgspec.Struct, frozen=True, kw_only=True):
    """A page of students, the likeliest to end below the pass mark first.

    pass_mark: in target units, or the least level that passes. ranked: how many newest answers of students say such a
    chance, on all pages; likely: of these, one half or more. unranked: how many say none, by reason: "insufficient"
    (too little known), "out_of_range" (an input unlike any in training), "no_pass_mark" (there was none when the model
    learned). warned: how many the warning policy in use warns of; policy: in words; paused: since when, and why, the
    plain rule or nobody answers. behind: whether newer answers wait to be looked at, so that the list is of before.
    next: for `after` of the next page, which may be empty; None where this one is not full. warning: where feedback
    found such chances off; not to those who may see some groups only, for it is a figure of all.
    """

    domain: str
    target: str
    pass_mark: float | str
    likely: int
    ranked: int
    unranked: Mapping[Reason, int]
    students: tuple[StudentAtRisk, ...]
    warned: int = 0
    policy: str = ""
    paused: str | None = None
    next: str | None = None
    warning: str | None = None
    behind: bool = False


def at_risk(  # noqa: PLR0913 - each is a choice of a page of the list
    store: RecordStore,
    schema: DomainSchema,
    target: str | None = None,
    *,
    which: Which,
    least: float = 0.0,
    after: str | None = None,
    limit: int = 100,
    warned: bool = False,
    sees_all: bool = True,
    objected: Objections | None = None,
) -> AtRisk:
    """The students whose newest answers about `target` (the first with a pass mark) say a chance of `least` or more.

    warned: only those whom the policy in use warns of, whatever their chance. after: the prediction that the page
    before ended with. sees_all: whether whoever asks may see all groups. objected: who is in no list, and not counted.
    Raises KeyError for another target, NoPassMark, UnknownPlace.
    """
    wanted = ranked_target(schema, target)
    lists = StudentLists(store, schema, wanted, which, objected)
    if warned:
        behind = None if after is None else _cause(store, lists.warnings, schema.name, which, after)
        listed = lists.page("warned", after=behind, limit=limit)
    else:
        listed = lists.ranked(
            least, None if after is None else _place(store, schema.name, wanted.name, which, after), limit
        )
    counts = lists.counts()
    mark = wanted.pass_mark or 0
    return AtRisk(
        domain=schema.name,
        target=wanted.name,
        pass_mark=wanted.levels[int(mark)] if wanted.levels else mark,
        likely=counts.likely,
        ranked=counts.ranked,
        unranked=counts.unranked,
        students=tuple(_student(one, schema, wanted) for one in listed.students),
        warned=counts.warned,
        policy=str(lists.warnings.policy),
        paused=str(lists.warnings.paused) if lists.warnings.paused else None,
        next=listed.next.prediction if listed.next else None,
        warning=chances_warning(store, schema.name, wanted.name, event=wanted.is_event) if sees_all else None,
        behind=store.newest_behind() > MOST_IN_PASSING,
    )


def ranked_target(schema: DomainSchema, name: str | None) -> Target:
    """What students are ranked by: the target of that name, or the first with a pass mark. Raises KeyError,
    NoPassMark."""
    targets = [schema.target_by_name[name]] if name else list(schema.targets)
    found = next((one for one in targets if one.pass_mark is not None), None)
    if found is None:
        raise NoPassMark(f"{name or schema.name} has no pass mark: cut_points in the domain's file names one")
    return found


def _place(log: PredictionLog, domain: str, target: str, which: Which, after: str) -> NewestAnswer:
    one = _seen(log, domain, which, after)
    said = next((answer for answer in one.answers if answer.target == target), None)
    if one.student is None or said is None or said.below_pass is None:
        raise _unknown(after)
    return NewestAnswer(one.student, one.group, one.period, one.id, one.at, said.below_pass)


def _cause(log: PredictionLog, warnings: WarningList, domain: str, which: Which, after: str) -> WarningCause:
    found = warnings.cause_in(_seen(log, domain, which, after))
    if found is None:
        raise _unknown(after)
    return found


def _seen(log: PredictionLog, domain: str, which: Which, after: str) -> Prediction:
    """A prediction that may be a place of a list. Raises UnknownPlace."""
    one = log.prediction(after)
    if one is None or one.domain != domain or not (which.groups is None or one.group in which.groups):
        raise _unknown(after)
    return one


def _unknown(after: str) -> UnknownPlace:
    return UnknownPlace(f"no student of this list was answered as {after!r}; begin again without it")


def _student(one: ListedStudent, schema: DomainSchema, target: Target) -> StudentAtRisk:
    return StudentAtRisk(
        student=one.student,
        group=one.group,
        period=one.period,
        below_pass=one.answer.below_pass,
        value=one.answer.value,
        interval=one.answer.interval,
        coverage=one.answer.coverage,
        moment=one.said.moment,
        model=one.answer.model,
        at=one.said.at,
        prediction=one.said.id,
        change=one.change(target),
        missing=missing_of(one, schema)[0],
        warned=one.warned,
        level=one.level,
    )
