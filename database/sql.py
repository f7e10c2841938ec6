"""The record store on SQLite or PostgreSQL, through SQLAlchemy Core.

The only module that speaks SQL; nothing outside `database` may import it, `open_store` chooses it by URL.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from functools import cache, partial
from heapq import merge
from itertools import chain, groupby, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from clock import new_id, now
from database import (
    labeled,
    layout,
    pairs,
    partitions,
    sql_batches,
    sql_jobs,
    sql_newest,
    sql_observations,
    sql_standings,
    sql_students,
)
from database.errors import Conflict, LostJob, StoreUnavailable, Unkeepable
from database.fence import Fence
from database.layout import (
    DAY_MICROS,
    EVENTS_AT_ONCE,
    EVERY_DAY,
    LAYOUTS,
    PAGE,
    RECEIPTS,
    ROWS_AT_ONCE,
    STATEMENTS,
    Flat,
    calendar_day,
    check_finite,
    cut_block,
    instant,
    key_of,
    keyed,
    keys_of,
    micros,
    pack_blocks,
    pack_rows,
    parts,
    read_json,
    read_numbers,
    read_said,
    read_statements,
    row_key,
    split_document_key,
    split_observation_key,
    split_row_key,
    split_succession_key,
    unpack_block,
    write_json,
    write_kept,
    write_statements,
)
from database.newest import (
    OF_ALL,
    AskedAbout,
    NewestAnswer,
    NewestCounts,
    Reason,
    SilentAnswer,
    Standing,
    Which,
    rows_of,
    rows_of_packed,
    standings_of,
)
from database.packed import PackedPredictions, PackedRows
from database.pairs import Pair
from database.records import (
    Access,
    Batch,
    BatchKind,
    BatchRow,
    Before,
    BlobChunk,
    ChampionKey,
    DecisionRecord,
    Document,
    DriftRecord,
    Event,
    Job,
    JobProblem,
    JobProgress,
    JobState,
    LabeledRecord,
    ModelVersion,
    Observation,
    Outcome,
    Prediction,
    SeenWorker,
    Statement,
    Succession,
)
from database.sql_jobs import database_time
from database.sqlite_log import WAL_BYTES, DatabaseFile
from database.store import (
    MADE_OF_PAIRS,
    MOST_IN_PASSING,
    STOOD_STILL,
    Appender,
    Changes,
    Dropped,
    Durability,
    Forgettable,
    ObservationColumns,
    ObservationTexts,
    ObservedKey,
    ObservedSince,
    Placing,
    RecordStore,
    Snapshot,
    StudentRow,
    check_document,
    check_observations,
    check_successions,
    counted,
)
from database.tables import (
    ACCESSES,
    BATCH_ROWS,
    BATCHES,
    CHUNKS,
    DECISIONS,
    DOCUMENTS,
    HEAD,
    IS_AMONG,
    JOBS,
    LEASES,
    MODELS,
    OLDEST,
    OLDEST_VERSION,
    OUTCOMES,
    PREDICTION_BLOCKS,
    PREDICTIONS,
    SUCCESSIONS,
    TABLES,
    TOUCHED_DAYS,
    UPLOAD_COUNTER,
    UPLOADS,
    WORKERS,
    start_of,
)
from errors import MissingExtra

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

BUSY_MS = 10_000
"""How long a SQLite writer waits for another one before it gives up."""

CONNECT_SECONDS = 5
"""How long PostgreSQL may take to accept a connection, unless the URL says otherwise."""

MIGRATION_LOCK = 0x67726164655F  # "grade_": any number that no one else locks on in the same database
OUTCOMES_LOCK = MIGRATION_LOCK + 1

BULK_ROWS, BULK_CACHE_KB, CACHE_KB = 5_000, 65_536, 2_000
"""Rows of one call from which a writer of SQLite gets a page cache of so much: keys come in no order, and what leaves
the 2 MB that SQLite has by itself is read and written again for almost each of them. Its
write-ahead log is written back as rarely as that of predictions: the same pages change with every commit."""

LARGEST_CACHE_KB = 150_000
"""Of a process that does nothing else, and whose memory goes with it."""

PAGE_BYTES = 4_096
"""Of a page of SQLite."""

TURN_SECONDS, PAUSE_SECONDS, ROWS_OF_TURN = 0.1, 0.03, 1_000
"""For which a writer of many rows holds the write lock of SQLite, about, and then leaves it to others; and rows between
two looks at the time. Who waits for the lock looks every 25 ms during its first tenth of a second, then less often."""

SNAPSHOT_SECONDS = 0.5
"""For which a reader of SQLite may hold one."""

NO_DAYS: Mapping[str, Iterable[int]] = {}

TRIES_TO_DROP = 3
"""A part of the log, which needs a moment in which nobody reads it."""

BLOCKS_AT_ONCE = 50
"""Blocks of predictions that are read together: two megabytes."""

Row = tuple[Flat, ...]


def open_sql(url: str, *, pool_size: int = 10, durability: Durability = "normal") -> RecordStore:
    """The store at a sqlite:, postgres: or postgresql: URL, migrated to the newest tables.

    SQLite URLs take ?busy_timeout=MS.
    Raises StoreUnavailable when it cannot be reached, ValueError for a URL that cannot be used or a database made by
    a newer version, MissingExtra without a PostgreSQL driver.
    """
    make = _sqlite_engine if url.startswith("sqlite") else _postgres_engine
    engine = make(url, pool_size, durability)
    try:
        with _driver_errors():
            _bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, DatabaseFile(Path(str(engine.url.database))) if engine.dialect.name == "sqlite" else None)


def part_log_at(url: str) -> bool:
    """As `database.open.part_log`."""
    engine = _postgres_engine(url, 2, "normal")
    try:
        with _driver_errors():
            _bring_up_to_date(engine)
            return partitions.part_online(engine)
    finally:
        engine.dispose()


def is_log_whole_at(url: str) -> bool:
    """As `database.open.is_log_whole`."""
    engine = _postgres_engine(url, 1, "normal")
    try:
        with _driver_errors(), engine.connect() as connection:
            return not partitions.is_parted(connection)
    finally:
        engine.dispose()


def _sqlite_engine(url: str, pool_size: int, durability: Durability) -> sa.Engine:
    parsed = sa.make_url(url)
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError(f"{url!r} names no file: use sqlite:///FILE")
    wait = int(str(parsed.query.get("busy_timeout", BUSY_MS))) / 1000
    try:
        file = Path(parsed.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # its log and its index get the same
    except OSError as error:
        raise StoreUnavailable(f"cannot make {parsed.database}: {error}") from error
    engine = sa.create_engine(
        parsed.difference_update_query(["busy_timeout"]),
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": wait},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 must not begin transactions by itself: `begin` below does
        _use_wal(connection, wait)
        connection.execute(f"PRAGMA synchronous={durability}")
        connection.execute("PRAGMA secure_delete=ON")  # what is erased must not lie on in unused bytes of the file

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))

    return engine


def _use_wal(connection: Any, wait: float) -> None:
    """Turn the file to write-ahead logging. The first switch needs the file alone and ignores the busy timeout."""
    deadline = time.monotonic() + wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _postgres_engine(url: str, pool_size: int, durability: Durability) -> sa.Engine:
    try:
        import psycopg  # noqa: F401  # the driver that SQLAlchemy will load
    except ImportError as error:
        raise MissingExtra("PostgreSQL", "postgres") from error
    parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
    patience = {} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_SECONDS}
    engine = sa.create_engine(
        parsed, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, hide_parameters=True, connect_args=patience
    )
    if durability == "full":

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            connection.execute("SET synchronous_commit = on")
            connection.commit()

    return engine


def _bring_up_to_date(engine: sa.Engine) -> None:
    """Migrate under a lock that keeps out every other process; cheap, and without Alembic, when it is up to date. A
    database that a newer version has brought further is left as it is, where that one says that this one may go on."""
    with engine.connect() as connection:
        if _suffices(connection):
            return
    with _begin_write(engine) as connection:
        _lock(connection, MIGRATION_LOCK)
        if not _suffices(connection):
            _migrate(connection)
            connection.execute(OLDEST_VERSION.delete())
            connection.execute(OLDEST_VERSION.insert().values(revision=OLDEST))


def _suffices(connection: sa.Connection) -> bool:
    revision = _revision(connection)
    if revision is None or revision <= HEAD:
        return revision == HEAD
    oldest = connection.execute(sa.select(OLDEST_VERSION.c.revision)).scalar()
    return oldest is not None and oldest <= HEAD


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: sa.Connection) -> None:
    """Run Alembic within the transaction of `connection`."""
    from alembic.command import upgrade
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        upgrade(config, HEAD)
    except CommandError as error:
        raise ValueError(
            f"the database is at revision {_revision(connection)!r}, and this version knows up to {HEAD!r} only: "
            "a newer one made it"
        ) from error


def _begin_write(engine: sa.Engine) -> Any:
    """A transaction that no other writer can overtake: SQLite takes its one write lock at once, not at first need."""
    return engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin()


def _lock(connection: sa.Connection, number: int) -> None:
    """Wait for an exclusive lock until the transaction ends; SQLite has it already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Every failure of the database as StoreUnavailable. Messages name no parameters: those hold student data."""
    try:
        yield
    except DataError as error:
        raise Unkeepable("the database cannot hold a value, such as a text with the character U+0000") from error
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise StoreUnavailable(f"{type(error.orig).__name__}: {error.orig}".strip()) from error
    except PoolTimeoutError as error:
        raise StoreUnavailable(f"all connections are busy: {error}") from error


@cache
def _insert(kind: str, dialect: str, replace: bool) -> sa.Insert:
    """INSERT of rows whose key may be there: left as they are, or replaced."""
    table = TABLES[kind]
    insert = _upsert(table, dialect)
    if dialect == "postgresql":
        columns = [sa.column(c.name, _plain(c)) for c in table.columns]
        document = sa.cast(sa.bindparam("rows", type_=sa.Text), sa.JSON)
        rows = sa.func.json_to_recordset(document).table_valued(*columns).render_derived(with_types=True)
        given = [_received(column) for column in rows.columns]
        insert = insert.from_select([c.name for c in table.columns], sa.select(*given))
    elif kind in RECEIPTS:
        insert = insert.values({c.name: _received(sa.bindparam(c.name), c.name) for c in table.columns})
    if not replace:
        return insert.on_conflict_do_nothing()
    kept = {"attempt"}  # under which the rows of a batch are found
    rest = {c.name: insert.excluded[c.name] for c in table.columns if not c.primary_key and c.name not in kept}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)


def _received(given: Any, name: str = "") -> Any:
    """What goes into a column: receipts that are not given are that of the newest upload."""
    if (name or given.name) not in ("receipt", "changed"):
        return given
    newest = sa.select(UPLOADS.c.number).where(UPLOADS.c.name == sa.literal_column(f"'{UPLOAD_COUNTER}'"))
    return sa.func.coalesce(given, newest.scalar_subquery(), sa.literal_column("0"))


def _next_receipt(connection: sa.Connection) -> int:
    """The number of this upload; on PostgreSQL others wait for it from here to the end of the transaction."""
    counter = _upsert(UPLOADS, connection.dialect.name).values(name=UPLOAD_COUNTER, number=1)
    more = {"number": UPLOADS.c.number + 1}
    counter = counter.on_conflict_do_update(index_elements=[UPLOADS.c.name], set_=more)
    return int(connection.execute(counter.returning(UPLOADS.c.number)).scalar_one())


def _count_to(connection: sa.Connection, number: int) -> None:
    """Number the next upload higher than `number`."""
    counter = _upsert(UPLOADS, connection.dialect.name).values(name=UPLOAD_COUNTER, number=number)
    connection.execute(
        counter.on_conflict_do_update(
            index_elements=[UPLOADS.c.name], set_={"number": number}, where=UPLOADS.c.number < number
        )
    )


def _day_of(connection: sa.Connection) -> sa.ColumnElement[int]:
    """The day of a prediction, counted from 1970 on."""
    exact: sa.ColumnElement[Any] = PREDICTIONS.c.at / sa.literal_column(str(DAY_MICROS))
    return sa.cast(sa.func.floor(exact) if connection.dialect.name == "postgresql" else exact, sa.BigInteger)


def _count_days(domain: str, since: int) -> sa.Select[int, int]:
    """How many predictions of a domain each day has that has any, from `since` on, in microseconds. Day by day the
    index is asked where the next begins and how many it has: a quarter of what grouping all of them takes."""

    def first_from(start: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        there = sa.select(sa.func.min(PREDICTIONS.c.at)).where(
            PREDICTIONS.c.domain == domain, PREDICTIONS.c.at >= start
        )
        return there.scalar_subquery() // DAY_MICROS

    days = sa.select(first_from(sa.literal(since, sa.BigInteger)).label("day")).cte("days", recursive=True)
    days = days.union_all(sa.select(first_from((days.c.day + 1) * DAY_MICROS)).where(days.c.day.is_not(None)))
    start = days.c.day * DAY_MICROS
    begun = sa.case((start < since, since), else_=start)
    of_day = (
        sa.select(sa.func.count())
        .where(PREDICTIONS.c.domain == domain, PREDICTIONS.c.at >= begun, PREDICTIONS.c.at < start + DAY_MICROS)
        .scalar_subquery()
    )
    return sa.select(days.c.day, of_day).where(days.c.day.is_not(None))


def _days_about(connection: sa.Connection, domain: str, subjects: pairs.Subjects) -> set[int]:
    """The days of the predictions to which outcomes about `subjects` may belong."""
    statement = sa.select(_day_of(connection)).where(PREDICTIONS.c.domain == domain).distinct()
    found: set[int] = set()
    for column, wanted in ((PREDICTIONS.c.id, subjects.predictions), (PREDICTIONS.c.student, subjects.students)):
        for part in parts(wanted):
            found.update(connection.execute(statement.where(IS_AMONG[column]), keyed(part)).scalars())
    return found


def _touch(connection: sa.Connection, domain: str, days: Iterable[int], number: int) -> None:
    """Say that the pairs of these days change with the upload of this number, and forget what was made of them."""
    for part in parts(sorted(days)):
        insert = _upsert(TOUCHED_DAYS, connection.dialect.name)
        insert = insert.values([{"domain": domain, "day": day, "receipt": number} for day in part])
        changed = {"receipt": insert.excluded.receipt}
        connection.execute(insert.on_conflict_do_update(index_elements=["domain", "day"], set_=changed))
        made = (DOCUMENTS.c.kind.startswith(MADE_OF_PAIRS), DOCUMENTS.c.domain == domain)
        connection.execute(DOCUMENTS.delete().where(*made, DOCUMENTS.c.at.in_([day * DAY_MICROS for day in part])))


def _days_touched(connection: sa.Connection, outcomes: Iterable[Outcome]) -> dict[str, set[int]]:
    """The days whose pairs change with these outcomes, by domain."""
    subjects = pairs.subjects_of(outcomes)
    return {domain: _days_about(connection, domain, about) for domain, about in subjects.items()}


def _upsert(table: sa.Table, dialect: str) -> "postgresql.Insert | sqlite.Insert":
    """INSERT of a dialect that can say what to do with rows that are there."""
    if dialect != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # 40 ms of the start of those who have no PostgreSQL

    return postgresql.insert(table)


def _plain(column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    return sa.Text() if isinstance(column.type, sa.Text) else column.type


@cache
def _sqlite_text(kind: str, replace: bool) -> str:
    return str(_insert(kind, "sqlite", replace).compile(dialect=sqlite.dialect()))


def _write(connection: sa.Connection, kind: str, rows: Sequence[Row], *, replace: bool = False) -> int:
    """Insert rows, each in the order of the table's columns. Returns how many were written.

    SQLite gets the driver's own loop. PostgreSQL gets many rows as one JSON text, which costs the client far less than
    arrays of the driver do (10 against 160 microseconds of CPU a row).
    """
    if not rows:
        return 0
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql(_sqlite_text(kind, replace), list(rows)).rowcount
    names = [column.name for column in TABLES[kind].columns]
    statement = _insert(kind, "postgresql", replace)
    written, counted = 0, {"preserve_rowcount": True}
    for part in parts(rows, ROWS_AT_ONCE):
        document = msgspec.json.encode([dict(zip(names, row, strict=True)) for row in part]).decode()
        written += connection.execute(statement, {"rows": document}, execution_options=counted).rowcount
    return written


def _require_sign(connection: sa.Connection, attempt: str) -> None:
    if not sql_batches.goes_on(connection, attempt):
        raise StoreUnavailable(STOOD_STILL)


def _cache_pages(connection: sa.Connection, rows: int, size: int = BULK_CACHE_KB) -> None:
    """Prepare a connection for so many rows; it keeps what it has got until somebody reads with it (`_read_with`)."""
    if rows >= BULK_ROWS and connection.dialect.name == "sqlite":
        connection.info[BULK_CACHE_KB] = True
        connection.exec_driver_sql(f"PRAGMA cache_size=-{size}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={WAL_BYTES // PAGE_BYTES}")


def _read_with(connection: sa.Connection) -> sa.Connection:
    """A connection for reading, which would fill whatever cache it was prepared with: a service reads for ever."""
    if connection.info.pop(BULK_CACHE_KB, False):
        connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KB}")
    return connection


def _row(
    kind: str, record: Any, attempt: str = "", numbers: Sequence[int | None] = (), said: Sequence[Statement] = ()
) -> Row:
    """The row of a record: its flat values, around them what the table has and the record has not. attempt: of a batch
    or a row of one. numbers: its receipts, where they are known."""
    values = LAYOUTS[kind].pack(record)
    receipts = numbers or [None] * len(RECEIPTS.get(kind, ()))
    if kind == "outcomes":
        return (record.id, *values, *receipts, write_statements(said))
    if kind == "predictions":
        return (*values, None, None, *receipts)  # in no block
    if kind == "batches":
        return (*values, *receipts, attempt)
    return (attempt, *values) if kind == "batch_rows" else (*values, *receipts)


@cache
def _columns(kind: str) -> tuple[sa.Column[Any], ...]:
    """The columns of a record, in its layout's order; of a prediction then its block, and its place in there."""
    names = (*LAYOUTS[kind].names, *(("block", "place") if kind == "predictions" else ()))
    return tuple(TABLES[kind].c[name] for name in names)


