"""Rows of students are found by their group and period."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEX = "batch_rows_by_place"


def upgrade() -> None:
    """An index; nothing that is there changes."""
    held: list[str | sa.TextClause] = ["group", "period", sa.text("substr(student, 1, 8)")]
    op.create_index(INDEX, "batch_rows", held, sqlite_where=sa.text("student IS NOT NULL"))


def downgrade() -> None:
    """Drop it."""
    op.drop_index(INDEX, "batch_rows")
