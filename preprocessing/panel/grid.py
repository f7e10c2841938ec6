"""A school year as a grid of students and weeks: who was enrolled where, and on which days there was school.

It knows no feature and loads no library for tables. Weeks are counted from the Monday of the first school week; a year
ends where the calendar has no school for longer than `LONGEST_BREAK`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preprocessing.panel.kinds import WEEK_DAYS

if TYPE_CHECKING:
    import polars as pl

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


def years_of(days: Sequence[date]) -> tuple[SchoolYear, ...]:
    """The years of these school days, which ascend, from the oldest on."""
    gaps = [place for place, (one, next_) in enumerate(pairwise(days), 1) if (next_ - one).days > LONGEST_BREAK]
    return tuple(_year(days[begin], days[end - 1]) for begin, end in pairwise([0, *gaps, len(days)]) if end > begin)


def last_week(year: SchoolYear, as_of: date | None) -> int:
    """The newest week that has begun, -1 before the year."""
    return year.weeks - 1 if as_of is None else min((as_of - year.start).days // WEEK_DAYS, year.weeks - 1)


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
    students: "pl.Series | Sequence[str]"
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

    def until(self, week: int) -> "Roster":
        """Without the weeks behind `week`."""
        year = SchoolYear(self.year.name, self.year.start, week + 1)
        school, grade = (one[:, : year.weeks] for one in (self.school, self.grade))
        return Roster(year, self.students, self.schools, self.grades, school, grade, self.open_days[:, : year.weeks])

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
