"""Advice about a student: what is stored of the student and of the others, made subjects, reasons and a plan.

It keeps nothing; what it says follows from rows and the catalogue alone, by `positions`, `reasons` and `plan`.
"""

from collections.abc import Container, Iterator, Sequence
from datetime import datetime

import msgspec

from advice.catalogue import Catalogue
from advice.plan import StudyPlan, make_plan
from advice.positions import CourseRow, Place, SubjectResult, subject_results
from advice.reasons import StudyReason, find_reasons
from database.newest import Standing
from database.records import Cell, Prediction
from database.store import RecordStore
from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema

MOST_COMPARED = 2_000
"""Predictions of a course, the newest, and rows of files that are read: of larger ones a part stands for the whole."""

STANDINGS_READ = 500
"""Students of a place that are read together."""

MOST_OWN = 200
"""Predictions of the student that are read, the newest."""

NO_ADVICE = "this student has objected to being scored, so there is no advice"
ADVICE_NOTE = "results beside those of the others in the same course and period; reasons and plan follow by rule"


class NothingKnown(GradewatchError):
    """Nobody was answered about this student, or not there."""

    category = Category.UNKNOWN


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """About a student (a pseudonym; None where the row named none), by the newest row that was asked about, or the one
    that was named: of which group and period, as which prediction, when.

    below_pass: the chance of ending below the pass mark, as it was said then. weak_subjects: of `subjects` those in the
    lowest quarter of ten others or more.
    """

    domain: str
    student: str | None
    group: str | None
    period: str | None
    prediction: str
    at: datetime
    below_pass: float | None
    subjects: tuple[SubjectResult, ...]
    weak_subjects: tuple[SubjectResult, ...]
    reasons: tuple[StudyReason, ...]
    plan: StudyPlan
    note: str = ADVICE_NOTE


class Cohorts:
    """The rows of places, each read once. groups: of which alone; None: of all."""

    def __init__(self, store: RecordStore, schema: DomainSchema, groups: Sequence[str] | None = None) -> None:
        self._store, self._schema, self._groups = store, schema, groups
        self._known: dict[Place, Sequence[CourseRow]] = {}

    def of(self, place: Place) -> Sequence[CourseRow]:
        """The newest row of each student there, asked about or of a file, with what is known to have become of it."""
        if place not in self._known:
            self._known[place] = list(self._read(place).values()) if self._seen(place) else []
        return self._known[place]

    def own(self, student: str) -> list[CourseRow]:
        """A student's newest row of each place, asked about or of a file, with what became of it."""
        name = self._schema.name
        asked = _newest_of_each(self._store.predictions(name, student=student, groups=self._groups, limit=MOST_OWN))
        kept = [one.row for one in self._store.student_rows(name, student)]
        filed = [CourseRow(student, Place(one.group, one.period), one.inputs, one.targets) for one in kept]
        places = {row.place: row for row in [*filed, *asked] if self._seen(row.place)}
        rows = [next((one for one in self.of(at) if one.student == student), row) for at, row in places.items()]
        return [row._replace(outcomes={**self._told(student, row.place), **row.outcomes}) for row in rows]

    def _told(self, student: str, place: Place) -> dict[str, float | str]:
        """What became of a student in a place, whoever else is known there."""
        found = self._store.student_outcomes(self._schema.name, student)
        return {one.target: one.value for one in found if Place(one.group, one.period) == place}

    def _seen(self, place: Place) -> bool:
        return self._groups is None or place.group is None or place.group in self._groups

    def _read(self, place: Place) -> dict[str, CourseRow]:
        groups = self._groups if place.group is None else [place.group]
        asked = self._store.predictions(self._schema.name, groups=groups, limit=MOST_COMPARED)
        rows = {row.student: row for row in _newest_of_each(asked) if row.place == place}
        for one in self._standings(place):
            newest = max((said.at for said in one.predictions.values()), default=one.at)
            known = rows.get(one.student) if newest > one.at else None
            inputs = known.inputs if known else one.row.inputs
            rows[one.student] = CourseRow(one.student, place, inputs, one.row.targets)
        for target in self._schema.targets if asked else ():
            for student, value in self._outcomes(target.name, place, groups, asked[-1].at).items():
                if row := rows.get(student):
                    rows[student] = row._replace(outcomes={**row.outcomes, target.name: value})
        return rows

    def _outcomes(
        self, target: str, place: Place, groups: Sequence[str] | None, since: datetime
    ) -> dict[str, float | str]:
        """What became of students who were asked about there since then; of the newest prediction of each."""
        name = self._schema.name
        pairs = self._store.pairs(name, target, groups=groups, since=since, limit=MOST_COMPARED)
        there = [pair for pair in reversed(pairs) if _place_of(pair.prediction) == place]
        return {pair.prediction.student: pair.outcome.value for pair in there if pair.prediction.student}

    def _standings(self, place: Place) -> Iterator[Standing]:
        """How students of whom files have rows stand there."""
        after: str | None = None
        for _ in range(0, MOST_COMPARED if place.group else 0, STANDINGS_READ):
            page = self._store.standings(
                self._schema.name, place.group or "", place.period, after=after, limit=STANDINGS_READ
            )
            yield from page
            if len(page) < STANDINGS_READ:
                return
            after = page[-1].student


