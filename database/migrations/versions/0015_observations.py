"""What is observed of students, version by version."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """A table and its index; nothing that is there changes."""
    op.create_table(
        "observations",
        *(sa.Column(name, TEXT, primary_key=True) for name in ("domain", "student", "kind", "event")),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("receipt", sa.BigInteger, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_index("observations_by_receipt", "observations", ["domain", "receipt"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("observations")
