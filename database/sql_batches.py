"""Uploads on SQLite and PostgreSQL: statements over one connection, whose transaction `database.sql` begins.

Rows are kept under an attempt, which a lease shows to be under way, until the batch names it or they are removed. The
lease is measured by the clock that all users of the database share.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from database.layout import parts
from database.sql_jobs import database_time
from database.store import UPLOAD_LEASE, UPLOAD_SECONDS
from database.tables import BATCH_ROWS, BATCHES, LEASES

NOBODY = ""
"""Holds the lease of rows that are to be removed."""

REMOVED_AT_ONCE = 1_000  # rows of one statement


def attempt_of(batch: str) -> sa.ScalarSelect[Any]:
    """The attempt that a batch names."""
    return sa.select(BATCHES.c.attempt).where(BATCHES.c.id == batch).scalar_subquery()


def attempts(connection: sa.Connection, batches: Collection[str]) -> dict[str, str]:
    """The attempt that each of these batches names; those that are not there are left out."""
    named = sa.select(BATCHES.c.id, BATCHES.c.attempt)
    found = (connection.execute(named.where(BATCHES.c.id.in_(part))) for part in parts(batches))
    return {row.id: row.attempt for rows in found for row in rows}


def begin(connection: sa.Connection, attempt: str) -> None:
    """The first sign of an upload."""
    values = {"name": UPLOAD_LEASE + attempt, "holder": attempt, "expires": _until(connection)}
    connection.execute(LEASES.insert().values(values))


def goes_on(connection: sa.Connection, attempt: str) -> bool:
    """A sign of an upload. False where it comes too late: its rows are removed."""
    mine = LEASES.update().where(LEASES.c.name == UPLOAD_LEASE + attempt, LEASES.c.holder == attempt)
    return bool(connection.execute(mine.values(expires=_until(connection))).rowcount)


def end(connection: sa.Connection, attempt: str) -> None:
    """Its rows are a batch's, or gone."""
    connection.execute(LEASES.delete().where(LEASES.c.name == UPLOAD_LEASE + attempt))


def give_up(connection: sa.Connection, attempt: str) -> bool:
    """Its rows are to be removed from now on, by whoever comes by. False where it has ended: they are a batch's."""
    lease = LEASES.update().where(LEASES.c.name == UPLOAD_LEASE + attempt)
    return bool(connection.execute(lease.values(holder=NOBODY, expires=0)).rowcount)


def without_sign(connection: sa.Connection) -> list[str]:
    """Attempts whose rows are to be removed: nobody has given a sign in time."""
    named = sa.and_(LEASES.c.name >= UPLOAD_LEASE, LEASES.c.name < UPLOAD_LEASE[:-1] + "!")
    names = connection.execute(sa.select(LEASES.c.name).where(named, LEASES.c.expires <= database_time(connection)))
    return [name.removeprefix(UPLOAD_LEASE) for name in names.scalars()]


def is_without_sign(connection: sa.Connection, attempt: str) -> bool:
    """Whether that still holds; then nobody can give one any more."""
    late = LEASES.c.expires <= database_time(connection)
    lease = LEASES.update().where(LEASES.c.name == UPLOAD_LEASE + attempt, late)
    return bool(connection.execute(lease.values(holder=NOBODY, expires=0)).rowcount)


def withdraw(connection: sa.Connection, batch: str) -> Any:
    """Let no batch name its rows any more, and give these up; the attempt and how many there are, None where there is
    no such batch."""
    here = BATCHES.c.id == batch
    found = connection.execute(sa.select(BATCHES.c.attempt, BATCHES.c.rows).where(here)).one_or_none()
    if found is not None:
        connection.execute(BATCHES.delete().where(here))
        connection.execute(LEASES.insert().values(name=UPLOAD_LEASE + found.attempt, holder=NOBODY, expires=0))
    return found


def remove_some(connection: sa.Connection, attempt: str) -> bool:
    """Some of the rows of an attempt that was given up. False where none are left: it has ended."""
    some = sa.select(BATCH_ROWS.c.number).where(BATCH_ROWS.c.attempt == attempt).limit(REMOVED_AT_ONCE)
    rows = BATCH_ROWS.delete().where(BATCH_ROWS.c.attempt == attempt, BATCH_ROWS.c.number.in_(some))
    if connection.execute(rows).rowcount:
        return True
    end(connection, attempt)
    return False


def _until(connection: sa.Connection) -> int:
    return database_time(connection) + round(UPLOAD_SECONDS * 1_000_000)