def _newest_of_each(found: Sequence[Prediction]) -> list[CourseRow]:
    """Of predictions, newest first, one row for each student and place."""
    rows: dict[tuple[str, Place], CourseRow] = {}
    for one in found:
        if one.student is not None:
            rows.setdefault((one.student, _place_of(one)), _row_of(one))
    return list(rows.values())


def _place_of(prediction: Prediction) -> Place:
    return Place(prediction.group, prediction.period)


def _row_of(prediction: Prediction) -> CourseRow:
    inputs: dict[str, Cell] = dict(prediction.inputs)
    return CourseRow(prediction.student or prediction.id, _place_of(prediction), inputs)


def advise_student(
    store: RecordStore,
    schema: DomainSchema,
    catalogue: Catalogue,
    student: str,
    *,
    groups: Sequence[str] | None = None,
    place: Place | None = None,
    objected: Container[str] = (),
) -> Advice:
    """Advice by the student's newest prediction, of a place where one is named. groups: of which alone something is
    read. objected: who gets none. Raises NothingKnown."""
    if student in objected:
        raise NothingKnown(NO_ADVICE)
    found = store.predictions(schema.name, student=student, groups=groups, limit=MOST_OWN)
    newest = next((one for one in found if place is None or _place_of(one) == place), None)
    if newest is None:
        raise NothingKnown(f"nobody was answered about this student in {schema.name}" + (" there" if place else ""))
    return advise(store, schema, catalogue, newest, groups=groups)


def advise(
    store: RecordStore,
    schema: DomainSchema,
    catalogue: Catalogue,
    prediction: Prediction,
    *,
    groups: Sequence[str] | None = None,
    objected: Container[str] = (),
) -> Advice:
    """Advice by one prediction, whether or not its row names a student; as `advise_student`."""
    if prediction.student is not None and prediction.student in objected:
        raise NothingKnown(NO_ADVICE)
    cohorts, row = Cohorts(store, schema, groups), _row_of(prediction)
    own = cohorts.own(prediction.student) if prediction.student else [row]
    subjects = subject_results(schema, own, cohorts.of)
    reasons = find_reasons(schema, row, cohorts.of(row.place), subjects)
    below_pass = next((one.below_pass for one in prediction.answers if one.below_pass is not None), None)
    return Advice(
        domain=schema.name,
        student=prediction.student,
        group=prediction.group,
        period=prediction.period,
        prediction=prediction.id,
        at=prediction.at,
        below_pass=below_pass,
        subjects=subjects,
        weak_subjects=tuple(one for one in subjects if one.weak),
        reasons=reasons,
        plan=make_plan(reasons, catalogue, below_pass=below_pass),
    )
