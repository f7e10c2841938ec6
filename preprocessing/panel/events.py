"""Observations of a school year as numbers by student, week and day: what features are summed from.

Events that were not known at an instant are left out here, once, so that no feature can look ahead of it.
"""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.panel.kinds import STATUSES
from preprocessing.panel.observations import WEEK_DAYS, Observations
from preprocessing.panel.school_year import NOT_ENROLLED, SCHOOL_DAYS_OF_WEEK, Roster, SchoolYear, codes, roster_of
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


def events_of(observations: Observations, year: SchoolYear, *, as_of: date | None = None) -> Events:
    """What of `observations` was known at the end of the day `as_of`, within `year`; all of it where it is None."""
    enrolment = observations.enrolment
    attendance, grades, incidents = observations.attendance, observations.grades, observations.incidents
    if as_of is not None:
        enrolment = enrolment.filter(pl.col("begin") <= as_of)
        attendance, grades = attendance.filter(pl.col("day") <= as_of), grades.filter(pl.col("posted_at") <= as_of)
        incidents = incidents.filter(pl.col("at") <= as_of)
    roster = roster_of(enrolment, observations.calendar, year)
    return Events(
        roster,
        np.where(roster.days, _status(attendance, roster), 0).astype(np.int8),
        _marks(grades, roster),
        _incidents(incidents, roster),
    )


def _placed(frame: pl.DataFrame, roster: Roster, day: str) -> tuple[pl.DataFrame, NDArray[np.int32], Days]:
    """The rows of students of the roster within its year, their students and days."""
    year = roster.year
    frame = frame.filter(pl.col(day).is_between(year.start, year.end, closed="left"))
    student = codes(frame["student"], roster.students)
    days = (frame[day].to_physical() - pl.Series([year.start]).to_physical().item()).to_numpy().astype(np.int64)
    if (known := student != NOT_ENROLLED).all():
        return frame, student, days
    return frame.filter(pl.Series(known)), student[known], days[known]


def _status(attendance: pl.DataFrame, roster: Roster) -> NDArray[np.int8]:
    frame, student, days = _placed(attendance, roster, "day")
    week, weekday = np.divmod(days, WEEK_DAYS)
    known = codes(frame["status"], STATUSES).astype(np.int8) + 1
    found = np.zeros((len(roster.students), roster.year.weeks, WEEK_DAYS), np.int8)
    found[student, week, weekday] = known
    return found[:, :, :SCHOOL_DAYS_OF_WEEK]


def _marks(grades: pl.DataFrame, roster: Roster) -> Assignments:
    frame, student, days = _placed(grades.filter(pl.col("state") != "exempt"), roster, "posted_at")
    called = {name: SUBJECT_WORDS.get(fold(name), name) for name in frame["subject"].unique()}
    subjects = sorted(set(called.values()))
    given = sorted(called)
    places = np.array([subjects.index(called[name]) for name in given], np.int32)
    return Assignments(
        student,
        (days // WEEK_DAYS).astype(np.int32),
        places[codes(frame["subject"], given)] if given else np.zeros(0, np.int32),
        frame["points"].fill_null(np.nan).to_numpy(),
        frame["max_points"].to_numpy(),
        (frame["state"] == "missing").to_numpy(),
        (frame["state"] == "late").to_numpy(),
        (*subjects,),
    )


def _incidents(incidents: pl.DataFrame, roster: Roster) -> Incidents:
    frame, student, days = _placed(incidents, roster, "at")
    keys = pl.DataFrame({"student": student, "day": days, "event": frame["event_id"]})
    order = keys.select(pl.arg_sort_by("student", "day", "event")).to_series().to_numpy()
    frame, categories = frame[order], sorted(frame["category"].unique())
    return Incidents(
        student[order],
        days[order],
        codes(frame["category"], categories),
        frame["severity"].cast(pl.Float64).to_numpy(),
        frame["removal_days"].to_numpy(),
    )


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
