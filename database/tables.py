"""The tables of the SQL store, the same on SQLite and PostgreSQL.

`database/migrations` makes them; this module only describes them and opens nothing. Text sorts by code point
everywhere, times are whole microseconds since 1970 UTC, nested values are JSON text.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    text,
)
from sqlalchemy.types import TypeEngine

from database.layout import KEY_START

HEAD = "0018"
"""The newest revision in `database/migrations/versions`: what a database must be at."""

OLDEST = "0016"
"""The oldest revision whose versions may go on working on a database of HEAD, beside this one while it is put in place.
A migration that takes something away raises it to the first one whose version does without (expand, then contract)."""

METADATA = MetaData()

TEXT: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")


def _key(name: str) -> Column[str]:
    return Column(name, TEXT, primary_key=True)


def _text(name: str, *, missing: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=missing)


def _at() -> Column[int]:
    return Column("at", BigInteger, nullable=False)


def _receipt(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def start_of(column: ColumnElement[str]) -> ColumnElement[str]:
    """The same of a column, as indexes have it."""
    return func.substr(column, literal_column("1"), literal_column(str(KEY_START)))


START = f"substr({{}}, 1, {KEY_START})"


def _where_known(name: str, table: str, known: str, *columns: str) -> Index:
    """An index of the rows that have the column `known`. PostgreSQL's holds all; to say otherwise here would load its
    whole dialect wherever there is only SQLite."""
    known = '"group"' if known == "group" else known
    held = [text(START.format(column)) if column == "student" else column for column in columns]
    return Index(f"{table}_by_{name}", *held, sqlite_where=text(f"{known} IS NOT NULL"))


PREDICTIONS = Table(
    "predictions",
    METADATA,
    _key("id"),
    _text("domain"),
    _text("moment"),
    _text("inputs"),
    _text("answers"),
    _text("source"),
    _at(),
    _text("student", missing=True),
    _text("group", missing=True),
    _text("period", missing=True),
    _text("actor", missing=True),
    _text("shadow", missing=True),
    _text("block", missing=True),
    Column("place", Integer),
    _receipt("receipt"),
    Index("predictions_by_time", "domain", "at", "id"),
    _where_known("student", "predictions", "student", "domain", "student"),
    _where_known("group", "predictions", "group", "domain", "group", "at", "id"),
)

PREDICTION_BLOCKS = Table("prediction_blocks", METADATA, _key("id"), Column("body", LargeBinary, nullable=False))
"""What many predictions of one batch were asked and answered; a row of each says which block holds it, and where."""

NEWEST = Table(
    "newest",
    METADATA,
    _key("student"),
    _key("domain"),
    _key("target"),
    _key("place"),
    _text("group"),
    _text("period"),
    _at(),
    _text("prediction"),
    Column("below", Double),
    _text("why"),
    Index("newest_by_chance", "domain", "target", "below", "student", "group", "period", "at"),
)
"""The newest answer of each student in each place, as `database.newest` has it. Follows from predictions."""

NEWEST_UNTIL = Table("newest_until", METADATA, _key("name"), _text("prediction"))
"""One row on SQLite: the last prediction that `newest` knows of."""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    _key("id"),
    _text("domain"),
    _text("target"),
    _text("value"),
    _at(),
    _text("student", missing=True),
    _text("group", missing=True),
    _text("period", missing=True),
    _text("prediction", missing=True),
    Column("happened_at", BigInteger),
    _receipt("receipt"),
    _receipt("changed"),
    _text("said", missing=True),
    Index("outcomes_by_receipt", "domain", "changed", "id"),
    _where_known("student", "outcomes", "student", "domain", "student"),
    _where_known("prediction", "outcomes", "prediction", "domain", "prediction"),
)

BATCHES = Table(
    "batches",
    METADATA,
    _key("id"),
    _text("domain"),
    _text("kind"),
    _text("name"),
    Column("rows", Integer, nullable=False),
    _at(),
    Column("skipped", Integer, nullable=False),
    _receipt("receipt"),
    Column("attempt", TEXT, nullable=False, server_default=text("''")),
    Index("batches_by_receipt", "domain", "receipt"),
    Index("batches_by_number", "receipt"),
    Index("batches_by_attempt", "attempt"),
)
"""attempt: under which the rows are kept. Those of an attempt that no batch names are never read."""

BATCH_ROWS = Table(
    "batch_rows",
    METADATA,
    _key("attempt"),
    _text("record"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("inputs"),
    _text("targets"),
    _text("student", missing=True),
    _text("group", missing=True),
    _text("period", missing=True),
    Index("batch_rows_by_record", text(START.format("record"))),
    _where_known("place", "batch_rows", "student", "group", "period", "student"),
    Index("batch_rows_by_student", text(START.format("student")), sqlite_where=text("student IS NOT NULL")),
)

MODELS = Table(
    "models",
    METADATA,
    _key("version"),
    _text("domain"),
    _text("target"),
    _text("moment"),
    _text("candidate"),
    _text("scores"),
    _text("lineage"),
    _at(),
    Index("models_by_key", "domain", "target", "moment", "at"),
)

SUCCESSIONS = Table(
    "successions",
    METADATA,
    _key("domain"),
    _key("target"),
    _key("moment"),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    _text("version"),
    _text("action"),
    _text("actor"),
    _text("reason"),
    _at(),
)

DRIFT_REPORTS = Table(
    "drift_reports",
    METADATA,
    _key("id"),
    _text("domain"),
    _at(),
    Column("alarm", Boolean, nullable=False),
    _text("reference"),
    _text("current"),
    _text("document"),
    Index("drift_reports_by_time", "domain", "at"),
    Index("drift_reports_by_day", "at"),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    _key("id"),
    _text("domain"),
    _text("target"),
    _text("moment"),
    _text("verdict"),
    _text("champion", missing=True),
    _text("challenger", missing=True),
    _at(),
    _text("document"),
    Index("decisions_by_time", "domain", "at"),
    Index("decisions_by_day", "at"),
    Index("decisions_by_key", "domain", "target", "moment", "at"),
)

EVENTS = Table(
    "events",
    METADATA,
    _key("id"),
    _text("kind"),
    _at(),
    _text("domain", missing=True),
    _text("details"),
    Index("events_by_time", "at"),
    Index("events_by_kind", "kind", "at"),
    Index("events_by_domain", "domain", "at"),
)

DOCUMENTS = Table(
    "documents",
    METADATA,
    _key("kind"),
    _key("name"),
    Column("revision", Integer, nullable=False),
    _at(),
    _text("domain", missing=True),
    _text("body"),
    Index("documents_by_time", "kind", "at"),
)

ACCESSES = Table(
    "accesses",
    METADATA,
    _key("id"),
    _text("actor"),
    _text("action"),
    _at(),
    _text("domain", missing=True),
    _text("details"),
    Index("accesses_by_time", "at"),
    Index("accesses_by_actor", "actor", "at"),
    Index("accesses_by_domain", "domain", "at"),
    Index("accesses_by_action", "action", "at"),
)

JOBS = Table(
    "jobs",
    METADATA,
    _key("id"),
    _text("kind"),
    _at(),
    Column("due", BigInteger, nullable=False),
    _text("state"),
    _text("domain", missing=True),
    _text("actor", missing=True),
    _text("arguments"),
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    _text("worker", missing=True),
    Column("expires", BigInteger),
    Column("cancelling", Boolean, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    _text("progress"),
    _text("result"),
    _text("problem"),
    _text("request", missing=True),
    Index("jobs_by_state", "state", "due", "id"),
    Index("jobs_by_time", "at", "id"),
    Index("jobs_by_domain", "domain", "kind", "at"),
    Index("jobs_by_actor", "actor", "at"),
)

OLDEST_VERSION = Table("oldest_version", METADATA, _key("revision"))
"""One row: OLDEST of the version that brought the database up to date, for versions that do not know its HEAD."""

CHUNKS = Table(
    "chunks",
    METADATA,
    _key("blob"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _at(),
    _text("content"),
    Index("chunks_by_time", "number", "at"),
)
"""Pieces of blobs, as JSON has bytes (base64)."""

OBSERVATIONS = Table(
    "observations",
    METADATA,
    _key("domain"),
    _key("student"),
    _key("kind"),
    _key("event"),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _text("source"),
    Column("day", Integer, nullable=False),
    _text("body"),
    _at(),
    _receipt("receipt"),
    Index("observations_by_receipt", "domain", "receipt"),
    sqlite_with_rowid=False,
)
"""Rows lie in the order of their key on SQLite: a student's together, as they are read."""

