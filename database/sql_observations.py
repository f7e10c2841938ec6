"""Observations on SQLite and PostgreSQL: statements over one connection, which `database.sql` lends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from database.layout import SEPARATOR, micros
from database.store import ObservationColumns
from database.tables import OBSERVATIONS

STUDENTS_CLEARED = 100
"""Whose old observations go in one transaction."""

KEY_NAMES = ("student", "kind", "event", "version")  # within a domain
PAGE_COLUMNS = [OBSERVATIONS.c[name] for name in ObservationColumns._fields]


def page(
    domain: str, student: str | None, newest: int, known_at: datetime | None, last: Sequence[Any] | None = None
) -> sa.Select[Any]:
    """What had come in by a receipt and a time, in key order. student: of one alone. last: the row that the page before
    ended with."""
    wanted = [OBSERVATIONS.c.domain == domain, OBSERVATIONS.c.receipt <= newest]
    wanted += [] if student is None else [OBSERVATIONS.c.student == student]
    wanted += [] if known_at is None else [OBSERVATIONS.c.at <= micros(known_at)]
    order = [OBSERVATIONS.c[name] for name in KEY_NAMES]
    if last is not None:
        fixed = 0 if student is None else 1
        wanted.append(sa.tuple_(*order[fixed:]) > sa.tuple_(*map(sa.literal, last[fixed : len(KEY_NAMES)])))
    return sa.select(*PAGE_COLUMNS).where(*wanted).order_by(*order)


def of_events(domain: str, student: str, kind: str, events: Sequence[str]) -> sa.Select[Any]:
    """All versions of these events of one student, in key order."""
    whose = (OBSERVATIONS.c.domain == domain, OBSERVATIONS.c.student == student, OBSERVATIONS.c.kind == kind)
    mine = sa.select(*PAGE_COLUMNS).where(*whose, OBSERVATIONS.c.event.in_(events))
    return mine.order_by(OBSERVATIONS.c.event, OBSERVATIONS.c.version)


def since(domain: str, receipt: int) -> sa.Select[Any]:
    """The students of whom something came in behind a receipt, in any order."""
    came = (OBSERVATIONS.c.domain == domain, OBSERVATIONS.c.receipt > receipt)
    student = OBSERVATIONS.c.student.concat("")  # of a plain one SQLite would walk through the key, which is in order
    return sa.select(student).where(*came).distinct()


def texts(
    domain: str, students: Sequence[str], newest: int, known_at: datetime | None, kind: str | None
) -> sa.Select[Any]:
    """What had come in of some students by a receipt and a time, of one kind or of all, a row for each student and
    kind, in order."""
    told = OBSERVATIONS.c
    wanted = [told.domain == domain, told.student.in_(students), told.receipt <= newest]
    wanted += [] if known_at is None else [told.at <= micros(known_at)]
    wanted += [] if kind is None else [told.kind == kind]
    line = told.event.concat(SEPARATOR).concat(told.version).concat(SEPARATOR)  # a cast of numbers would cost more
    line = line.concat(told.day).concat(SEPARATOR).concat(told.body)
    place = (told.student, told.kind)
    joined = sa.func.aggregate_strings(line, "\n")
    return sa.select(*place, sa.func.count(), joined).where(*wanted).group_by(*place).order_by(*place)


def next_students(domain: str, after: str | None, most: int) -> sa.Select[Any]:
    """Some students of a domain behind one, in order: each looked up by itself, since to look through all of their
    events takes long."""
    mine = OBSERVATIONS.c.domain == domain
    behind = mine if after is None else sa.and_(mine, OBSERVATIONS.c.student > after)
    found = sa.select(sa.func.min(OBSERVATIONS.c.student).label("student")).where(behind).cte("found", recursive=True)
    following = sa.select(sa.func.min(OBSERVATIONS.c.student)).where(mine, OBSERVATIONS.c.student > found.c.student)
    found = found.union_all(sa.select(following.scalar_subquery()).where(found.c.student.is_not(None)))
    return sa.select(found.c.student).where(found.c.student.is_not(None)).limit(most)


def removal(domain: str, students: Sequence[str], before: datetime | None = None) -> sa.Delete:
    """All of these students, or what came in before then but for what stands above something younger: that would count
    again."""
    removed = OBSERVATIONS.delete().where(OBSERVATIONS.c.domain == domain, OBSERVATIONS.c.student.in_(students))
    if before is None:
        return removed
    younger = OBSERVATIONS.alias("younger")
    same = [younger.c[name] == OBSERVATIONS.c[name] for name in ("domain", "student", "kind", "event")]
    below = sa.exists().where(*same, younger.c.version < OBSERVATIONS.c.version, younger.c.at >= micros(before))
    return removed.where(OBSERVATIONS.c.at < micros(before), ~below)
