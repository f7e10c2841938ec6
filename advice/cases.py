"""What was done about a student: the steps of a case, each with who, when, and the answer that it followed.

Kept as one document of each student in a domain, which names nobody, not even a pseudonym, and goes when the student is
erased. It decides and advises nothing.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args

import msgspec

from advice.advise import MOST_OWN, NothingKnown
from advice.positions import Place
from clock import new_id, now
from database.errors import Conflict
from database.records import Document, Prediction, digest
from database.store import Documents, RecordStore
from database.withdrawal import NamesSomebody
from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema
from preprocessing.validation.pii import names_somebody

CASE_KIND = "case"
"""The kind of the documents."""

Done = Literal["talked", "helped", "not_useful", "note"]
"""What a step says: somebody talked to the student, the student is helped already, the warning was of no use, or only
what the text says."""

DONE: tuple[Done, ...] = get_args(Done)

LONGEST_NOTE = 1_000
"""Letters: a note is no file on somebody."""

MOST_OF_A_CASE = 500
"""Of a student in a domain."""

STEP_TRIES = 20
"""At writing a step where others write theirs."""

NO_CASE = "this student has objected to being scored, so there is no answer to act on"


class BadStep(GradewatchError):
    """A step that says nothing, or too much."""

    category = Category.INVALID


class CaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What had been answered about the student when somebody acted: under which id, when, about which target, the
    chance of ending below its pass mark, and by which model."""

    prediction: str
    at: datetime
    target: str
    value: float | str | None
    below_pass: float | None
    model: str


class CaseStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done, or a note. text: in words that name nobody. group, period: where; to whoever is confined
    to groups it is shown there alone. answer: None where the newest prediction answered nothing."""

    id: str
    at: datetime
    actor: str
    done: Done
    text: str = ""
    group: str | None = None
    period: str | None = None
    answer: CaseAnswer | None = None


class StudentCase(msgspec.Struct, frozen=True, kw_only=True):
    """All that was done about a student (a pseudonym), the newest first."""

    domain: str
    student: str
    steps: tuple[CaseStep, ...] = ()


class NewStep(NamedTuple):
    """What somebody wants to be kept. target: whose answer it follows; the first with a pass mark if none. place: the
    student's group and period; that of the newest answer if none."""

    done: Done
    text: str = ""
    target: str | None = None
    place: Place | None = None


def take_step(
    store: RecordStore,
    schema: DomainSchema,
    student: str,
    step: NewStep,
    *,
    actor: str,
    groups: Sequence[str] | None = None,
    objected: Container[str] = (),
) -> CaseStep:
    """Keep a step about a student (a pseudonym). groups: of which alone something is known to whoever takes it.

    Raises BadStep, NamesSomebody; NothingKnown where nobody was answered there, or the student objected.
    """
    text = _checked(step)
    if student in objected:
        raise NothingKnown(NO_CASE)
    said = _followed(store, schema, student, step.place, groups)
    made = CaseStep(
        id=new_id(),
        at=now(),
        actor=actor,
        done=step.done,
        text=text,
        group=said.group,
        period=said.period,
        answer=_answer(schema, said, step.target),
    )
    for attempt in range(STEP_TRIES):
        try:
            _append(store, schema.name, student, made)
        except Conflict:  # somebody else's step came between
            if attempt == STEP_TRIES - 1:
                raise
        else:
            break
    return made


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
            found[student] = StudentCase(domain=domain, student=student, steps=steps)
    return found


def remove_case(store: Documents, domain: str, student: str) -> bool:
    """Whether there was one."""
    return store.remove_document(CASE_KIND, _name(domain, student))


def _checked(step: NewStep) -> str:
    text = " ".join(step.text.split())
    if step.done == "note" and not text:
        raise BadStep("a note needs a text")
    if len(text) > LONGEST_NOTE:
        raise BadStep(f"the note has {len(text):,} letters; at most {LONGEST_NOTE:,} are kept")
    if found := names_somebody(text):
        raise NamesSomebody(f"the note holds {found}: say it without; it stands beside the student's pseudonym")
    return text


def _followed(
    store: RecordStore, schema: DomainSchema, student: str, place: Place | None, groups: Sequence[str] | None
) -> Prediction:
    """The newest prediction about the student, of a place where one is named."""
    found = store.predictions(schema.name, student=student, groups=groups, limit=MOST_OWN if place else 1)
    newest = next((one for one in found if place is None or Place(one.group, one.period) == place), None)
    if newest is None:
        raise NothingKnown(f"nobody was answered about this student in {schema.name}" + (" there" if place else ""))
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


def _append(store: Documents, domain: str, student: str, step: CaseStep) -> None:
    kept = store.document(CASE_KIND, _name(domain, student))
    known = _steps(kept) if kept else ()
    if len(known) >= MOST_OF_A_CASE:
        raise BadStep(f"there are {len(known)} steps about this student already, and no more are kept")
    name, revision = _name(domain, student), kept.revision + 1 if kept else 1
    body = msgspec.to_builtins(_Kept(steps=(step, *known)))
    store.put_document(Document(kind=CASE_KIND, name=name, revision=revision, at=step.at, domain=domain, body=body))


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    steps: tuple[CaseStep, ...]


def _name(domain: str, student: str) -> str:
    """A digest: no search for a student who is erased finds it."""
    return digest([CASE_KIND, domain, student])


def _steps(document: Document) -> tuple[CaseStep, ...]:
    return msgspec.convert(dict(document.body), _Kept).steps


def _seen(steps: Sequence[CaseStep], groups: Collection[str] | None) -> tuple[CaseStep, ...]:
    return tuple(one for one in steps if groups is None or one.group in groups)
