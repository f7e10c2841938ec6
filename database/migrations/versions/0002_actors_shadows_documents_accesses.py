"""Who asked and what challengers said, beside a prediction; small things that change; who looked at what."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Two columns, empty in every row that is there, and two tables with their indexes."""
    for name in ("actor", "shadow"):
        op.add_column("predictions", _text(name, missing=True))
    op.create_table(
        "documents",
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _text("domain", missing=True),
        _text("body"),
    )
    op.create_table(
        "accesses",
        sa.Column("id", TEXT, primary_key=True),
        _text("actor"),
        _text("action"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _text("domain", missing=True),
        _text("details"),
    )
    op.create_index("documents_by_time", "documents", ["kind", "at"])
    op.create_index("accesses_by_time", "accesses", ["at"])
    op.create_index("accesses_by_actor", "accesses", ["actor", "at"])
    op.create_index("accesses_by_domain", "accesses", ["domain", "at"])


def downgrade() -> None:
    """Drop what `upgrade` made, with its contents."""
    for table in ("accesses", "documents"):
        op.drop_table(table)
    for name in ("shadow", "actor"):
        op.drop_column("predictions", name)


def _text(name: str, *, missing: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TEXT, nullable=missing)
