"""Events of a few students, of what is observed of them, without any library for tables: what a service can answer of.

What several records of one day, of a spell or of a calendar's day say together is told by the rules of
`database.observed_frames`, from which all students' events come by column; both are the same, cell by cell.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.panel.cells import Assignments, Events, Incidents, subject_of
from preprocessing.panel.grid import NOT_ENROLLED, SCHOOL_DAYS_OF_WEEK, Roster, SchoolYear, years_of
from preprocessing.panel.kinds import STATUSES, WEEK_DAYS

EPOCH_DAY = date(1970, 1, 1)
ABSENT_FROM = 0.5
"""Share of a day's records in classes from which the day counts as absent."""

FAR_AHEAD = 10**7
"""A day behind all others."""


class SaidEvent(NamedTuple):
    """An event in its newest version. day: since 1970. body: the values of its kind."""

    student: str
    kind: str
    event: str
    day: int
    body: Sequence[Any]


class Calendar:
    """On which days there is school, where. said: events of the calendar."""

    def __init__(self, said: Iterable[SaidEvent]) -> None:
        self._days: dict[str | None, dict[int, bool]] = defaultdict(dict)
        for one in said:
            school, open_ = one.body
            days = self._days[school]
            days[one.day] = open_ and days.get(one.day, True)
        opened = sorted({day for days in self._days.values() for day, is_open in days.items() if is_open})
        self.years = years_of([EPOCH_DAY + timedelta(days=day) for day in opened])

    def year_at(self, day: date) -> SchoolYear | None:
        """The last year that has begun by then."""
        return next((year for year in reversed(self.years) if year.start <= day), None)

    def school_days_between(self, last: date | None, until: date, school: str) -> int:
        """On how many days there was school behind `last`, up to `until` without it, within the year of `until`."""
        year = self.year_at(until)
        if year is None:
            return 0
        begin = max(last + timedelta(days=1), year.start) if last else year.start
        own, all_ = self._days.get(school, {}), self._days.get(None, {})
        days = range((begin - EPOCH_DAY).days, (until - EPOCH_DAY).days)
        return sum(own.get(day, all_.get(day, False)) for day in days)

    def open_days(self, year: SchoolYear, schools: Sequence[str]) -> NDArray[np.bool_]:
        """As a roster has them: (schools + 1, weeks, 5)."""
        found = np.zeros((len(schools) + 1, year.weeks, SCHOOL_DAYS_OF_WEEK), np.bool_)
        start = (year.start - EPOCH_DAY).days
        for places, days in [(slice(None), self._days.get(None, {}))] + [
            (slice(place, place + 1), self._days.get(school, {})) for place, school in enumerate(schools)
        ]:
            for day, is_open in days.items():
                week, weekday = divmod(day - start, WEEK_DAYS)
                if 0 <= week < year.weeks and weekday < SCHOOL_DAYS_OF_WEEK:
                    found[places, week, weekday] = is_open
        return found


def events_of_few(said: Iterable[SaidEvent], calendar: Calendar, year: SchoolYear, *, as_of: date | None) -> Events:
    """What of some students was known at the end of the day `as_of`, within `year`."""
    until = FAR_AHEAD if as_of is None else (as_of - EPOCH_DAY).days
    of_kind: dict[str, list[SaidEvent]] = defaultdict(list)
    for one in said:
        if one.day <= until:
            of_kind[one.kind].append(one)
    roster = _roster(of_kind["enrolment"], calendar, year)
    places = {student: place for place, student in enumerate(roster.students)}
    start = (year.start - EPOCH_DAY).days
    inside = {
        kind: [one for one in of_kind[kind] if one.student in places and 0 <= one.day - start < year.weeks * WEEK_DAYS]
        for kind in ("attendance", "grades", "incidents")
    }
    status = _status(inside["attendance"], places, start, year.weeks)
    return Events(
        roster,
        np.where(roster.days, status, 0).astype(np.int8),
        _marks([one for one in inside["grades"] if one.body[-1] != "exempt"], places, start),
        _incidents(inside["incidents"], places, start),
    )


