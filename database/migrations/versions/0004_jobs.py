"""Work in the background: a queue of jobs, the files that they are given, and who does them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Three tables with their indexes; nothing that is there changes."""
    op.create_table(
        "jobs",
        sa.Column("id", TEXT, primary_key=True),
        _text("kind"),
        _time("at"),
        _time("due"),
        _text("state"),
        _text("domain", missing=True),
        _text("actor", missing=True),
        _text("arguments"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        _text("worker", missing=True),
        _time("expires", missing=True),
        sa.Column("cancelling", sa.Boolean(), nullable=False),
        _time("started", missing=True),
        _time("finished", missing=True),
        _text("progress"),
        _text("result"),
        _text("problem"),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "due", "id"])
    op.create_index("jobs_by_time", "jobs", ["at", "id"])
    op.create_index("jobs_by_domain", "jobs", ["domain", "kind", "at"])
    op.create_table(
        "chunks",
        sa.Column("blob", TEXT, primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        _time("at"),
        _text("content"),
    )
    op.create_index("chunks_by_time", "chunks", ["at"])
    op.create_table("workers", sa.Column("id", TEXT, primary_key=True), _text("kinds"), _time("at"))


def downgrade() -> None:
    """Drop what `upgrade` made, with its contents."""
    for table in ("workers", "chunks", "jobs"):
        op.drop_table(table)


def _text(name: str, *, missing: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TEXT, nullable=missing)


def _time(name: str, *, missing: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=missing)
