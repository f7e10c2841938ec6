"""How the students of one group and period stand, on SQL: questions over a connection that `database.sql` lends.

A page is found by the beginnings of pseudonyms, which the index holds; of the rows of its students the newest is read.
"""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from database.layout import KEY_START, LAYOUTS, instant, parts
from database.newest import NOWHERE, PlacedRow
from database.tables import BATCH_ROWS, BATCHES, NEWEST, start_of

ROW_COLUMNS = tuple(BATCH_ROWS.c[name] for name in LAYOUTS["batch_rows"].names)


def newest_rows_of(
    connection: sa.Connection, domain: str, group: str, period: str | None, after: str | None, limit: int
) -> list[PlacedRow]:
    """The newest row of each of the first `limit` students behind `after`, by student."""
    start = start_of(BATCH_ROWS.c.student)
    here = [BATCH_ROWS.c.group == group, BATCH_ROWS.c.student.is_not(None), BATCHES.c.domain == domain]
    here += [BATCH_ROWS.c.period.is_(None) if period is None else BATCH_ROWS.c.period == period]
    here += [] if after is None else [start >= after[:KEY_START], BATCH_ROWS.c.student > after]
    of_batches = sa.join(BATCH_ROWS, BATCHES, BATCHES.c.attempt == BATCH_ROWS.c.attempt)
    found = sa.select(start).select_from(of_batches).where(*here).distinct().order_by(start).limit(limit)
    starts = connection.execute(found).scalars().all()
    columns = (BATCH_ROWS.c.student, BATCHES.c.receipt, BATCHES.c.id, BATCH_ROWS.c.number, BATCHES.c.attempt)
    newest: dict[str, Any] = {}
    for part in parts(starts):
        rows = sa.select(*columns, BATCHES.c.at).select_from(of_batches).where(*here, start.in_(part))
        for row in connection.execute(rows):
            if row.student not in newest or row[1:4] > newest[row.student][1:4]:
                newest[row.student] = row
    return _read_rows(connection, [newest[student] for student in sorted(newest)[:limit]])


def _read_rows(connection: sa.Connection, chosen: Sequence[Any]) -> list[PlacedRow]:
    held: dict[str, list[int]] = {}
    for one in chosen:
        held.setdefault(one.attempt, []).append(one.number)
    rows: dict[tuple[str, int], Any] = {}
    unpack = LAYOUTS["batch_rows"].unpack
    for attempt, numbers in held.items():
        for part in parts(numbers):
            wanted = sa.select(*ROW_COLUMNS).where(BATCH_ROWS.c.attempt == attempt, BATCH_ROWS.c.number.in_(part))
            rows |= {(attempt, row.number): unpack(row) for row in connection.execute(wanted)}
    return [
        PlacedRow(one.student, rows[one.attempt, one.number], one.id, instant(one.at))
        for one in chosen
        if (one.attempt, one.number) in rows  # withdrawn meanwhile
    ]


def newest_ids_of(
    connection: sa.Connection, domain: str, group: str, period: str | None, students: Collection[str]
) -> list[tuple[str, str, str]]:
    """Student, target and id of the newest prediction about each of these in a group and period."""
    place = [NEWEST.c.domain == domain, NEWEST.c.group == group, NEWEST.c.period == (period or NOWHERE)]
    columns = sa.select(NEWEST.c.student, NEWEST.c.target, NEWEST.c.prediction).where(*place)
    found = (connection.execute(columns.where(NEWEST.c.student.in_(part))) for part in parts(students))
    return [(row.student, row.target, row.prediction) for rows in found for row in rows]
