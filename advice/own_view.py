"""What one student is told of itself, and nothing of anybody else: answers with their range, subjects, a plan.

No rank, no share of others, no chance of failing as a number: `advice.advise` has those, for who advises. Chances of
grades are told in tenths, as people read them. It says no sentence in any language; pages and the API do.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from advice.advise import MOST_OWN, advise
from advice.catalogue import Catalogue, ReasonFamily
from advice.facts import name_words
from advice.plan import Recommendation
from advice.positions import Place, SubjectResult
from database.records import Answer, Prediction
from database.store import RecordStore
from language import worded
from model.bundle import EXAMPLES
from model.readable import rounded_value
from model.workspace import Workspace
from preprocessing.periods import is_week
from preprocessing.schema import DomainSchema, Target, label_of, title_of

TENTHS = 10


class OwnGrade(msgspec.Struct, frozen=True, kw_only=True):
    """A grade and how many of ten students with such a row got it; 0: fewer than one."""

    grade: str
    of_ten: int


class OwnAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of one target. about: the target in words. value: a number in `unit`, or a grade; None where
    nothing can be said: `missing` names what is not known yet, `unlike` says that nobody like that was ever seen. low,
    high: between which `of_ten` of ten ended. final: what became of it, where that is known: then nothing is expected.
    """

    target: str
    about: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    of_ten: int | None = None
    grades: tuple[OwnGrade, ...] = ()
    missing: tuple[str, ...] = ()
    unlike: bool = False
    final: float | str | None = None


class OwnPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A course in a period. at: when the row was answered. moment: of what was known by then, in words; "" where
    the domain has one alone. sheet: the number of the sheet about it."""

    group: str | None
    period: str | None
    at: datetime
    moment: str
    answers: tuple[OwnAnswer, ...]
    sheet: str


class OwnSubject(msgspec.Struct, frozen=True, kw_only=True):
    """A subject to work on, with the student's own result: final, or the share so far of what could be reached."""

    group: str | None
    period: str | None
    basis: Literal["final", "so far"]
    value: float | str


class OwnStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do, for how long, and what it is for: a family of reasons, and the columns or the subject."""

    title: str
    what: str
    how_long: str
    family: ReasonFamily
    about: str
    url: str = ""


class OwnDomain(msgspec.Struct, frozen=True, kw_only=True):
    """All of one domain. places: the newest first, and of school weeks the newest one alone. plan: what helps most
    first. invented: whether a model answered that learned from invented students, so that no number says anything."""

    domain: str
    title: str
    places: tuple[OwnPlace, ...]
    weak_subjects: tuple[OwnSubject, ...] = ()
    plan: tuple[OwnStep, ...] = ()
    invented: bool = False


class OwnView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a student is told. objected: since when nothing is predicted; then there is nothing else."""

    domains: tuple[OwnDomain, ...] = ()
    objected: datetime | None = None


def own_view(workspace: Workspace, domains: Iterable[str], catalogue: Catalogue, student: str) -> OwnView:
    """What these domains hold of a student (a pseudonym), unless it objected to being scored."""
    objection = workspace.objections.of(student)
    if objection is not None:
        return OwnView(objected=objection.at)
    found = (_domain(workspace.store, workspace.schemas[name], catalogue, student) for name in domains)
    return OwnView(domains=tuple(one for one in found if one is not None))


def _domain(store: RecordStore, schema: DomainSchema, catalogue: Catalogue, student: str) -> OwnDomain | None:
    """None where nobody was ever answered about the student."""
    found = store.predictions(schema.name, student=student, limit=MOST_OWN)
    if not found:
        return None
    newest: dict[Place, Prediction] = {}
    for one in found:
        newest.setdefault(Place(one.group, None if is_week(one.period or "") else one.period), one)
    finals: dict[Place, dict[str, float | str]] = {}
    for outcome in store.student_outcomes(schema.name, student):
        finals.setdefault(Place(outcome.group, outcome.period), {})[outcome.target] = outcome.value
    examples = {model.version for model in store.models() if model.lineage.get("source") == EXAMPLES}
    answered = {answer.model for one in newest.values() for answer in one.answers}
    advice = advise(store, schema, catalogue, found[0])
    return OwnDomain(
        domain=schema.name,
        title=worded(schema.title),
        places=tuple(_place(schema, one, finals.get(Place(one.group, one.period), {})) for one in newest.values()),
        weak_subjects=tuple(_subject(one) for one in advice.weak_subjects),
        plan=tuple(_step(schema, one) for one in advice.plan.recommendations),
        invented=not answered.isdisjoint(examples),
    )


def _place(schema: DomainSchema, said: Prediction, finals: Mapping[str, float | str]) -> OwnPlace:
    known = [(schema.target_by_name[one.target], one) for one in said.answers if one.target in schema.target_by_name]
    values_first = sorted(known, key=lambda pair: pair[0].kind != "value")
    return OwnPlace(
        group=said.group,
        period=said.period,
        at=said.at,
        moment=worded(schema.moment_titles.get(said.moment, said.moment)) if len(schema.moments) > 1 else "",
        answers=tuple(own_answer(schema, target, one, finals.get(target.name)) for target, one in values_first),
        sheet=said.id,
    )


def own_prediction(workspace: Workspace, domains: Iterable[str], student: str, id: str) -> Prediction | None:
    """The prediction about a student (a pseudonym) of that number; None where it is of somebody else, of another
    domain, or the student objected."""
    if student in workspace.objections:
        return None
    found = workspace.store.prediction(id)
    return found if found is not None and found.student == student and found.domain in domains else None


def own_answer(schema: DomainSchema, target: Target, said: Answer, final: float | str | None) -> OwnAnswer:
    """What is expected of one target, or what became of it."""
    bare = OwnAnswer(
        target=target.name,
        about=title_of(target),
        unit=worded(target.unit),
        minimum=target.minimum,
        maximum=target.maximum,
        final=label_of(final, target.labels) if isinstance(final, str) else final,
    )
    if final is not None:
        return bare
    if said.value is None or said.out_of_range:
        missing = tuple(name_words(schema, name) for name in said.insufficient)
        return msgspec.structs.replace(bare, missing=missing, unlike=bool(said.out_of_range))
    if isinstance(said.value, str):
        chances = said.probabilities or {}
        grades = tuple(
            OwnGrade(grade=label_of(level, target.labels), of_ten=round(TENTHS * chances.get(level, 0)))
            for level in target.levels
        )
        value = label_of(said.value, target.labels)
        return msgspec.structs.replace(bare, value=value, grades=grades if chances else ())
    likely, (low, high) = rounded_value(said.value, target), said.interval or (None, None)
    if low is None or high is None:
        return msgspec.structs.replace(bare, value=likely)
    low, high = (rounded_value(end, target, answered=False) for end in (low, high))
    return msgspec.structs.replace(bare, value=likely, low=low, high=high, of_ten=round(TENTHS * (said.coverage or 0)))


def _subject(result: SubjectResult) -> OwnSubject:
    return OwnSubject(group=result.group, period=result.period, basis=result.basis, value=result.value)


def _step(schema: DomainSchema, one: Recommendation) -> OwnStep:
    entry, reason = one.entry, one.reason
    return OwnStep(
        title=worded(entry.title),
        what=worded(entry.what),
        how_long=worded(entry.how_long),
        family=reason.family,
        about=", ".join(name_words(schema, name) for name in reason.about.split(", ")),
        url=entry.source.url,
    )