WORKERS = Table("workers", METADATA, _key("id"), _text("kinds"), _at())

UPLOADS = Table("uploads", METADATA, _key("name"), Column("number", BigInteger, nullable=False))
"""One row, `UPLOAD_COUNTER`: how many uploads there were, which numbers the receipts."""

UPLOAD_COUNTER = "last"

TOUCHED_DAYS = Table(
    "touched_days", METADATA, _key("domain"), Column("day", Integer, primary_key=True, autoincrement=False),
    _receipt("receipt"),
)  # fmt: skip
"""The days of predictions whose pairs changed, and the number of the newest upload or withdrawal that did it; day
`layout.EVERY_DAY` stands for those of a whole domain."""

LEASES = Table("leases", METADATA, _key("name"), _text("holder"), Column("expires", BigInteger, nullable=False))

BESIDE = (LEASES, NEWEST, NEWEST_UNTIL, PREDICTION_BLOCKS, TOUCHED_DAYS, UPLOADS, WORKERS)
"""Tables that hold no kind of record."""

TABLES: dict[str, Table] = {table.name: table for table in METADATA.sorted_tables if table not in BESIDE}
"""By kind, as `KINDS` names them."""


def _is_among(column: Column[Any], *, by_start: bool) -> ColumnElement[bool]:
    values, starts = (bindparam(name, type_=TEXT, expanding=True) for name in ("values", "starts"))
    if not by_start:
        return column.in_(values)
    whole = column.concat("").in_(values)  # of a plain one SQLite would write its value into the start, too
    return and_(start_of(column).in_(starts), column.is_not(None), whole)


IS_AMONG: dict[Column[Any], ColumnElement[bool]] = {
    column: _is_among(column, by_start=by_start)
    for by_start, columns in (
        (True, (PREDICTIONS.c.student, OUTCOMES.c.student, BATCH_ROWS.c.record, BATCH_ROWS.c.student)),
        (False, (PREDICTIONS.c.id, OUTCOMES.c.prediction)),
    )
    for column in columns
}
"""Whether a column has one of some values, which a statement is given as `layout.keyed`, in the words of its index."""
