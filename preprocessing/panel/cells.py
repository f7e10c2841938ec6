"""What happened to the students of a roster as numbers by student, week and day: what features are summed from.

It loads no library for tables, so that a service can hold a few students; events of frames are placed by
`preprocessing.panel.events`, those of a few students by `preprocessing.panel.few`.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from preprocessing.panel.grid import NOT_ENROLLED, Roster
from preprocessing.panel.kinds import WEEK_DAYS
from preprocessing.schema import fold

MATHEMATICS, LANGUAGE_ARTS = "math", "ela"
SUBJECT_WORDS = {
    **dict.fromkeys(("math", "maths", "mathematics"), MATHEMATICS),
    **dict.fromkeys(("ela", "english", "englishlanguagearts", "languagearts", "readingela"), LANGUAGE_ARTS),
}
"""What mathematics and English language arts are called, folded; other subjects are what they are called."""

Days = NDArray[np.int64]


@dataclass(frozen=True)
class Assignments:
    """Assignments, each with its student, the week in which it was posted, its subject (a place in `subjects`), points
    (NaN where there are none) and what was to be had; exempt ones are not there."""

    student: NDArray[np.int32]
    week: NDArray[np.int32]
    subject: NDArray[np.int32]
    points: NDArray[np.float64]
    most: NDArray[np.float64]
    missing: NDArray[np.bool_]
    late: NDArray[np.bool_]
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Incidents:
    """Incidents by student, then by when they were and their id; day counts from the first of the year."""

    student: NDArray[np.int32]
    day: NDArray[np.int64]
    category: NDArray[np.int32]
    severity: NDArray[np.float64]
    removal_days: NDArray[np.float64]

    @property
    def week(self) -> Days:
        week: Days = self.day // WEEK_DAYS
        return week


@dataclass(frozen=True)
class Events:
    """What happened to the students of a roster. status: (S, W, 5) 0 where nothing is recorded or there was no school,
    else 1 + the place among `STATUSES`."""

    roster: Roster
    status: NDArray[np.int8]
    marks: Assignments
    incidents: Incidents

    def parts(self, students: int) -> list["Events"]:
        """The same in parts of whole schools, of about so many students each."""
        bounds = self._bounds(students)
        of_part = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds)).astype(np.int16)
        marks, incidents = _by_part(self.marks.student, of_part), _by_part(self.incidents.student, of_part)
        return [
            Events(self.roster.part(begin, end), self.status[begin:end], _marks_at(self, marks[number], begin),
                   _incidents_at(self, incidents[number], begin))
            for number, (begin, end) in enumerate(pairwise(bounds))
        ]  # fmt: skip

    def until(self, week: int) -> "Events":
        """The same without the weeks behind `week`, which no feature of it looks at."""
        marks, incidents = (np.flatnonzero(one.week <= week) for one in (self.marks, self.incidents))
        return Events(self.roster.until(week), self.status[:, : week + 1], _marks_at(self, marks, 0),
                      _incidents_at(self, incidents, 0))  # fmt: skip

    def _bounds(self, students: int) -> list[int]:
        """Where parts begin, and the end: the roster has whole schools together, by where each student was last."""
        school = self.roster.school
        last = school.shape[1] - 1 - np.argmax((school != NOT_ENROLLED)[:, ::-1], axis=1)
        at_end = school[np.arange(len(school)), last] if len(school) else school[:, 0]
        bounds, starts = [0], [*(np.flatnonzero(np.diff(at_end)) + 1).tolist(), len(school)]
        for start in starts:
            if start - bounds[-1] >= students:
                bounds.append(start)
        return bounds if bounds[-1] == len(school) else [*bounds, len(school)]


@lru_cache(maxsize=1_000)
def subject_of(name: str) -> str:
    """What a subject is called here."""
    return SUBJECT_WORDS.get(fold(name), name)


def _by_part(student: NDArray[np.int32], of_part: NDArray[np.int16]) -> list[NDArray[np.int64]]:
    """The positions of the events of each part, in their order."""
    part = of_part[student]
    order, count = np.argsort(part, kind="stable"), np.bincount(part, minlength=int(of_part.max(initial=-1)) + 1)
    return np.split(order, np.cumsum(count)[:-1])


def _marks_at(events: Events, rows: NDArray[np.int64], begin: int) -> Assignments:
    one = events.marks
    return Assignments(
        one.student[rows] - np.int32(begin), one.week[rows], one.subject[rows], one.points[rows], one.most[rows],
        one.missing[rows], one.late[rows], one.subjects,
    )  # fmt: skip


def _incidents_at(events: Events, rows: NDArray[np.int64], begin: int) -> Incidents:
    one = events.incidents
    return Incidents(
        one.student[rows] - np.int32(begin), one.day[rows], one.category[rows], one.severity[rows],
        one.removal_days[rows],
    )  # fmt: skip