def _read(connection: sa.Connection, kind: str, statement: sa.Select[Any]) -> list[Any]:
    return _unpack(connection, kind, connection.execute(statement))


def _unpack(connection: sa.Connection, kind: str, rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The records of rows of `_columns`."""
    if kind != "predictions":
        return LAYOUTS[kind].unpack_many(list(rows))
    unpack = LAYOUTS[kind].unpack
    found: list[Any] = []
    held: dict[str, list[int]] = {}
    for place, (*values, block, within) in enumerate(rows):
        found.append(unpack(values) if block is None else (*values, within))
        if block is not None:
            held.setdefault(block, []).append(place)
    for ids in parts(held, BLOCKS_AT_ONCE):
        kept = connection.execute(sa.select(PREDICTION_BLOCKS).where(PREDICTION_BLOCKS.c.id.in_(ids)))
        bodies = {row.id: row.body for row in kept}
        for block in ids:
            places = held[block]
            opened = unpack_block(block, bodies.get(block), [found[place] for place in places])
            for place, prediction in zip(places, opened, strict=True):
                found[place] = prediction
    return found


def _read_received(connection: sa.Connection, kind: str, statement: sa.Select[Any]) -> list[pairs.Received[Any]]:
    """The records of a statement that selects `_columns`, with their receipts."""
    numbers = [TABLES[kind].c[name] for name in RECEIPTS[kind]]
    rows = connection.execute(statement.add_columns(*numbers)).all()
    records = _unpack(connection, kind, [row[: -len(numbers)] for row in rows])
    return [pairs.Received(record, row[-len(numbers)], row[-1]) for record, row in zip(records, rows, strict=True)]


def _read_told(connection: sa.Connection, outcomes: Iterable[Outcome]) -> dict[str, pairs.Received[Outcome]]:
    """Those that are kept about the same, by id, with all that was said of them."""
    kept: dict[str, pairs.Received[Outcome]] = {}
    for ids in parts({outcome.id for outcome in outcomes}):
        known = sa.select(*_columns("outcomes")).where(OUTCOMES.c.id.in_(ids))
        texts = sa.select(OUTCOMES.c.id, OUTCOMES.c.said).where(OUTCOMES.c.id.in_(ids), OUTCOMES.c.said.is_not(None))
        said = {one: read_statements(text) for one, text in connection.execute(texts)}
        for one in _read_received(connection, "outcomes", known):
            kept[one.record.id] = one._replace(said=said.get(one.record.id, ()))
    return kept


def _write_told(connection: sa.Connection, told: Iterable[pairs.Received[Outcome]]) -> None:
    rows = [_row("outcomes", one.record, numbers=(one.receipt, one.newest), said=one.said) for one in told]
    _write(connection, "outcomes", rows, replace=True)


def _tell(connection: sa.Connection, event: Event, count: int, touched: Mapping[str, Iterable[int]] = NO_DAYS) -> Event:
    """Keep the event that says what was taken back. touched: days whose pairs this changed, by domain."""
    number = _next_receipt(connection)
    told = counted(event, count, number)
    _write(connection, "events", [_row("events", told)])
    for domain, days in touched.items():
        _touch(connection, domain, days, number)
    return told


def _newest(kind: str) -> sa.Select[Any]:
    """What came in last comes first: by receipt where a kind has one, else by time."""
    table = TABLES[kind]
    order = table.c.receipt if kind == "batches" else table.c.changed if kind == "outcomes" else table.c.at
    return sa.select(*_columns(kind)).order_by(order.desc(), *(column.desc() for column in table.primary_key))


def _take_out(connection: sa.Connection, domain: str, ids: Sequence[str]) -> int:
    """Remove predictions of a domain, and what their blocks hold of them; how many."""
    here = (PREDICTIONS.c.domain == domain, PREDICTIONS.c.id.in_(ids))
    known = sa.select(PREDICTIONS.c.block, PREDICTIONS.c.place).where(*here, PREDICTIONS.c.block.is_not(None))
    held: dict[str, list[int]] = {}
    for block, place in connection.execute(known):
        held.setdefault(block, []).append(place)
    for block, places in held.items():
        mine = PREDICTION_BLOCKS.c.id == block
        body = connection.execute(sa.select(PREDICTION_BLOCKS.c.body).where(mine)).scalar()
        left = cut_block(block, body, places)
        change = PREDICTION_BLOCKS.delete() if left is None else PREDICTION_BLOCKS.update().values(body=left)
        connection.execute(change.where(mine))
    if connection.dialect.name == "sqlite":
        sql_newest.step_back(connection, ids)
    return connection.execute(PREDICTIONS.delete().where(*here)).rowcount


PlaceOf = tuple[tuple[sa.Column[Any], ...], Callable[[Any], tuple[Flat, ...]]]
"""By which columns rows are in order, and a record's values of them."""

_place_of: PlaceOf = ((PREDICTIONS.c.at, PREDICTIONS.c.id), lambda one: (micros(one.at), one.id))
_number_of: PlaceOf = ((BATCH_ROWS.c.number,), lambda one: (one.number,))


class SqlStore:
    """A `RecordStore` over one engine. Made by `open_sql`; safe between threads. fence: what every write is under."""

    def __init__(
        self,
        engine: sa.Engine,
        file: DatabaseFile | None = None,
        fence: Fence | None = None,
        months: partitions.MonthsAhead | None = None,
    ) -> None:
        self._engine = engine
        self._file = file
        self._fence = fence
        self._months = months or (partitions.MonthsAhead(engine) if file is None else None)

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        self._check_file()  # else a new connection would make a new file there
        with _driver_errors(), self._engine.connect() as connection:
            yield _read_with(connection)

    @contextmanager
    def _snapshot(self) -> Iterator[sa.Connection]:
        """Several reads that see one state of the database."""
        with _driver_errors(), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")  # in place; SQLite always reads so
            yield _read_with(connection)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        self._check_file()
        with _driver_errors(), _begin_write(self._engine) as connection:
            if self._fence is not None:
                sql_jobs.hold(connection, self._fence)
            yield connection
        self._check_file()

    def _check_file(self) -> None:
        if self._file:
            self._file.check()

    def _keep(self, kind: str, records: Iterable[Any]) -> None:
        rows = [_row(kind, record) for record in records]
        with self._writing() as connection:
            _write(connection, kind, rows)

    def _list(self, kind: str, statement: sa.Select[Any]) -> list[Any]:
        with self._reading() as connection:
            return _read(connection, kind, statement)

    def _paged(
        self,
        kind: str,
        statement: sa.Select[Any],
        place: PlaceOf,
        limit: int | None = None,
        *,
        newest: bool = False,
    ) -> list[Any]:
        """As `_list`, some thousands at a time, each in a snapshot of its own. place: where the next ones begin."""
        found: list[Any] = []
        columns, of = place
        order = sa.tuple_(*columns)
        while limit is None or len(found) < limit:
            size = ROWS_AT_ONCE if limit is None else min(ROWS_AT_ONCE, limit - len(found))
            page = statement.limit(size)
            if found:
                last = sa.tuple_(*map(sa.literal, of(found[-1])))
                page = page.where(order < last if newest else order > last)
            found += (part := self._list(kind, page))
            if len(part) < size:
                break
        return found

    def _by_id(self, kind: str, id: str) -> Any:
        found = self._list(kind, sa.select(*_columns(kind)).where(TABLES[kind].c.id == id))
        return found[0] if found else None

    # Predictions

    def add_predictions(
        self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()
    ) -> None:
        check_finite(predictions)
        rows = [_row("predictions", record) for record in predictions]
        if self._months is not None:
            self._months.prepare(chain((one.id for one in predictions), (one.ids[-1] for one in batches if len(one))))
        with self._writing() as connection:
            _cache_pages(connection, len(rows) + sum(map(len, batches)))
            _write(connection, "predictions", rows)
            insert = _upsert(PREDICTION_BLOCKS, connection.dialect.name).on_conflict_do_nothing()
            for block in chain.from_iterable(map(pack_blocks, batches)):
                connection.execute(insert.values(id=block.id, body=block.body))
                columns = (block.columns.get(c.name, repeat(block.alike.get(c.name))) for c in PREDICTIONS.columns)
                _write(connection, "predictions", list(zip(*columns, strict=False)))
            if self._file is None:
                newest = chain(rows_of(predictions), chain.from_iterable(map(rows_of_packed, batches)))
                sql_newest.keep(connection, newest, ROWS_AT_ONCE)

    def prediction(self, id: str) -> Prediction | None:
        found: Prediction | None = self._by_id("predictions", id)
        return found

    def predictions_of(self, ids: Sequence[str]) -> list[Prediction]:
        wanted = sa.select(*_columns("predictions"))
        found: dict[str, Prediction] = {}
        with self._reading() as connection:
            for part in parts(ids):
                known = _read(connection, "predictions", wanted.where(PREDICTIONS.c.id.in_(part)))
                found |= {prediction.id: prediction for prediction in known}
        return [found[one] for one in ids if one in found]

    def predictions(
        self,
        domain: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        student: str | None = None,
        groups: Sequence[str] | None = None,
        endings: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[Prediction]:
        # Of a student there are few: the index by time, which SQLite would choose, leads through all of a domain.
        at = PREDICTIONS.c.at if student is None else PREDICTIONS.c.at + 0
        statement = sa.select(*_columns("predictions")).order_by(at.desc(), PREDICTIONS.c.id.desc())
        statement = statement.where(*_given(PREDICTIONS, domain=domain), *_between(at, since, until))
        if student is not None:
            statement = statement.where(IS_AMONG[PREDICTIONS.c.student]).params(keyed([student]))
        statement = statement.where(*_ending(endings))
        if groups is None or student is not None:
            group = PREDICTIONS.c.group.concat("")  # as the time above: of a student there are few
            wanted = [statement if groups is None else statement.where(group.in_(groups))]
        else:  # one after the other, each in the order of its index
            wanted = [statement.where(PREDICTIONS.c.group == one) for one in sorted(set(groups))]
        found = [self._paged("predictions", one, _place_of, limit, newest=True) for one in wanted]
        if len(found) == 1:
            return found[0]
        return list(islice(merge(*found, key=lambda one: (one.at, one.id), reverse=True), limit))

    def predictions_per_day(
        self, domain: str, since: datetime, *, groups: Sequence[str] | None = None
    ) -> dict[date, int]:
        with self._reading() as connection:
            if groups is None:
                statement = _count_days(domain, micros(since))
            else:
                day, of_groups = _day_of(connection), _of_groups(groups)
                statement = sa.select(day, sa.func.count()).where(PREDICTIONS.c.domain == domain, *of_groups)
                statement = statement.where(*_between(PREDICTIONS.c.at, since, None)).group_by(day)
            return {calendar_day(row[0]): row[1] for row in connection.execute(statement)}

    def count_predictions(
        self,
        domain: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        groups: Sequence[str] | None = None,
    ) -> int:
        wanted = [*_given(PREDICTIONS, domain=domain), *_between(PREDICTIONS.c.at, since, until), *_of_groups(groups)]
        statement = sa.select(sa.func.count()).select_from(PREDICTIONS).where(*wanted)
        with self._reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def placings(self, domain: str, *, ids: Sequence[str] = (), students: Sequence[str] = ()) -> set[Placing]:
        statement = sa.select(*(PREDICTIONS.c[name] for name in Placing._fields)).where(PREDICTIONS.c.domain == domain)
        found: set[Placing] = set()
        with self._reading() as connection:
            for column, wanted in ((PREDICTIONS.c.id, ids), (PREDICTIONS.c.student, students)):
                for part in parts(wanted):
                    rows = connection.execute(statement.where(IS_AMONG[column]), keyed(part))
                    found.update(Placing(*row) for row in rows)
        return found

    def newest_answers(
        self,
        domain: str,
        target: str,
        which: Which = OF_ALL,
        *,
        least: float = 0.0,
        before: NewestAnswer | None = None,
        limit: int = 100,
    ) -> list[NewestAnswer]:
        self._look_on()
        statement = sql_newest.page(sql_newest.asked(domain, target, which), before, least, limit)
        with self._reading() as connection:
            return [sql_newest.answer_of(row) for row in connection.execute(statement)]

    def silent_answers(
        self,
        domain: str,
        target: str,
        which: Which = OF_ALL,
        *,
        why: Reason | None = None,
        after: SilentAnswer | None = None,
        limit: int = 100,
    ) -> list[SilentAnswer]:
        self._look_on()
        statement = sql_newest.silent(sql_newest.asked(domain, target, which), why, after, limit)
        with self._reading() as connection:
            return [sql_newest.silent_answer_of(row) for row in connection.execute(statement)]

    def count_newest(
        self, domain: str, target: str, which: Which = OF_ALL, *, least: float = 0.0, but: Iterable[str] = ()
    ) -> NewestCounts:
        self._look_on()
        with self._reading() as connection:
            return sql_newest.counts(connection, sql_newest.asked(domain, target, which), least, but)

    def answered_groups(self, domain: str, *, after: str = "", limit: int = 100) -> list[str]:
        found: list[str] = []
        column = PREDICTIONS.c.group
        wanted = sa.select(column).where(PREDICTIONS.c.domain == domain).order_by(column).limit(1)
        with self._reading() as connection:
            while len(found) < limit:  # each is found where the one before ends in the index
                last = found[-1] if found else after
                following = connection.execute(wanted.where(column > last)).scalar()
                if following is None:
                    break
                found.append(following)
        return found

    def asked_about(self, domain: str, students: Sequence[str]) -> list[AskedAbout]:
        columns = [PREDICTIONS.c[name] for name in ("student", "group", "period", "at", "id")]
        wanted = sa.select(*columns).where(PREDICTIONS.c.domain == domain, IS_AMONG[PREDICTIONS.c.student])
        with self._reading() as connection:
            return [
                AskedAbout(row.student, row.group, row.period, instant(row.at), row.id)
                for part in parts(students)
                for row in connection.execute(wanted, keyed(part))
            ]

    def newest_behind(self) -> int:
        if self._file is None:
            return 0
        with self._reading() as connection:
            return sql_newest.behind(connection)

    def catch_up_newest(self, heard: Callable[[int], object] = lambda _: None) -> int:
        if self._file is None:
            return 0
        return sql_newest.catch_up(self._reading_much, self._writing_much, ROWS_AT_ONCE, heard)

    def _look_on(self) -> None:
        """At the few predictions that came since somebody asked."""
        if 0 < self.newest_behind() <= MOST_IN_PASSING:
            sql_newest.catch_up(self._reading, self._writing, ROWS_AT_ONCE)

    @contextmanager
    def _reading_much(self) -> Iterator[sa.Connection]:
        """Between what `_writing_much` writes, whose pages stay."""
        self._check_file()
        with _driver_errors(), self._engine.connect() as connection:
            _cache_pages(connection, BULK_ROWS, LARGEST_CACHE_KB)
            yield connection

    @contextmanager
    def _writing_much(self) -> Iterator[sa.Connection]:
        """For a process of its own: it holds what it changes, so that no page is read anew for each part."""
        with self._taking_turns() as (connection, _is_over):
            _cache_pages(connection, BULK_ROWS, LARGEST_CACHE_KB)
            yield connection

    def add_outcomes(self, outcomes: Sequence[Outcome]) -> tuple[int, int]:
        pairs.check_outcomes(outcomes)
        with self._writing() as connection:
            _lock(connection, OUTCOMES_LOCK)  # two corrections of one outcome are counted, and kept, in turn
            kept, receipt = _read_told(connection, outcomes), _next_receipt(connection)
            changed, new, corrected = pairs.fold_outcomes(kept, outcomes, receipt)
            _write_told(connection, changed)
            for domain, days in _days_touched(connection, [one.record for one in changed]).items():
                _touch(connection, domain, days, receipt)
        return new, corrected

    def remove_predictions(self, domain: str, ids: Sequence[str], event: Event) -> Event | None:
        removed = 0
        with self._writing() as connection:
            _lock(connection, OUTCOMES_LOCK)  # two withdrawals, which remove in the order of their ids, go in turn
            concerned: set[str] = set()
            for part in parts(ids):
                of_part = sa.select(PREDICTIONS.c.student).where(PREDICTIONS.c.student.is_not(None))
                of_part = of_part.where(PREDICTIONS.c.domain == domain, PREDICTIONS.c.id.in_(part))
                concerned.update(connection.execute(of_part).scalars())
            touched = {domain: _days_about(connection, domain, pairs.Subjects(list(ids), sorted(concerned)))}
            for part in parts(ids):
                removed += _take_out(connection, domain, part)
            sql_newest.forget(connection, domain, sorted(concerned), ROWS_AT_ONCE)
            return _tell(connection, event, removed, touched) if removed else None

    def drop_predictions(
        self, domains: Collection[str], before: datetime, event: Callable[[str, str], Event]
    ) -> list[Dropped]:
        if self._file is not None:
            return []
        with self._reading() as connection:
            known = partitions.parts_of(connection)
        dropped: list[Dropped] = []
        for part in known:
            if part.end > f"{micros(before) // 1000:012x}":
                break
            for patience in reversed(range(TRIES_TO_DROP)):
                try:
                    dropped += self._drop(part, domains, before, event)
                    break
                except StoreUnavailable:  # somebody reads for a long time; what stays is removed as on other stores
                    if not patience:
                        return dropped
                    time.sleep(PAUSE_SECONDS)
        return dropped

    def _drop(
        self, part: partitions.LogPart, domains: Collection[str], before: datetime, event: Callable[[str, str], Event]
    ) -> list[Dropped]:
        """A part of the log, where all of it is over, with what was made of it; what it held of each domain."""
        with self._writing() as connection:
            _lock(connection, OUTCOMES_LOCK)
            partitions.hold(connection, part)
            if not partitions.is_over(connection, part, domains, micros(before)):
                return []
            days: dict[str, dict[int, int]] = {}
            for domain, day, count in partitions.days_in(connection, part):
                days.setdefault(domain, {})[day] = count
            for domain, counts in days.items():
                _tell(connection, event(domain, part.name), sum(counts.values()), {domain: counts})
            sql_newest.forget_until(connection, part.first, part.end)
            partitions.drop(connection, part)
        return [
            Dropped(domain, sum(counts.values()), tuple(map(calendar_day, counts))) for domain, counts in days.items()
        ]

    def remove_outcomes(self, domain: str, outcomes: Sequence[Outcome], event: Event) -> Event | None:
        here = [outcome for outcome in outcomes if outcome.domain == domain]
        with self._writing() as connection:
            _lock(connection, OUTCOMES_LOCK)
            changed, gone = pairs.withdraw_outcomes(_read_told(connection, here), here)
            for ids in parts(gone):
                connection.execute(OUTCOMES.delete().where(OUTCOMES.c.id.in_(ids)))
            _write_told(connection, changed)
            count = len(changed) + len(gone)
            return _tell(connection, event, count, _days_touched(connection, here)) if count else None

    def pairs(
        self,
        domain: str,
        target: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        groups: Sequence[str] | None = None,
        endings: Collection[str] | None = None,
        limit: int | None = None,
    ) -> list[pairs.Pair]:
        among = pairs.Among(since, until, endings, groups)
        with self._snapshot() as connection:
            return pairs.matched(_SqlSource(connection), domain, target, among, limit)

    def pair_pages(self, domain: str, target: str, *, since: datetime, until: datetime) -> Iterator[list[Pair]]:
        with self._snapshot() as connection:
            yield from pairs.matched_pages(_SqlSource(connection), domain, target, pairs.Among(since, until))

    def changes(self, domain: str) -> Changes:
        uploads = sa.select(UPLOADS.c.number).where(UPLOADS.c.name == UPLOAD_COUNTER)
        touched = sa.select(TOUCHED_DAYS.c.day, TOUCHED_DAYS.c.receipt).where(TOUCHED_DAYS.c.domain == domain)
        with self._reading() as connection:
            newest = connection.execute(uploads).scalar() or 0  # first: what is touched later has a higher number
            days = {row.day: row.receipt for row in connection.execute(touched)}
        always = days.pop(EVERY_DAY, 0)
        return Changes(newest, {calendar_day(day): receipt for day, receipt in days.items()}, always)

    # Batches

    def add_batch(self, batch: Batch, rows: Iterable[BatchRow] = (), packed: Iterable[PackedRows] = ()) -> bool:
        self.sweep_uploads()
        if self._by_id("batches", batch.id) is not None:
            return False
        attempt = new_id()
        with self._writing() as connection:
            sql_batches.begin(connection, attempt)
        try:
            for part in chain(pack_rows(rows), packed):
                self._keep_rows(attempt, part)
            added = self._publish(batch, attempt)
        except BaseException:
            with suppress(StoreUnavailable, LostJob):  # then they are swept
                self._give_up(attempt)
            raise
        if not added:
            self._give_up(attempt)
        return added

    def _keep_rows(self, attempt: str, part: PackedRows) -> None:
        """Rows of an upload, in as many transactions as it takes to hold nobody up."""
        rows = list(zip(repeat(attempt), *part, strict=False))
        while rows:
            with self._taking_turns() as (connection, is_over):
                _require_sign(connection, attempt)
                _cache_pages(connection, len(rows))
                done = 0
                while done < len(rows) and not is_over():
                    _write(connection, "batch_rows", rows[done : done + ROWS_OF_TURN])
                    done += ROWS_OF_TURN
            del rows[:done]

    def _publish(self, batch: Batch, attempt: str) -> bool:
        with self._writing() as connection:
            _require_sign(connection, attempt)
            if not _write(connection, "batches", [_row("batches", batch, attempt, [0])]):
                return False
            sql_batches.end(connection, attempt)
            receipt = _next_receipt(connection)  # last, for whom it keeps waiting
            connection.execute(BATCHES.update().where(BATCHES.c.id == batch.id).values(receipt=receipt))
        return True

    def _give_up(self, attempt: str) -> None:
        """Unless it has ended, which whoever lost the connection just then does not know."""
        with self._writing() as connection:
            given_up = sql_batches.give_up(connection, attempt)
        if given_up:
            self._remove_rows(attempt)

    def _remove_rows(self, attempt: str) -> None:
        """Of an attempt that was given up."""
        left = True
        while left:
            with self._taking_turns() as (connection, is_over):
                while left and not is_over():
                    left = sql_batches.remove_some(connection, attempt)

    @contextmanager
    def _taking_turns(self) -> Iterator[tuple[sa.Connection, Callable[[], bool]]]:
        """A transaction of many that follow each other, and whether it is time to end it. Where there is one write lock
        for all, it is then left to others for a while."""
        with self._writing() as connection:
            ends = time.monotonic() + TURN_SECONDS
            yield connection, lambda: time.monotonic() > ends
        if self._file is not None and time.monotonic() > ends - TURN_SECONDS / 2:  # after less it was hardly held
            time.sleep(PAUSE_SECONDS)

    def sweep_uploads(self) -> None:
        with self._reading() as connection:
            attempts = sql_batches.without_sign(connection)
        for attempt in attempts:
            with self._writing() as connection:
                alone = sql_batches.is_without_sign(connection, attempt)
            if alone:
                self._remove_rows(attempt)

    def remove_batch(self, id: str, event: Event) -> Event | None:
        with self._writing() as connection:
            found = sql_batches.withdraw(connection, id)
            if found is None:
                return None
            told = _tell(connection, event, found.rows)
        with suppress(StoreUnavailable, LostJob):  # then they are swept
            self._remove_rows(found.attempt)
        return told

    def batches(self, domain: str | None = None, kind: BatchKind | None = None) -> list[Batch]:
        return self._list("batches", _newest("batches").where(*_given(BATCHES, domain=domain, kind=kind)))

    def batch_rows(self, batch: str, numbers: Collection[int] | None = None) -> list[BatchRow]:
        columns = _columns("batch_rows")
        mine = BATCH_ROWS.c.attempt == sql_batches.attempt_of(batch)
        statement = sa.select(*columns).where(mine).order_by(BATCH_ROWS.c.number)
        if numbers is None:
            return self._paged("batch_rows", statement, _number_of)
        with self._reading() as connection:
            pages = parts(sorted(numbers))
            found = (_read(connection, "batch_rows", statement.where(BATCH_ROWS.c.number.in_(page))) for page in pages)
            return [row for page in found for row in page]

    def standings(
        self, domain: str, group: str, period: str | None, *, after: str | None = None, limit: int = 100
    ) -> list[Standing]:
        self._look_on()
        with self._snapshot() as connection:
            rows = sql_standings.newest_rows_of(connection, domain, group, period, after, limit)
            students = [one.student for one in rows]
            newest = sql_standings.newest_ids_of(connection, domain, group, period, students)
            wanted = sa.select(*_columns("predictions"))
            pages = parts({prediction for _, _, prediction in newest})
            said = [_read(connection, "predictions", wanted.where(PREDICTIONS.c.id.in_(page))) for page in pages]
        return standings_of(rows, newest, chain.from_iterable(said))

    def batch_rows_after(self, batch: str, number: int, limit: int) -> list[BatchRow]:
        mine = (BATCH_ROWS.c.attempt == sql_batches.attempt_of(batch), BATCH_ROWS.c.number > number)
        statement = sa.select(*_columns("batch_rows")).where(*mine).order_by(BATCH_ROWS.c.number)
        return self._list("batch_rows", statement.limit(limit))

    def newest_rows(self, domain: str, records: Collection[str], kind: BatchKind | None = None) -> list[BatchRow]:
        with self._snapshot() as connection:
            source = _SqlSource(connection)
            receipts = {batch.record.id: batch.newest for batch in source.batches(domain, kind)}
            return layout.newest_rows(receipts, chain.from_iterable(map(source.rows_of, layout.parts(records))))

    def labeled_records(self, domain: str, *, limit: int | None = None) -> list[LabeledRecord]:
        with self._snapshot() as connection:
            return labeled.labeled_records(_SqlSource(connection), domain, limit)

    # Students

    def student_rows(self, domain: str, student: str) -> list[StudentRow]:
        unpack = LAYOUTS["batch_rows"].unpack
        with self._reading() as connection:
            found = connection.execute(sql_students.rows(domain, student)).all()
        return [StudentRow(batch, unpack(values)) for batch, *values in found]

    def student_outcomes(self, domain: str, student: str) -> list[Outcome]:
        with self._snapshot() as connection:
            ids = sql_students.predictions(connection, domain, student)
            return [one.record for one in _SqlSource(connection).outcomes_about(domain, ids, [student])]

    def student_accesses(self, domain: str, student: str) -> list[Access]:
        return self._list("accesses", _newest("accesses").where(*sql_students.looks(domain, student)))

    def erase_student(self, domain: str, student: str, event: Event) -> Event | None:
        with self._writing() as connection:
            _lock(connection, OUTCOMES_LOCK)
            ids = sql_students.predictions(connection, domain, student)
            touched = {domain: _days_about(connection, domain, pairs.Subjects(ids, [student]))}
            removed = sql_students.remove_outcomes(connection, domain, student, ids)
            removed += sum(_take_out(connection, domain, part) for part in parts(ids))
            removed += sql_students.remove_rows(connection, domain, student)
            removed += connection.execute(sql_observations.removal(domain, [student])).rowcount
            sql_newest.forget(connection, domain, [student], ROWS_AT_ONCE)
            sql_students.name_nobody(connection, domain, student)
            return _tell(connection, event, removed, touched) if removed else None

    def oldest_outcomes(self, domain: str, limit: int) -> list[Outcome]:
        mine = sa.select(*_columns("outcomes")).where(OUTCOMES.c.domain == domain)
        return self._list("outcomes", mine.order_by(OUTCOMES.c.changed, OUTCOMES.c.id).limit(limit))

    def count_outcomes(self, domain: str) -> int:
        statement = sa.select(sa.func.count()).select_from(OUTCOMES).where(OUTCOMES.c.domain == domain)
        with self._reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def outcomes_ending(self, domain: str, endings: Collection[str] | None) -> list[Outcome]:
        mine = sa.select(*_columns("outcomes")).where(OUTCOMES.c.domain == domain)
        return self._list("outcomes", mine.where(*_ending(endings, OUTCOMES)))

    def forget(self, kind: Forgettable, before: datetime) -> int:
        table, removed, more = TABLES[kind], 0, True
        some = sa.select(table.c.id).where(table.c.at < micros(before)).limit(ROWS_AT_ONCE)
        while more:
            with self._writing() as connection:
                gone = connection.execute(table.delete().where(table.c.id.in_(some))).rowcount
            removed, more = removed + gone, gone == ROWS_AT_ONCE
        return removed

    def wipe(self, removed: Sequence[str]) -> None:
        if self._file is not None:
            self._file.wipe(self._detached_connection(), [text.encode() for text in removed])

    # Observations

    def add_observations(self, observations: Sequence[Observation]) -> int:
        check_observations(observations)
        if not observations:
            return 0
        with self._writing() as connection:
            _cache_pages(connection, len(observations))
            numbers = [_next_receipt(connection)]
            rows = [_row("observations", one, numbers=numbers) for one in observations]
            return _write(connection, "observations", rows)

    def observation_pages(
        self,
        domain: str,
        *,
        students: Sequence[str] | None = None,
        known_at: datetime | None = None,
    ) -> Iterator[ObservationColumns]:
        newest, rows = self._newest_receipt(), list[Sequence[Any]]()
        for student in [None] if students is None else sorted(set(students)):
            found: Sequence[Sequence[Any]] | None = None
            while found is None or len(found) == ROWS_AT_ONCE:
                last = found[-1] if found else None
                asked = sql_observations.page(domain, student, newest, known_at, last)
                with self._reading() as connection:
                    found = connection.execute(asked.limit(ROWS_AT_ONCE)).all()
                rows += found
                if len(rows) >= ROWS_AT_ONCE:
                    yield ObservationColumns(*zip(*rows, strict=True))
                    rows = []
        if rows:
            yield ObservationColumns(*zip(*rows, strict=True))

    def observation_texts(
        self,
        domain: str,
        *,
        students: Sequence[str] | None = None,
        known_at: datetime | None = None,
        kind: str | None = None,
    ) -> Iterator[Sequence[ObservationTexts]]:
        newest = self._newest_receipt()
        for some in self._observed_students(domain) if students is None else parts(sorted(set(students))):
            with self._reading() as connection:
                found = connection.execute(sql_observations.texts(domain, some, newest, known_at, kind)).all()
            if found:
                yield [ObservationTexts(*row) for row in found]

    def _observed_students(self, domain: str) -> Iterator[list[str]]:
        """All of a domain, some at a time, in order."""
        after: str | None = None
        while True:
            with self._reading() as connection:
                some = list(connection.execute(sql_observations.next_students(domain, after, PAGE)).scalars())
            if not some:
                return
            yield some
            after = some[-1]

    def observations_of_events(self, domain: str, events: Sequence[ObservedKey]) -> Iterator[ObservationColumns]:
        for part in parts(sorted(set(events)), EVENTS_AT_ONCE):
            rows = list[Sequence[Any]]()
            with self._reading() as connection:
                for (student, kind), keys in groupby(part, key=lambda key: key[:2]):
                    asked = sql_observations.of_events(domain, student, kind, [event for *_, event in keys])
                    rows += connection.execute(asked).all()
            if rows:
                yield ObservationColumns(*zip(*rows, strict=True))

    def _newest_receipt(self) -> int:
        with self._reading() as connection:
            counter = sa.select(UPLOADS.c.number).where(UPLOADS.c.name == UPLOAD_COUNTER)
            return int(connection.execute(counter).scalar() or 0)

    def observed_since(self, domain: str, receipt: int | None) -> ObservedSince:
        newest = self._newest_receipt()  # first: what comes in meanwhile is found again behind it
        if receipt is None:
            return ObservedSince(newest, [])
        with self._reading() as connection:
            found = connection.execute(sql_observations.since(domain, receipt)).scalars()
            return ObservedSince(newest, sorted(found))

    def remove_observations(self, domain: str, before: datetime) -> int:
        removed, after = 0, ""
        with self._writing() as connection:
            removed += connection.execute(sql_observations.removal(domain, [after], before)).rowcount
        while True:
            with self._writing() as connection:
                asked = sql_observations.next_students(domain, after, sql_observations.STUDENTS_CLEARED)
                some = list(connection.execute(asked).scalars())
                if not some:
                    return removed
                removed += connection.execute(sql_observations.removal(domain, some, before)).rowcount
            after = some[-1]

    # Models and champions

    def add_model(self, model: ModelVersion) -> None:
        self._keep("models", [model])

    def models(self, key: ChampionKey | None = None) -> list[ModelVersion]:
        statement = _newest("models")
        if key is not None:
            statement = statement.where(*_same_key(MODELS, key))
        return self._list("models", statement)

    def champions(self) -> list[Succession]:
        newer = SUCCESSIONS.alias()
        same = [newer.c[name] == SUCCESSIONS.c[name] for name in ("domain", "target", "moment")]
        later = sa.select(newer.c.generation).where(*same, newer.c.generation > SUCCESSIONS.c.generation)
        statement = sa.select(*_columns("successions")).where(~later.exists()).order_by(*SUCCESSIONS.primary_key)
        return self._list("successions", statement)

    def successions(self, key: ChampionKey) -> list[Succession]:
        statement = sa.select(*_columns("successions")).where(*_same_key(SUCCESSIONS, key))
        return self._list("successions", statement.order_by(SUCCESSIONS.c.generation))

    def succeed(self, successions: Sequence[Succession]) -> None:
        check_successions(successions)
        ordered = sorted(successions, key=lambda succession: succession.key)  # one order of locks: no deadlock
        with self._writing() as connection:
            for succession in ordered:
                key, generation = succession.key, succession.generation
                newest = sa.select(sa.func.max(SUCCESSIONS.c.generation)).where(*_same_key(SUCCESSIONS, key))
                present = connection.execute(newest).scalar() or 0
                if generation != present + 1:
                    raise Conflict(f"{key} is at generation {present}: {generation} cannot follow")
                # On PostgreSQL the primary key settles a race: of two inserts of one generation, the second waits for
                # the first to commit and then writes nothing.
                if not _write(connection, "successions", [_row("successions", succession)]):
                    raise Conflict(f"{key}: another change became generation {generation} first")

    # Journal

    def add_drift_report(self, report: DriftRecord) -> None:
        self._keep("drift_reports", [report])

    def drift_report(self, id: str) -> DriftRecord | None:
        found: DriftRecord | None = self._by_id("drift_reports", id)
        return found

    def drift_reports(
        self, domain: str | None = None, *, before: Before | None = None, limit: int = 100
    ) -> list[DriftRecord]:
        return self._list("drift_reports", _journal("drift_reports", domain, before, limit))

    def add_decision(self, decision: DecisionRecord) -> None:
        self._keep("decisions", [decision])

    def decision(self, id: str) -> DecisionRecord | None:
        found: DecisionRecord | None = self._by_id("decisions", id)
        return found

    def decisions(
        self,
        domain: str | None = None,
        *,
        key: ChampionKey | None = None,
        before: Before | None = None,
        limit: int = 100,
    ) -> list[DecisionRecord]:
        statement = _journal("decisions", domain, before, limit)
        return self._list("decisions", statement if key is None else statement.where(*_same_key(DECISIONS, key)))

    def add_event(self, event: Event) -> None:
        self._keep("events", [event])

    def events(
        self,
        domain: str | None = None,
        *,
        kind: str | None = None,
        before: Before | None = None,
        limit: int = 100,
    ) -> list[Event]:
        statement = _journal("events", domain, before, limit).where(*_given(TABLES["events"], kind=kind))
        return self._list("events", statement)

    def try_lease(self, name: str, holder: str, seconds: float) -> str | None:
        with self._writing() as connection:
            at = database_time(connection)
            insert = _upsert(LEASES, connection.dialect.name).values(
                name=name, holder=holder, expires=at + round(seconds * 1_000_000)
            )
            free = sa.or_(LEASES.c.holder == holder, LEASES.c.expires <= at)
            taken = {"holder": insert.excluded.holder, "expires": insert.excluded.expires}
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=taken, where=free))
            present = connection.execute(sa.select(LEASES.c.holder).where(LEASES.c.name == name)).scalar_one()
        return None if present == holder else str(present)

    def release_lease(self, name: str, holder: str) -> None:
        with self._writing() as connection:
            connection.execute(LEASES.delete().where(LEASES.c.name == name, LEASES.c.holder == holder))

    # Documents and accesses

    def document(self, kind: str, name: str) -> Document | None:
        wanted = _given(DOCUMENTS, kind=kind, name=name)
        found = self._list("documents", sa.select(*_columns("documents")).where(*wanted))
        return found[0] if found else None

    def documents(
        self, kind: str, *, domain: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Document]:
        wanted = [*_given(DOCUMENTS, kind=kind, domain=domain), *_between(DOCUMENTS.c.at, since, until)]
        return self._list("documents", sa.select(*_columns("documents")).where(*wanted).order_by(DOCUMENTS.c.name))

    def documents_named(self, kind: str, names: Sequence[str]) -> list[Document]:
        wanted = sa.select(*_columns("documents")).where(DOCUMENTS.c.kind == kind)
        with self._reading() as connection:
            return [
                one
                for part in parts(sorted(set(names)))
                for one in _read(connection, "documents", wanted.where(DOCUMENTS.c.name.in_(part)))
            ]

    def newest_documents(self, kind: str, *, before: Before | None = None, limit: int = 100) -> list[Document]:
        order = (DOCUMENTS.c.at, DOCUMENTS.c.name)
        wanted = sa.select(*_columns("documents")).where(DOCUMENTS.c.kind == kind, *_behind(order, before))
        return self._list("documents", wanted.order_by(*(column.desc() for column in order)).limit(limit))

    def put_document(self, document: Document) -> None:
        check_document(document)
        row = _row("documents", document)
        with self._writing() as connection:
            if document.revision == 1:
                done = _write(connection, "documents", [row])
            else:
                same = _given(DOCUMENTS, kind=document.kind, name=document.name)
                change = DOCUMENTS.update().where(*same, DOCUMENTS.c.revision == document.revision - 1)
                done = connection.execute(
                    change.values(dict(zip(LAYOUTS["documents"].names, row, strict=True)))
                ).rowcount
        if not done:
            raise Conflict(
                f"{document.kind} {document.name!r}: revision {document.revision} does not follow the kept one"
            )

    def remove_document(self, kind: str, name: str) -> bool:
        with self._writing() as connection:
            removed = connection.execute(DOCUMENTS.delete().where(*_given(DOCUMENTS, kind=kind, name=name)))
        return bool(removed.rowcount)

    def add_accesses(self, accesses: Sequence[Access]) -> None:
        self._keep("accesses", accesses)

    def accesses(
        self,
        *,
        actor: str | None = None,
        domain: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Access]:
        wanted = [*_given(ACCESSES, actor=actor, domain=domain, action=action), *_between(ACCESSES.c.at, since, None)]
        return self._list("accesses", _newest("accesses").where(*wanted).limit(limit))

    # Jobs and blobs

    def add_job(self, job: Job, *, pause: float = 0.0) -> Job:
        with self._writing() as connection:
            begun = sql_jobs.begun_at(connection, job, pause)
            if _write(connection, "jobs", [_row("jobs", begun)]):
                return begun
            return sql_jobs.find(connection, job.id) or begun

    def claim_job(self, kinds: Sequence[str], worker: str, seconds: float, *, id: str | None = None) -> Job | None:
        with self._reading() as connection:  # an idle worker keeps nobody from writing
            if connection.execute(sql_jobs.claimable(connection, kinds, id)).scalar() is None:
                return None
        with self._writing() as connection:
            return sql_jobs.claim(connection, kinds, worker, seconds, id)

    def renew_job(self, id: str, token: int, seconds: float, progress: JobProgress | None = None) -> Job:
        with self._writing() as connection:
            return sql_jobs.renew(connection, Fence(id, token), seconds, progress)

    def end_job(
        self, id: str, token: int, state: JobState, *, result: Any = None, problem: JobProblem | None = None
    ) -> Job:
        with self._writing() as connection:
            return sql_jobs.end(connection, Fence(id, token), state, result, problem)

    def put_back_job(
        self, id: str, token: int, *, pause: float = 0.0, problem: JobProblem | None = None, counts: bool = True
    ) -> Job:
        with self._writing() as connection:
            return sql_jobs.put_back(connection, Fence(id, token), pause, problem, counts=counts)

    def cancel_job(self, id: str) -> Job | None:
        with self._writing() as connection:
            return sql_jobs.cancel(connection, id)

    def job(self, id: str) -> Job | None:
        with self._reading() as connection:
            return sql_jobs.find(connection, id)

    def jobs(
        self,
        *,
        domain: str | None = None,
        kind: str | None = None,
        actor: str | None = None,
        states: Sequence[JobState] = (),
        before: Before | None = None,
        limit: int = 100,
    ) -> list[Job]:
        given = _given(JOBS, domain=domain, kind=kind, actor=actor)
        return self._list("jobs", sql_jobs.newest(given, states, before, limit))

    def remove_jobs(self, before: datetime) -> int:
        with self._writing() as connection:
            return connection.execute(JOBS.delete().where(sql_jobs.ended_before(before))).rowcount

    def fenced(self, id: str, token: int) -> RecordStore:
        return SqlStore(self._engine, self._file, Fence(id, token), self._months)

    def see_worker(self, id: str, kinds: Sequence[str]) -> None:
        with self._writing() as connection:
            text = msgspec.json.encode(list(kinds)).decode()
            insert = _upsert(WORKERS, connection.dialect.name)
            insert = insert.values(id=id, kinds=text, at=database_time(connection))
            changed = {"kinds": insert.excluded.kinds, "at": insert.excluded.at}
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=changed))

    def workers(self) -> list[SeenWorker]:
        with self._reading() as connection:
            return sql_jobs.seen(connection)

    def forget_workers(self, before: datetime) -> None:
        with self._writing() as connection:
            connection.execute(WORKERS.delete().where(WORKERS.c.at < micros(before)))

    def add_chunk(self, chunk: BlobChunk) -> None:
        self._keep("chunks", [chunk])

    def chunk(self, blob: str, number: int) -> BlobChunk | None:
        wanted = sa.select(*_columns("chunks")).where(CHUNKS.c.blob == blob, CHUNKS.c.number == number)
        found = self._list("chunks", wanted)
        return found[0] if found else None

    def blobs(self, *, before: datetime | None = None) -> list[str]:
        names = sa.select(CHUNKS.c.blob).where(CHUNKS.c.number == 0, *_between(CHUNKS.c.at, None, before))
        with self._reading() as connection:
            return list(connection.execute(names.order_by(CHUNKS.c.blob)).scalars())

    def remove_blobs(self, names: Sequence[str]) -> None:
        with self._writing() as connection:
            for part in parts(names):
                connection.execute(CHUNKS.delete().where(CHUNKS.c.blob.in_(part)))

    # The store itself

    @property
    def embedded(self) -> bool:
        return self._file is not None

    def open_appender(self) -> Appender | None:
        if self._file is None or self._fence is not None:
            return None
        from database.sqlite_log import open_appender

        return open_appender(self._detached_connection(), self._detached_connection())

    def ping(self) -> None:
        if self._file is None:
            with self._reading() as connection:
                connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            return
        self._file.read_page()

    def export(
        self, kind: str, *, after: str | None = None, limit: int = 1000, unreadable: bool = False
    ) -> list[tuple[str, bytes]]:
        with self._reading() as connection:
            return _SqlExporter(connection).export(kind, after=after, limit=limit, unreadable=unreadable)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        if self._file is None:
            with self._snapshot() as connection:
                yield _SqlExporter(connection)
            return
        with self._file.copied(self._detached_connection()) as copy:
            engine = sa.create_engine(f"sqlite:///{copy}", poolclass=sa.NullPool, hide_parameters=True)
            with _driver_errors(), engine.connect() as connection:
                yield _SqlExporter(connection)

    def number_from(self, receipt: int) -> None:
        with self._writing() as connection:
            _count_to(connection, receipt)

    def load(self, kind: str, documents: Sequence[tuple[str, bytes]]) -> None:
        kept = {
            key: (read_json(kind, document), read_numbers(kind, document), read_said(kind, document))
            for key, document in documents
        }
        of = {key: split_row_key(key)[0] if kind == "batch_rows" else key for key in kept}
        newest = max((number or 0 for _, document in documents for number in read_numbers(kind, document)), default=0)
        if kind == "batches":
            self.sweep_uploads()  # what is left of one that was withdrawn, whose name its rows may have again
        if kind == "predictions" and self._months is not None:
            latest = partitions.following(now().date().replace(day=1))
            self._months.make({month for month in map(partitions.month_of, kept) if month and month <= latest})
        with self._writing() as connection:
            if newest:
                _count_to(connection, newest)
            attempts = sql_batches.attempts(connection, set(of.values())) if kind == "batch_rows" else {}
            rows = [_row(kind, one, attempts.get(of[key], of[key]), n, said) for key, (one, n, said) in kept.items()]
            _write(connection, kind, rows, replace=True)
            if kind == "predictions":
                sql_newest.look_again(connection, [one for one, *_ in kept.values()], ROWS_AT_ONCE)
            if domains := layout.domains_of_pairs(kind, [document for _, document in documents]):
                number = _next_receipt(connection)
                for domain in domains:
                    _touch(connection, domain, [EVERY_DAY], number)

    def _detached_connection(self) -> Any:
        """A connection of the driver's own kind, set up as all are here. No pool takes it back: its user closes it."""
        with _driver_errors():
            pooled = self._engine.raw_connection()
            connection = pooled.driver_connection
            pooled.detach()
            return connection

    def close(self) -> None:
        self._engine.dispose()


