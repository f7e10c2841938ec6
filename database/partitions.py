"""The log of predictions on PostgreSQL by months, each in a table of its own, which goes whole when its term is over.

Ids begin with the time of their making, so that parting by id parts by month of receipt, and an id is unique in all of
them. What has an id of another kind lies in a part for the rest. Of SQLite and MongoDB this knows nothing.
"""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from clock import now
from database.layout import DAY_MICROS

PARTED = ("predictions", "prediction_blocks")
"""Tables in parts, alike; a block has the id of its first prediction, and its others are made in the same instant."""

OF_THE_REST, OF_BEFORE = "rest", "before"
"""The parts without a month: of ids of another kind; and what there was when a database was parted, up to a month."""

PARTITIONS_LOCK = 0x677261706172  # "grapar": any number that no one else locks on in the same database

LOCK_MILLISECONDS = 500
"""For which a change of parts waits for readers of long standing, such as a backup: others wait behind it."""

OF_THIS_TIME = re.compile(r"0[0-9a-f]{31}")
"""An id as `clock.new_id` makes it, until the year 2527."""

SECONDS_BETWEEN_TRIES = 600.0
"""To make the parts of months to come, where somebody read for too long, or the log is in one."""

_BOUNDS = re.compile(r"FROM \((MINVALUE|'(\w+)')\) TO \('(\w+)'\)")


class LogPart(NamedTuple):
    """Ids from `first` on, to before `end`, in tables whose names end so."""

    name: str
    first: str
    end: str


def bound(month: date) -> str:
    """Where the ids of a month begin.

    >>> bound(date(2026, 11, 1))
    '01a19467e800'
    """
    return f"{int(datetime(month.year, month.month, 1, tzinfo=UTC).timestamp() * 1000):012x}"


def month_of(id: str) -> date | None:
    """In which an id was made; None for one of another kind."""
    if not OF_THIS_TIME.fullmatch(id):
        return None
    return datetime.fromtimestamp(int(id[:12], 16) / 1000, UTC).date().replace(day=1)


def following(month: date) -> date:
    """The month after one."""
    return (month + timedelta(days=31)).replace(day=1)


def is_parted(connection: sa.Connection) -> bool:
    """Whether the log is in parts."""
    kind = sa.text("SELECT relkind FROM pg_class WHERE oid = to_regclass('predictions')")
    return connection.execute(kind).scalar() in ("p", b"p")


def parts_of(connection: sa.Connection) -> list[LogPart]:
    """Those with a time, the oldest first."""
    told = connection.execute(
        sa.text(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
            " WHERE inhparent = to_regclass('predictions')"
        )
    )
    found = []
    for table, bounds in told:
        if known := _BOUNDS.search(bounds):
            found.append(LogPart(table.removeprefix("predictions_"), known[2] or "", known[3]))
    return sorted(found, key=lambda part: part.first)


def part_whole(connection: sa.Connection) -> None:
    """Make of tables that are whole the first part of parted ones. Nothing is copied: PostgreSQL looks through them
    once, unless `part_online` was here before."""
    end = _end_of_before()
    for table in PARTED:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_{OF_BEFORE}"))
        for index in sa.inspect(connection).get_indexes(f"{table}_{OF_BEFORE}"):
            _rename_index(connection, str(index["name"]))
        _rename_index(connection, f"{table}_pkey")
        alike = f"LIKE {table}_{OF_BEFORE} INCLUDING DEFAULTS INCLUDING STORAGE"
        connection.execute(sa.text(f"CREATE TABLE {table} ({alike}, PRIMARY KEY (id)) PARTITION BY RANGE (id)"))
        _copy_indexes(connection, table)
        connection.execute(sa.text(f"CREATE TABLE {table}_{OF_THE_REST} PARTITION OF {table} DEFAULT"))
        _move(connection, f"{table}_{OF_BEFORE}", f"{table}_{OF_THE_REST}", f"id >= '{bound(end)}'")
    bounds, steps = "", ["DROP TABLE {0}_{1}"]
    if connection.execute(sa.text(f"SELECT EXISTS (SELECT 1 FROM predictions_{OF_BEFORE})")).scalar_one():
        bounds = f"FOR VALUES FROM (MINVALUE) TO ('{bound(end)}')"
        steps = [
            "ALTER TABLE {0} ATTACH PARTITION {0}_{1} {2}",
            "ALTER TABLE {0}_{1} DROP CONSTRAINT IF EXISTS {0}_until",
        ]
    for table in PARTED:
        for step in steps:
            connection.execute(sa.text(step.format(table, OF_BEFORE, bounds)))
    if not bounds:
        this = now().date().replace(day=1)
        make_months(connection, {this, following(this)})


