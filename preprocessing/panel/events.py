"""Observations of a school year, as frames, placed by student, week and day.

Events that were not known at an instant are left out here, once, so that no feature can look ahead of it.
"""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.panel.cells import Assignments, Days, Events, Incidents, subject_of
from preprocessing.panel.grid import NOT_ENROLLED, SCHOOL_DAYS_OF_WEEK, Roster, SchoolYear
from preprocessing.panel.kinds import STATUSES, WEEK_DAYS
from preprocessing.panel.observations import Observations
from preprocessing.panel.school_year import codes, roster_of


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
    called = {name: subject_of(name) for name in frame["subject"].unique()}
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
