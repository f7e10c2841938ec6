"""Rows of a batch are kept under the attempt to store it, and are its rows from the moment when it names that."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """What is there was stored in one attempt, which is called as its batch."""
    op.add_column("batches", sa.Column("attempt", TEXT, nullable=False, server_default=sa.text("''")))
    op.execute("UPDATE batches SET attempt = id")
    op.execute("ALTER TABLE batch_rows RENAME COLUMN batch TO attempt")
    op.create_index("batches_by_attempt", "batches", ["attempt"])


def downgrade() -> None:
    """Rows under their batches again; what belongs to none goes."""
    op.execute("DELETE FROM batch_rows WHERE attempt NOT IN (SELECT attempt FROM batches)")
    op.execute("UPDATE batch_rows SET attempt = (SELECT id FROM batches WHERE batches.attempt = batch_rows.attempt)")
    op.execute("ALTER TABLE batch_rows RENAME COLUMN attempt TO batch")
    op.drop_index("batches_by_attempt", "batches")
    op.drop_column("batches", "attempt")