def _roster(spells: Sequence[SaidEvent], calendar: Calendar, year: SchoolYear) -> Roster:
    start = (year.start - EPOCH_DAY).days
    found = list[tuple[int, str, str, str, int, int]]()
    for student, where, which, begin, end in _joined(spells):
        first = max((begin - start + 2) // WEEK_DAYS, 0)  # of the weeks whose Friday is not before it begins
        last = min((end - start - 1) // WEEK_DAYS, year.weeks - 1)
        if first <= last:
            found.append((begin, where, which, student, first, last))
    found.sort()
    last_school = {student: where for _, where, _, student, _, _ in found}
    students = sorted(last_school, key=lambda one: (last_school[one], one))
    schools, grades = sorted({one[1] for one in found}), sorted({one[2] for one in found})
    at = {student: place for place, student in enumerate(students)}
    school, grade = (np.full((len(students), year.weeks), NOT_ENROLLED, np.int32) for _ in range(2))
    for _, where, which, student, first, last in found:  # of several, the last one stays
        place = at[student]
        school[place, first : last + 1] = schools.index(where)
        grade[place, first : last + 1] = grades.index(which)
    open_days = calendar.open_days(year, schools)
    return Roster(year, students, (*schools,), (*grades,), school, grade, open_days)


def _joined(spells: Sequence[SaidEvent]) -> list[tuple[str, str, str, int, int]]:
    """Student, school, grade, begin and end of spells; those in a grade of a school that overlap or touch as one."""
    told = [((one.student, one.body[0], one.body[1] or ""), one.day, _day_of(one.body[2])) for one in spells]
    joined: list[tuple[tuple[str, str, str], int, int]] = []
    for place, begin, end in sorted(told):
        if joined and joined[-1][0] == place and begin <= joined[-1][2]:
            joined[-1] = place, joined[-1][1], max(joined[-1][2], end)
        else:
            joined.append((place, begin, end))
    return [(*place, begin, end) for place, begin, end in joined]


def _day_of(text: str | None) -> int:
    return FAR_AHEAD if text is None else (date.fromisoformat(text) - EPOCH_DAY).days


def _status(said: Sequence[SaidEvent], places: Mapping[str, int], start: int, weeks: int) -> NDArray[np.int8]:
    of_day: dict[tuple[int, int], list[str]] = defaultdict(list)
    for one in said:
        of_day[places[one.student], one.day - start].append(one.body[0])
    found = np.zeros((len(places), weeks * WEEK_DAYS), np.int8)
    for at, told in of_day.items():
        found[at] = 1 + STATUSES.index(told[0] if len(told) == 1 else _status_of(told))
    return found.reshape(len(places), weeks, WEEK_DAYS)[:, :, :SCHOOL_DAYS_OF_WEEK]


def _status_of(told: Sequence[str]) -> str:
    """Of several records of one day."""
    absent = sum(one in ("excused", "unexcused") for one in told) / len(told) >= ABSENT_FROM
    if absent:
        return "unexcused" if "unexcused" in told else "excused"
    return "tardy" if any(one != "present" for one in told) else "present"


def _marks(said: Sequence[SaidEvent], places: Mapping[str, int], start: int) -> Assignments:
    subjects = sorted({subject_of(one.body[0]) for one in said})
    return Assignments(
        np.array([places[one.student] for one in said], np.int32),
        np.array([(one.day - start) // WEEK_DAYS for one in said], np.int32),
        np.array([subjects.index(subject_of(one.body[0])) for one in said], np.int32),
        np.array([np.nan if one.body[2] is None else one.body[2] for one in said], np.float64),
        np.array([one.body[3] for one in said], np.float64),
        np.array([one.body[4] == "missing" for one in said], np.bool_),
        np.array([one.body[4] == "late" for one in said], np.bool_),
        (*subjects,),
    )


def _incidents(said: Sequence[SaidEvent], places: Mapping[str, int], start: int) -> Incidents:
    ordered = sorted(said, key=lambda one: (places[one.student], one.day, one.event))
    categories = sorted({one.body[0] for one in ordered})
    return Incidents(
        np.array([places[one.student] for one in ordered], np.int32),
        np.array([one.day - start for one in ordered], np.int64),
        np.array([categories.index(one.body[0]) for one in ordered], np.int32),
        np.array([one.body[1] for one in ordered], np.float64),
        np.array([one.body[2] for one in ordered], np.float64),
    )