def _given(table: sa.Table, **values: str | None) -> list[sa.ColumnElement[bool]]:
    """Only rows with these values; None asks for nothing."""
    return [table.c[name] == value for name, value in values.items() if value is not None]


def _between(at: sa.ColumnElement[int], since: datetime | None, until: datetime | None) -> list[sa.ColumnElement[bool]]:
    after = [] if since is None else [at >= micros(since)]
    return after if until is None else [*after, at < micros(until)]


def _of_groups(groups: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    return [] if groups is None else [PREDICTIONS.c.group.in_(groups)]


def _ending(endings: Iterable[str] | None, table: sa.Table = PREDICTIONS) -> list[sa.ColumnElement[bool]]:
    """Only rows whose id ends so; the index by time or receipt holds ids, so that no row is read for this."""
    if endings is None:
        return []
    ends = sorted(endings)
    width = len(ends[0]) if ends else 0
    last = sa.func.substr(table.c.id, sa.func.length(table.c.id) - (width - 1), width)
    return [last.in_(ends)]


def _same_key(table: sa.Table, key: ChampionKey) -> list[sa.ColumnElement[bool]]:
    return [table.c.domain == key.domain, table.c.target == key.target, table.c.moment == key.moment]


def _journal(kind: str, domain: str | None, before: Before | None, limit: int) -> sa.Select[Any]:
    table = TABLES[kind]
    wanted = [*_given(table, domain=domain), *_behind((table.c.at, table.c.id), before)]
    return _newest(kind).where(*wanted).limit(limit)


def _behind(order: tuple[sa.Column[Any], sa.Column[Any]], before: Before | None) -> list[sa.ColumnElement[bool]]:
    """Only rows behind the last one of the page before, of the newest first by these columns."""
    if before is None:
        return []
    return [sa.tuple_(*order) < sa.tuple_(sa.literal(micros(before[0])), sa.literal(before[1]))]


def _key_parts(kind: str, key: str) -> tuple[str | int, ...]:
    parts: dict[str, Callable[[str], tuple[str | int, ...]]] = {
        "successions": split_succession_key,
        "documents": split_document_key,
        "chunks": split_row_key,
        "observations": split_observation_key,
    }
    return parts[kind](key) if kind in parts else (key,)


class _SqlExporter:
    """A `Snapshot` over one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @property
    def receipt(self) -> int:
        return self._connection.execute(sa.select(UPLOADS.c.number)).scalar() or 0

    def export(
        self, kind: str, *, after: str | None = None, limit: int = 1000, unreadable: bool = False
    ) -> list[tuple[str, bytes]]:
        if kind == "batch_rows":
            return self._export_rows(after, limit)
        table = TABLES[kind]
        key = list(table.primary_key)
        names = RECEIPTS.get(kind, ())
        beside = [table.c[name] for name in (*names, *([STATEMENTS] if kind == "outcomes" else []))]
        statement = sa.select(*_columns(kind), *beside).order_by(*key).limit(limit)
        if kind == "documents":
            statement = statement.where(~DOCUMENTS.c.kind.startswith(MADE_OF_PAIRS))
        if after is not None:
            statement = statement.where(sa.tuple_(*key) > sa.tuple_(*map(sa.literal, _key_parts(kind, after))))
        if not beside:
            rows = self._fetch_all(statement, unreadable)
            records, contents = LAYOUTS[kind].write_rows(rows, unreadable=unreadable)
            return list(zip(keys_of(kind, records), contents, strict=True))
        rows = self._connection.execute(statement).all()
        records = _unpack(self._connection, kind, [row[: -len(beside)] for row in rows])
        found = []
        for row, record in zip(rows, records, strict=True):
            told = dict(zip((column.name for column in beside), row[-len(beside) :], strict=True))
            said = told.pop(STATEMENTS, None)
            found.append((key_of(kind, record), write_kept(record, told, said)))
        return found

    def _fetch_all(self, statement: sa.Select[Any], unreadable: bool) -> Sequence[Sequence[Any]]:
        """unreadable: also what is no UTF-8, which SQLite keeps where somebody puts it there."""
        try:
            return self._connection.execute(statement).all()
        except sa.exc.OperationalError:
            if not unreadable or self._connection.dialect.name != "sqlite":
                raise
        driver: Any = self._connection.connection.driver_connection
        driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        try:
            return self._connection.execute(statement).all()
        finally:
            driver.text_factory = str

    def _export_rows(self, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        """Those of batches alone: others belong to uploads under way, or to none any more."""
        first, number = ("", None) if after is None else split_row_key(after)
        batches = sa.select(BATCHES.c.id, BATCHES.c.attempt).where(BATCHES.c.id >= first).order_by(BATCHES.c.id)
        found: list[tuple[str, bytes]] = []
        for batch, attempt in self._connection.execute(batches).all():
            rows = sa.select(*_columns("batch_rows")).where(BATCH_ROWS.c.attempt == attempt)
            rows = rows.where(BATCH_ROWS.c.number > number) if batch == first and number is not None else rows
            rows = rows.order_by(BATCH_ROWS.c.number).limit(limit - len(found))
            page = _read(self._connection, "batch_rows", rows)
            found += [(row_key(batch, row.number), write_json(row)) for row in page]
            if len(found) >= limit:
                break
        return found


class _SqlSource:
    """The questions of `pairs.RecordSource`, on one connection, which is given a new snapshot when the present one is
    older than SNAPSHOT_SECONDS on SQLite: its write-ahead log cannot begin anew while somebody holds one.

    What is corrected between two snapshots is read as it was or as it is.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._held = connection
        self._may_let_go = connection.dialect.name == "sqlite"
        self._since = time.monotonic()

    @property
    def _connection(self) -> sa.Connection:
        """To be asked for before each statement."""
        if self._may_let_go and time.monotonic() - self._since > SNAPSHOT_SECONDS:
            self._held.rollback()
            self._since = time.monotonic()
        return self._held

    def predictions_backwards(
        self, domain: str, target: str, among: pairs.Among, before: pairs.Place | None
    ) -> list[pairs.Received[Prediction]]:
        known = sa.select(OUTCOMES.c.id).where(OUTCOMES.c.domain == domain, OUTCOMES.c.target == target)
        by_id = known.where(OUTCOMES.c.prediction == PREDICTIONS.c.id).exists()
        alike = start_of(OUTCOMES.c.student) == start_of(PREDICTIONS.c.student)
        by_student = known.where(alike, OUTCOMES.c.student == PREDICTIONS.c.student).exists()
        statement = _backwards("predictions", domain, before).where(sa.or_(by_id, by_student))
        statement = statement.where(*_between(PREDICTIONS.c.at, among.since, among.until), *_ending(among.endings))
        statement = statement.where(*_of_groups(among.groups))
        return _read_received(self._connection, "predictions", statement)

    def predictions_about(
        self, domain: str, ids: Sequence[str], students: Sequence[str]
    ) -> list[pairs.Received[Prediction]]:
        found = self._where_in("predictions", domain, PREDICTIONS.c.id, ids)
        found += self._where_in("predictions", domain, PREDICTIONS.c.student, students)
        return list({one.record.id: one for one in found}.values())

    def placed(self, domain: str, students: Sequence[str]) -> Iterator[pairs.Placed]:
        place = [PREDICTIONS.c[name] for name in ("student", "group", "period")]
        statement: sa.Select[Any] = sa.select(*place, sa.func.min(PREDICTIONS.c.receipt)).group_by(*place)
        statement = statement.where(PREDICTIONS.c.domain == domain, IS_AMONG[PREDICTIONS.c.student])
        for student, group, period, receipt in self._connection.execute(statement, keyed(students)).all():
            yield pairs.Placed(student, group, period, receipt)

    def outcomes_backwards(
        self, domain: str, before: pairs.Place | None, *, by_prediction: bool
    ) -> list[pairs.Received[Outcome]]:
        statement = _backwards("outcomes", domain, before)
        if by_prediction:
            statement = statement.where(OUTCOMES.c.prediction.is_not(None))
        return _read_received(self._connection, "outcomes", statement)

    def outcomes_about(self, domain: str, ids: Sequence[str], students: Sequence[str]) -> list[pairs.Received[Outcome]]:
        found = self._where_in("outcomes", domain, OUTCOMES.c.prediction, ids)
        found += self._where_in("outcomes", domain, OUTCOMES.c.student, students)
        return list({one.record.id: one for one in found}.values())

    def batches(self, domain: str, kind: BatchKind | None) -> list[pairs.Received[Batch]]:
        statement = _newest("batches").where(*_given(BATCHES, domain=domain, kind=kind))
        return _read_received(self._connection, "batches", statement)

    def rows_backwards(self, batch: str) -> Iterator[BatchRow]:
        number: int | None = None
        while True:
            mine = BATCH_ROWS.c.attempt == sql_batches.attempt_of(batch)
            statement = sa.select(*_columns("batch_rows")).where(mine).limit(layout.PAGE)
            if number is not None:
                statement = statement.where(BATCH_ROWS.c.number < number)
            page = _read(self._connection, "batch_rows", statement.order_by(BATCH_ROWS.c.number.desc()))
            yield from page
            if len(page) < layout.PAGE:
                return
            number = page[-1].number

    def rows_of(self, records: Sequence[str]) -> Iterator[tuple[str, BatchRow]]:
        statement = sa.select(BATCHES.c.id, *_columns("batch_rows")).where(IS_AMONG[BATCH_ROWS.c.record])
        statement = statement.where(BATCHES.c.attempt == BATCH_ROWS.c.attempt)
        unpack = LAYOUTS["batch_rows"].unpack
        for batch, *values in self._connection.execute(statement, keyed(records)).all():
            yield batch, unpack(values)

    def _where_in(
        self, kind: str, domain: str, column: sa.Column[Any], values: Sequence[str]
    ) -> list[pairs.Received[Any]]:
        statement = sa.select(*_columns(kind)).where(TABLES[kind].c.domain == domain, IS_AMONG[column])
        wanted = (statement.params(keyed(part)) for part in parts(values))
        return [one for part in wanted for one in _read_received(self._connection, kind, part)]


def _backwards(kind: str, domain: str, before: pairs.Place | None) -> sa.Select[Any]:
    table = TABLES[kind]
    statement = _newest(kind).where(table.c.domain == domain).limit(layout.PAGE)
    if before is None:
        return statement
    order = table.c.changed if kind == "outcomes" else table.c.at
    return statement.where(sa.tuple_(order, table.c.id) < sa.tuple_(*map(sa.literal, before)))
