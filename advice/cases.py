"""What was done about a student: the steps of a case, each with who, when, and the answer that it followed.

Kept as one document of each student in a domain, which names nobody, not even a pseudonym, and goes when the student is
erased. It decides and advises nothing.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from advice.advise import MOST_OWN, NothingKnown
from advice.case_steps import (
    BadStep,
    CaseAnswer,
    CaseState,
    CaseStep,
    NewStep,
    Stage,
    check_follows,
    checked_text,
    newest_first,
    states_of,
)
from advice.positions import Place
from clock import new_id, now
from database.errors import Conflict
from database.newest import place_of
from database.records import Document, Prediction, digest
from database.store import Documents, RecordStore
from preprocessing.schema import DomainSchema

CASE_KIND = "case"
"""The kind of the documents."""

MOST_OF_A_CASE = 500
"""Of a student in a domain."""

STEP_TRIES = 20
"""At writing a step where others write theirs."""

NO_CASE = "this student has objected to being scored, so there is no answer to act on"

RENAMED = {"not_useful": "not_applicable"}
"""Steps that were kept under another word."""


class StudentCase(msgspec.Struct, frozen=True, kw_only=True):
    """All that was done about a student (a pseudonym), the newest first. states: where it stands in each group and
    period."""

    domain: str
    student: str
    steps: tuple[CaseStep, ...] = ()
    states: tuple[CaseState, ...] = ()


class Writer(NamedTuple):
    """Who keeps steps. groups: of which alone something is known to them. objected: of whom nothing is kept. kinds: of
    help, of the catalogue."""

    actor: str
    groups: Sequence[str] | None = None
    objected: Container[str] = ()
    kinds: Iterable[str] = ()


def take_step(store: RecordStore, schema: DomainSchema, student: str, step: NewStep, by: Writer) -> CaseStep:
    """Keep a step about a student (a pseudonym).

    Raises BadStep, NamesSomebody; NothingKnown where nobody was answered there, or the student objected.
    """
    made = make_step(store, schema, student, step, by)
    return keep_steps(store, schema.name, student, [made])[0]


def make_step(store: RecordStore, schema: DomainSchema, student: str, step: NewStep, by: Writer) -> CaseStep:
    """The step beside the answer that it follows, not kept yet. One with a time is the same whenever it is made.
    Raises as `take_step`."""
    text = checked_text(step, by.kinds)
    if student in by.objected:
        raise NothingKnown(NO_CASE)
    if step.at is not None and step.at.tzinfo is None:
        raise BadStep("the time of a step needs its zone, as 2026-02-01T08:00:00Z")
    if step.at is not None and step.at.date() > now().date():
        raise BadStep(f"{step.at:%Y-%m-%d} has not come yet")
    said = newest_about(store, schema, student, step.place, groups=by.groups, until=step.at)
    told = [step.done, text, step.at, said.group, said.period, step.help]
    return CaseStep(
        id=new_id() if step.at is None else digest(msgspec.to_builtins([CASE_KIND, schema.name, student, *told]))[:32],
        at=min(step.at or now(), now()),
        actor=by.actor,
        done=step.done,
        text=text,
        group=said.group,
        period=said.period,
        answer=_answer(schema, said, step.target),
        help=step.help,
    )


def keep_steps(store: Documents, domain: str, student: str, steps: Sequence[CaseStep]) -> list[CaseStep]:
    """Keep steps about one student, all or none; those that are kept already stay as they are. Raises BadStep."""
    for attempt in range(STEP_TRIES):
        try:
            return _append(store, domain, student, steps)
        except Conflict:  # somebody else's step came between
            if attempt == STEP_TRIES - 1:
                raise
    raise AssertionError("unreachable")


def case_of(store: Documents, domain: str, student: str, groups: Collection[str] | None = None) -> StudentCase:
    """What was done about a student, in these groups or in all."""
    return cases_of(store, domain, [student], groups).get(student) or StudentCase(domain=domain, student=student)


def cases_of(
    store: Documents, domain: str, students: Sequence[str], groups: Collection[str] | None = None
) -> Mapping[str, StudentCase]:
    """By student, of those of whom there is something; one read for all of them."""
    whose = {_name(domain, one): one for one in students}
    found = {}
    for kept in store.documents_named(CASE_KIND, list(whose)):
        student, steps = whose[kept.name], _seen(_steps(kept), groups)
        if steps:
            states = states_of(steps, now().date())
            found[student] = StudentCase(domain=domain, student=student, steps=steps, states=states)
    return found


class ListedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A student's (a pseudonym's) case in a group and period, and its newest step."""

    student: str
    state: CaseState
    step: CaseStep