def make_whole(connection: sa.Connection) -> None:
    """The way back: one table again, copied."""
    for table in PARTED:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_parted"))
        for index in sa.inspect(connection).get_indexes(f"{table}_parted"):
            connection.execute(sa.text(f"ALTER INDEX {index['name']} RENAME TO {index['name']}_parted"))
        connection.execute(sa.text(f"ALTER INDEX {table}_pkey RENAME TO {table}_pkey_parted"))
        alike = f"LIKE {table}_parted INCLUDING DEFAULTS INCLUDING STORAGE"
        connection.execute(sa.text(f"CREATE TABLE {table} ({alike}, PRIMARY KEY (id))"))
        connection.execute(sa.text(f"INSERT INTO {table} SELECT * FROM {table}_parted"))
        for name, definition in _indexes(connection, f"{table}_parted"):
            made = definition.replace(name, name.removesuffix("_parted")).replace(f"{table}_parted", table)
            connection.execute(sa.text(made.replace(" ON ONLY ", " ON ")))
        connection.execute(sa.text(f"DROP TABLE {table}_parted"))


def make_months(connection: sa.Connection, months: Iterable[date]) -> None:
    """Make the parts of months that have none, with what lies among the rest of them."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(PARTITIONS_LOCK)))
    there = parts_of(connection)
    for month in sorted(set(months)):
        if _has(there, month):
            continue
        first, end = bound(month), bound(following(month))
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'"))
        for table in PARTED:
            part = f"{table}_{month:%Y_%m}"
            connection.execute(sa.text(f"CREATE TABLE {part} (LIKE {table} INCLUDING ALL)"))
            _move(connection, f"{table}_{OF_THE_REST}", part, f"id >= '{first}' AND id < '{end}'")
            connection.execute(
                sa.text(f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ('{first}') TO ('{end}')")
            )


def is_over(connection: sa.Connection, part: LogPart, domains: Collection[str], before: int) -> bool:
    """Whether all that a part holds is of these domains and from before an instant (microseconds), and no prediction
    elsewhere is read from its blocks. Asked of its index by domain and time."""
    domain = ""
    while True:
        name = sa.text(f"SELECT min(domain) FROM predictions_{part.name} WHERE domain > :last")
        found = connection.execute(name, {"last": domain}).scalar()
        if found is None:
            break
        domain = found
        newest = sa.text(f'SELECT max("at") FROM predictions_{part.name} WHERE domain = :domain')
        if domain not in domains or connection.execute(newest, {"domain": domain}).scalar_one() >= before:
            return False
    elsewhere = sa.text(
        "SELECT EXISTS (SELECT 1 FROM predictions WHERE id >= :end AND id < :soon AND block >= :first AND block < :end)"
        f" OR EXISTS (SELECT 1 FROM predictions_{OF_THE_REST} WHERE block >= :first AND block < :end)"
    )
    soon = f"{int(part.end, 16) + 1000:012x}"  # the instant of their making, and a second of patience
    return not connection.execute(elsewhere, {"first": part.first, "end": part.end, "soon": soon}).scalar_one()


def hold(connection: sa.Connection, part: LogPart) -> None:
    """Until the transaction ends nothing is written to a part, and no lock is waited for long."""
    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'"))
    tables = ", ".join(f"{table}_{part.name}" for table in PARTED)
    connection.execute(sa.text(f"LOCK TABLE {tables} IN SHARE MODE"))


def days_in(connection: sa.Connection, part: LogPart) -> list[tuple[str, int, int]]:
    """How many predictions of each domain there are of each day, counted from 1970 on."""
    day = f'floor("at" / {DAY_MICROS}::numeric)::bigint'
    counted = f"SELECT domain, {day}, count(*) FROM predictions_{part.name} GROUP BY 1, 2"
    return [(domain, day, count) for domain, day, count in connection.execute(sa.text(counted))]


def drop(connection: sa.Connection, part: LogPart) -> None:
    """Remove a part that is held, with its blocks; all who read any other wait for a moment."""
    for table in PARTED:
        connection.execute(sa.text(f"DROP TABLE {table}_{part.name}"))


def part_online(engine: sa.Engine) -> bool:
    """As `part_whole`, of a log of any size, while all work goes on; False where it is parted. PostgreSQL first looks
    through it without holding anybody up, so that the step itself takes a moment."""
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if is_parted(connection):
            return False
    try:
        with alone.connect() as connection:
            _check_bounds(connection)
        with engine.begin() as connection:
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{10 * LOCK_MILLISECONDS}ms'"))
            part_whole(connection)
    finally:  # a check that stayed would refuse predictions one day
        with alone.connect() as connection:
            for table in PARTED:
                connection.execute(sa.text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_until"))
    return True


def _check_bounds(connection: sa.Connection) -> None:
    """Have PostgreSQL know that there is no id of a time to come. With ids of another kind there is: then it looks
    through all of it once more."""
    end = bound(_end_of_before())
    for table in PARTED:
        if connection.execute(sa.text(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE id >= '{end}')")).scalar_one():
            continue
        check = f"ADD CONSTRAINT {table}_until CHECK (id < '{end}') NOT VALID"
        connection.execute(sa.text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_until, {check}"))
        connection.execute(sa.text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {table}_until"))


def _end_of_before() -> date:
    """With a month in which to make the next."""
    return following(following(now().date().replace(day=1)))


def _indexes(connection: sa.Connection, table: str) -> list[tuple[str, str]]:
    """Names and definitions of all but the primary key's."""
    told = sa.text(
        "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = to_regclass(:table) AND NOT i.indisprimary"
    )
    return [(name, text) for name, text in connection.execute(told, {"table": table})]


