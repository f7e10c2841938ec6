"""The first tables: predictions, outcomes, batches, models, successions, drift reports, journal, leases."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

COLUMNS = {
    "predictions": "*id domain moment inputs answers source at student? group? period?",
    "outcomes": "*id domain target value at student? group? period? prediction?",
    "batches": "*id domain kind name #rows at #skipped",
    "batch_rows": "*batch *#number record inputs targets student? group? period?",
    "models": "*version domain target moment candidate scores lineage at",
    "successions": "*domain *target *moment *#generation version action actor reason at",
    "drift_reports": "*id domain at !alarm reference current document",
    "decisions": "*id domain target moment verdict champion? challenger? at document",
    "events": "*id kind at domain? details",
    "leases": "*name holder expires",
}
"""`*` primary key, `#` whole number, `!` true or false, `?` may be missing; at, expires microseconds; else text."""

INDEXES = (
    ("predictions", "time", ["domain", "at", "id"]),
    ("predictions", "student", ["domain", "student"]),
    ("outcomes", "time", ["domain", "at", "id"]),
    ("outcomes", "student", ["domain", "student"]),
    ("outcomes", "prediction", ["domain", "prediction"]),
    ("batches", "time", ["domain", "at"]),
    ("batch_rows", "record", ["record"]),
    ("models", "key", ["domain", "target", "moment", "at"]),
    ("drift_reports", "time", ["domain", "at"]),
    ("decisions", "time", ["domain", "at"]),
    ("events", "time", ["at"]),
    ("events", "kind", ["kind", "at"]),
)


def upgrade() -> None:
    """Make every table and index."""
    for table, columns in COLUMNS.items():
        op.create_table(table, *(_column(word) for word in columns.split()))
    for table, name, on in INDEXES:
        known = sa.text(f"{on[-1]} IS NOT NULL") if on[-1] in ("student", "prediction") else None
        op.create_index(f"{table}_by_{name}", table, on, sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    """Drop every table."""
    for table in COLUMNS:
        op.drop_table(table)


def _column(word: str) -> sa.Column[Any]:
    name = word.strip("*#!?")
    kind: TypeEngine[Any] = TEXT
    if name in ("at", "expires"):
        kind = sa.BigInteger()
    elif "#" in word:
        kind = sa.Integer()
    elif "!" in word:
        kind = sa.Boolean()
    return sa.Column(name, kind, primary_key="*" in word, nullable="?" in word, autoincrement=False)