class CaseList(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of a domain, that with the oldest newest step first."""

    domain: str
    cases: tuple[ListedCase, ...]


def list_cases(
    store: RecordStore, domain: str, stages: Collection[Stage] = (), groups: Collection[str] | None = None
) -> CaseList:
    """All cases at these stages, or at any. Whose they are is known by the answers that their steps followed: a case of
    which no answer is kept any more is in no list."""
    found: list[tuple[CaseState, CaseStep]] = []
    followed: dict[str, str] = {}
    for kept in store.documents(CASE_KIND, domain=domain):
        steps, today = _seen(_steps(kept), groups), now().date()
        by_place = {one.place: one for one in reversed(steps)}
        for state in states_of(steps, today):
            if not stages or state.stage in stages:
                newest = by_place[place_of(state.group, state.period)]
                answers = [one.answer.prediction for one in steps if one.answer]
                found += [(state, newest)] if answers else []
                followed |= {newest.id: answers[0]} if answers else {}
    whose = {one.id: one.student for one in store.predictions_of(list(followed.values()))}
    listed = [
        ListedCase(student=student, state=state, step=step)
        for state, step in sorted(found, key=lambda one: one[0].since)
        if (student := whose.get(followed[step.id]))
    ]
    return CaseList(domain=domain, cases=tuple(listed))


def remove_case(store: Documents, domain: str, student: str) -> bool:
    """Whether there was one."""
    return store.remove_document(CASE_KIND, _name(domain, student))


def newest_about(
    store: RecordStore,
    schema: DomainSchema,
    student: str,
    place: Place | None = None,
    *,
    groups: Sequence[str] | None = None,
    until: datetime | None = None,
) -> Prediction:
    """The newest prediction about a student before a time, of a place where one is named. Raises NothingKnown."""
    limit = MOST_OWN if place else 1
    found = store.predictions(schema.name, student=student, groups=groups, until=until, limit=limit)
    newest = next((one for one in found if place is None or Place(one.group, one.period) == place), None)
    if newest is None:
        where = (" there" if place else "") + (f" before {until:%Y-%m-%d %H:%M} UTC" if until else "")
        raise NothingKnown(f"nobody was answered about this student in {schema.name}{where}")
    return newest


def _answer(schema: DomainSchema, said: Prediction, target: str | None) -> CaseAnswer | None:
    marked = [one.name for one in schema.targets if one.pass_mark is not None] or list(schema.target_by_name)
    about = target or marked[0]
    answer = next((one for one in said.answers if one.target == about), None)
    if answer is None:
        return None
    return CaseAnswer(
        prediction=said.id,
        at=said.at,
        target=about,
        value=answer.value,
        below_pass=answer.below_pass,
        model=answer.model,
    )


def _append(store: Documents, domain: str, student: str, steps: Sequence[CaseStep]) -> list[CaseStep]:
    kept = store.document(CASE_KIND, _name(domain, student))
    known = {one.id: one for one in (_steps(kept) if kept else ())}
    for one in (new := [one for one in steps if one.id not in known]):
        check_follows(one, known.values())
        known[one.id] = one
    if len(known) > MOST_OF_A_CASE:
        raise BadStep(f"there would be {len(known)} steps about this student; at most {MOST_OF_A_CASE} are kept")
    if new:
        ordered, revision = newest_first(known.values()), kept.revision + 1 if kept else 1
        name, body, at = _name(domain, student), msgspec.to_builtins(_Kept(steps=ordered)), ordered[0].at
        store.put_document(Document(kind=CASE_KIND, name=name, revision=revision, at=at, domain=domain, body=body))
    return [known[one.id] for one in steps]


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    steps: tuple[CaseStep, ...]


def _name(domain: str, student: str) -> str:
    """A digest: no search for a student who is erased finds it."""
    return digest([CASE_KIND, domain, student])


def _steps(document: Document) -> tuple[CaseStep, ...]:
    steps = [{**one, "done": RENAMED.get(one["done"], one["done"])} for one in document.body["steps"]]
    return msgspec.convert({"steps": steps}, _Kept).steps


def _seen(steps: Sequence[CaseStep], groups: Collection[str] | None) -> tuple[CaseStep, ...]:
    return tuple(one for one in steps if groups is None or one.group in groups)
