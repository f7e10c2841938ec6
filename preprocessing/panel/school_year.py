"""The calendar and the enrolments of frames as school years and rosters. It knows no feature."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.panel.grid import NOT_ENROLLED, SCHOOL_DAYS_OF_WEEK, Roster, SchoolYear, years_of
from preprocessing.panel.kinds import WEEK_DAYS
from preprocessing.panel.observations import BadObservations


def school_years(calendar: pl.DataFrame) -> tuple[SchoolYear, ...]:
    """The years of a calendar, from the oldest on. Raises BadObservations where it has no school day."""
    days = calendar.filter("school_day")["day"].unique().sort()
    if days.is_empty():
        raise BadObservations("the calendar has no school day: school weeks are counted from its first")
    return years_of(days.to_list())


def roster_of(enrolment: pl.DataFrame, calendar: pl.DataFrame, year: SchoolYear) -> Roster:
    """The roster of a year, of everybody whom a spell of `enrolment` puts into one of its weeks.

    Where two spells cover a week, the one that began later counts.
    """
    begin, end = _days_since(enrolment["begin"], year), _days_since(enrolment["end"], year)
    first = np.maximum((begin + 2) // WEEK_DAYS, 0)  # of the weeks whose Friday is not before it begins
    last = np.minimum(np.where(np.isnan(end), np.inf, (end - 1) // WEEK_DAYS), year.weeks - 1)
    spells = enrolment.select("student", "school", pl.col("grade_level").fill_null(""), "begin")
    spells = spells.with_columns(first=pl.Series(first), last=pl.Series(last)).filter(pl.col("first") <= pl.col("last"))
    spells = spells.sort("begin", "school", "grade_level")
    students = spells.group_by("student").agg(pl.col("school").last()).sort("school", "student")["student"]
    schools = sorted({*spells["school"], *calendar["school"].drop_nulls()})
    grades = sorted(set(spells["grade_level"]))
    begins, ends = (spells[name].to_numpy().astype(np.int64) for name in ("first", "last"))
    lengths = ends - begins + 1
    student = np.repeat(codes(spells["student"], students), lengths)
    week = np.repeat(begins - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    school, grade = (np.full((len(students), year.weeks), NOT_ENROLLED, np.int32) for _ in range(2))
    school[student, week] = np.repeat(codes(spells["school"], schools), lengths)  # of several, the last one stays
    grade[student, week] = np.repeat(codes(spells["grade_level"], grades), lengths)
    return Roster(year, students, (*schools,), (*grades,), school, grade, _open_days(calendar, year, schools))


def codes(values: pl.Series, of: Sequence[str] | pl.Series) -> NDArray[np.int32]:
    """The place of each value among `of`; `NOT_ENROLLED` of one that is not there."""
    known = pl.Enum(pl.Series(of, dtype=pl.String))
    return values.cast(known, strict=False).to_physical().cast(pl.Int32).fill_null(NOT_ENROLLED).to_numpy()


def _days_since(days: pl.Series, year: SchoolYear) -> NDArray[np.float64]:
    """Days since the year began; NaN for null."""
    return (days - year.start).dt.total_days().cast(pl.Float64).fill_null(np.nan).to_numpy()


def _open_days(calendar: pl.DataFrame, year: SchoolYear, schools: Sequence[str]) -> NDArray[np.bool_]:
    """A school's own line of a day counts before that of all, and a day without a line has no school."""
    days = _days_since(calendar["day"], year)
    week, weekday = np.divmod(days, WEEK_DAYS)
    inside = (week >= 0) & (week < year.weeks) & (weekday < SCHOOL_DAYS_OF_WEEK)
    opened, school = calendar["school_day"].to_numpy(), codes(calendar["school"], schools)
    found = np.zeros((len(schools) + 1, year.weeks, SCHOOL_DAYS_OF_WEEK), np.bool_)
    everywhere, own = inside & calendar["school"].is_null().to_numpy(), inside & (school != NOT_ENROLLED)
    found[:, week[everywhere].astype(int), weekday[everywhere].astype(int)] = opened[everywhere]
    found[school[own], week[own].astype(int), weekday[own].astype(int)] = opened[own]
    return found
