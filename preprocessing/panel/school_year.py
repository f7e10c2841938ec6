"""A school year as a grid of students and weeks: who was enrolled where, and on which days there was school.

It knows no feature. Weeks are counted from the Monday of the first school week; a year ends where the calendar has no
school for longer than `LONGEST_BREAK`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.panel.observations import WEEK_DAYS, BadObservations

LONGEST_BREAK = 35
"""Days without school within a year: more of them part two years."""

SCHOOL_DAYS_OF_WEEK = 5
"""Monday to Friday; what falls on a weekend is no school day."""

NOT_ENROLLED = -1


@dataclass(frozen=True)
class SchoolYear:
    """One year. name: "2025-26", or "2026" where it ends in the year in which it began. start: the Monday of week 0."""

    name: str
    start: date
    weeks: int

    def week_name(self, week: int) -> str:
        """What a week is called, in an order that sorts.

        >>> SchoolYear("2025-26", date(2025, 8, 25), 40).week_name(7)
        '2025-26 W07'
        """
        return f"{self.name} W{week:02d}"

    @property
    def end(self) -> date:
        """The first day after its last week."""
        return self.start + timedelta(days=self.weeks * WEEK_DAYS)


def school_years(calendar: pl.DataFrame) -> tuple[SchoolYear, ...]:
    """The years of a calendar, from the oldest on. Raises BadObservations where it has no school day."""
    days = calendar.filter("school_day")["day"].unique().sort()
    if days.is_empty():
        raise BadObservations("the calendar has no school day: school weeks are counted from its first")
    breaks = [0, *((days.diff().dt.total_days() > LONGEST_BREAK).arg_true().to_list()), len(days)]
    return tuple(_year(days[begin], days[end - 1]) for begin, end in pairwise(breaks))


def _year(first: date, last: date) -> SchoolYear:
    start = first - timedelta(days=first.weekday())
    name = f"{first.year}" if first.year == last.year else f"{first.year}-{last.year % 100:02d}"
    return SchoolYear(name, start, (last - start).days // WEEK_DAYS + 1)


@dataclass(frozen=True)
class Roster:
    """Who of the students was where in each week of a year.

    students: their keys, by the school where they were last, so that whole schools stand together. school, grade:
    (S, W) places in `schools` and `grades`, `NOT_ENROLLED` in weeks without enrolment. open_days: (schools + 1, W, 5)
    where there is school; the last is for those who are nowhere.
    """

    year: SchoolYear
    students: pl.Series
    schools: tuple[str, ...]
    grades: tuple[str, ...]
    school: NDArray[np.int32]
    grade: NDArray[np.int32]
    open_days: NDArray[np.bool_]

    @property
    def enrolled(self) -> NDArray[np.bool_]:
        """(S, W) whether a spell covers a day of the week."""
        enrolled: NDArray[np.bool_] = self.school != NOT_ENROLLED
        return enrolled

    @property
    def days(self) -> NDArray[np.bool_]:
        """(S, W, 5) on which there was school for each student."""
        days: NDArray[np.bool_] = self.open_days[self.school, np.arange(self.year.weeks)]
        return days

    def part(self, begin: int, end: int) -> "Roster":
        """Some students in a row, without the others."""
        return Roster(
            self.year,
            self.students[begin:end],
            self.schools,
            self.grades,
            self.school[begin:end],
            self.grade[begin:end],
            self.open_days,
        )


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
