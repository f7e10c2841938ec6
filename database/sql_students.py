"""What SQLite and PostgreSQL keep of one student: statements over one connection, which `database.sql` lends."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from database.layout import LAYOUTS, parts
from database.store import NOBODY_NAMED
from database.tables import ACCESSES, BATCH_ROWS, BATCHES, OUTCOMES, PREDICTIONS, is_among


def rows(domain: str, student: str) -> sa.Select[Any]:
    """The batch of each of the student's rows, and the row."""
    columns = [BATCH_ROWS.c[name] for name in LAYOUTS["batch_rows"].names]
    mine = is_among(BATCH_ROWS.c.student, [student])
    return sa.select(BATCHES.c.id, *columns).where(mine, *_of(domain))


def predictions(connection: sa.Connection, domain: str, student: str) -> list[str]:
    """The ids of the student's predictions."""
    mine = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.domain == domain, is_among(PREDICTIONS.c.student, [student]))
    return list(connection.execute(mine).scalars())


def looks(domain: str, student: str) -> list[sa.ColumnElement[bool]]:
    """Entries of access that name the student."""
    return [ACCESSES.c.domain == domain, ACCESSES.c.details.contains(student, autoescape=True)]


def remove_rows(connection: sa.Connection, domain: str, student: str) -> int:
    """From all batches of the domain, which have as many fewer; how many."""
    mine = [is_among(BATCH_ROWS.c.student, [student])]
    known = sa.select(BATCHES.c.id, BATCHES.c.attempt, sa.func.count()).where(*mine, *_of(domain))
    removed = 0
    for batch, attempt, count in connection.execute(known.group_by(BATCHES.c.id, BATCHES.c.attempt)).all():
        connection.execute(BATCH_ROWS.delete().where(BATCH_ROWS.c.attempt == attempt, *mine))
        connection.execute(BATCHES.update().where(BATCHES.c.id == batch).values(rows=BATCHES.c.rows - count))
        removed += count
    return removed


def remove_outcomes(connection: sa.Connection, domain: str, student: str, ids: Sequence[str]) -> int:
    """About the student, or about predictions of these ids; how many."""
    about = [is_among(OUTCOMES.c.student, [student])]
    about += [OUTCOMES.c.prediction.in_(part) for part in parts(ids)]
    return sum(connection.execute(OUTCOMES.delete().where(OUTCOMES.c.domain == domain, one)).rowcount for one in about)


def name_nobody(connection: sa.Connection, domain: str, student: str) -> None:
    """In entries of access."""
    details = sa.func.replace(ACCESSES.c.details, student, NOBODY_NAMED)
    connection.execute(ACCESSES.update().where(*looks(domain, student)).values(details=details))


def _of(domain: str) -> list[sa.ColumnElement[bool]]:
    return [BATCHES.c.attempt == BATCH_ROWS.c.attempt, BATCHES.c.domain == domain]