def _rename_index(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.text(f"ALTER INDEX {name} RENAME TO {name}_{OF_BEFORE}"))


def _copy_indexes(connection: sa.Connection, table: str) -> None:
    for name, definition in _indexes(connection, f"{table}_{OF_BEFORE}"):
        made = definition.replace(name, name.removesuffix(f"_{OF_BEFORE}"), 1)
        connection.execute(sa.text(made.replace(f".{table}_{OF_BEFORE} ", f".{table} ", 1)))


def _move(connection: sa.Connection, source: str, target: str, which: str) -> None:
    moved = f"WITH moved AS (DELETE FROM {source} WHERE {which} RETURNING *) INSERT INTO {target} SELECT * FROM moved"
    connection.execute(sa.text(moved))


class MonthsAhead:
    """Sees to it that the month to come has a part before ids of it are kept, whoever keeps them. What has none at
    that time goes to the rest, and from there to its month when that is made."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._enough = ""
        self._again = 0.0

    def prepare(self, ids: Iterable[str]) -> None:
        """Before these ids are kept: once a month in each process there is something to do."""
        newest = max((one for one in ids if one >= self._enough and OF_THIS_TIME.fullmatch(one)), default=None)
        if newest is None or monotonic() < self._again:
            return
        self._again = monotonic() + SECONDS_BETWEEN_TRIES
        month = min(month_of(newest) or date.max, following(now().date().replace(day=1)))
        if self.make({month, following(month)}):
            self._enough, self._again = bound(following(month)), 0.0

    def make(self, months: set[date]) -> bool:
        """False where that is not possible now, or the log is in one."""
        with suppress(DBAPIError):
            with self._engine.connect() as connection:
                if not is_parted(connection):
                    return False
                if all(_has(parts_of(connection), month) for month in months):
                    return True
            with self._engine.begin() as connection:
                make_months(connection, months)
            return True
        return False


def _has(parts: list[LogPart], month: date) -> bool:
    return any(part.first <= bound(month) < part.end for part in parts)
