"""What SQLite and PostgreSQL keep of one student: statements over one connection, which `database.sql` lends."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from database.layout import LAYOUTS, keyed, parts
from database.store import NOBODY_NAMED
from database.tables import ACCESSES, BATCH_ROWS, BATCHES, IS_AMONG, OUTCOMES, PREDICTIONS


def rows(domain: str, student: str) -> sa.Select[Any]:
    """The batch of each of the student's rows, and the row."""
    columns = [BATCH_ROWS.c[name] for name in LAYOUTS["batch_rows"].names]
    mine = sa.select(BATCHES.c.id, *columns).where(IS_AMONG[BATCH_ROWS.c.student], *_of(domain))
    return mine.params(keyed([student]))


def predictions(connection: sa.Connection, domain: str, student: str) -> list[str]:
    """The ids of the student's predictions."""
    mine = sa.select(PREDICTIONS.c.id).where(PREDICTIONS.c.domain == domain, IS_AMONG[PREDICTIONS.c.student])
    return list(connection.execute(mine, keyed([student])).scalars())


def looks(domain: str, student: str) -> list[sa.ColumnElement[bool]]:
    """Entries of access that name the student."""
    return [ACCESSES.c.domain == domain, ACCESSES.c.details.contains(student, autoescape=True)]


def remove_rows(connection: sa.Connection, domain: str, student: str) -> int:
    """From all batches of the domain, which have as many fewer; how many."""
    mine, asked = IS_AMONG[BATCH_ROWS.c.student], keyed([student])
    known = sa.select(BATCHES.c.id, BATCHES.c.attempt, sa.func.count()).where(mine, *_of(domain))
    removed = 0
    for batch, attempt, count in connection.execute(known.group_by(BATCHES.c.id, BATCHES.c.attempt), asked).all():
        connection.execute(BATCH_ROWS.delete().where(BATCH_ROWS.c.attempt == attempt, mine), asked)
        connection.execute(BATCHES.update().where(BATCHES.c.id == batch).values(rows=BATCHES.c.rows - count))
        removed += count
    return removed


def remove_outcomes(connection: sa.Connection, domain: str, student: str, ids: Sequence[str]) -> int:
    """About the student, or about predictions of these ids; how many."""
    gone, about = OUTCOMES.delete().where(OUTCOMES.c.domain == domain), [(OUTCOMES.c.student, [student])]
    about += [(OUTCOMES.c.prediction, part) for part in parts(ids)]
    return sum(connection.execute(gone.where(IS_AMONG[one]), keyed(keys)).rowcount for one, keys in about)


def name_nobody(connection: sa.Connection, domain: str, student: str) -> None:
    """In entries of access."""
    details = sa.func.replace(ACCESSES.c.details, student, NOBODY_NAMED)
    connection.execute(ACCESSES.update().where(*looks(domain, student)).values(details=details))


def _of(domain: str) -> list[sa.ColumnElement[bool]]:
    return [BATCHES.c.attempt == BATCH_ROWS.c.attempt, BATCHES.c.domain == domain]
