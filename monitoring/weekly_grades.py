"""In which grade students were in which school week, for figures by grade: read of enrolments, which predictions do not
hold.

It measures nothing. Students are known by the hashes that evidence has of them.
"""

from datetime import date, timedelta
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from database.observed import WEEKS_KIND
from database.observed_weeks import said_of
from database.store import RecordStore
from model.workspace import Workspace
from monitoring.evidence import EvidenceColumns, Hashes, Integers, hash_text

ENROLMENT = "enrolment"
LAST_SCHOOL_DAY = 4
NEVER_ENDS = 10**7  # days since 1970


class Spells(NamedTuple):
    """Enrolments, by student (hashes) and begin: days since 1970, the end not with them; `grade`: into `grades`."""

    student: Hashes
    begin: Integers
    end: Integers
    grade: Integers
    grades: tuple[str, ...]


_KEPT: "WeakKeyDictionary[RecordStore, dict[str, tuple[str, Spells]]]" = WeakKeyDictionary()


def spells_of(store: RecordStore, domain: str) -> Spells:
    """As they stood when a week was closed last: until then they are read once in a process."""
    state = store.document(WEEKS_KIND, domain)
    closed = "" if state is None else str(state.body["closed"])
    kept = _KEPT.setdefault(store, {})
    if not closed or domain not in kept or kept[domain][0] != closed:
        kept[domain] = closed, _read(store, domain)
    return kept[domain][1]


def _read(store: RecordStore, domain: str) -> Spells:
    rows, numbers = list[tuple[int, int, int, int]](), dict[str, int]()
    who, known = "", 0
    for one in said_of(store.observation_texts(domain, kind=ENROLMENT)):
        if one.student != who:
            who, known = one.student, hash_text(one.student)
        _school, grade, end = one.body
        last = NEVER_ENDS if end is None else (date.fromisoformat(str(end)) - date(1970, 1, 1)).days
        rows.append((known, one.day, last, numbers.setdefault(str(grade or ""), len(numbers))))
    rows.sort()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 4
    student = np.array(columns[0], dtype=np.uint64)
    begin, end, grade = (np.array(column, dtype=np.int64) for column in columns[1:])
    return Spells(student, begin, end, grade, tuple(numbers))


def grades_in(workspace: Workspace, domain: str, found: EvidenceColumns) -> list[str]:
    """(n,) the grade of each row's student in its week; "" where none is known."""
    spells = spells_of(workspace.store, domain)
    years = {year.name: year.start for year in workspace.weeks.of(domain).calendar().years}
    fridays = np.array([_friday(period, years) for _group, period in found.places] or [0], dtype=np.int64)[found.place]
    if not len(spells.student):
        return [""] * found.n
    place = _last_begun(spells, found.student, fridays)
    covers = (place >= 0) & (spells.student[place] == found.student) & (spells.end[place] > fridays - LAST_SCHOOL_DAY)
    names = (*spells.grades, "")
    return [names[one] for one in np.where(covers, spells.grade[place], len(names) - 1).tolist()]


def _last_begun(spells: Spells, student: Hashes, day: Integers) -> Integers:
    """(n,) the place of the spell that began last by a day, of that student or of the one before it; -1: of nobody."""
    students, code = np.unique(spells.student, return_inverse=True)
    of = np.searchsorted(students, student)
    key = code.astype(np.int64) * NEVER_ENDS + spells.begin
    asked = of.astype(np.int64) * NEVER_ENDS + np.clip(day, 0, NEVER_ENDS - 1)
    return np.asarray(np.searchsorted(key, asked, side="right") - 1, dtype=np.int64)


def _friday(period: str | None, years: dict[str, date]) -> int:
    year, _, number = (period or "").rpartition(" W")
    if year not in years or not number.isdecimal():
        return 0
    return (years[year] + timedelta(days=7 * int(number) + LAST_SCHOOL_DAY) - date(1970, 1, 1)).days
