"""Rows of batches are found by their student, by its beginning as other keys are."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index; nothing that is there changes."""
    start, known = sa.text("substr(student, 1, 8)"), sa.text("student IS NOT NULL")
    op.create_index("batch_rows_by_student", "batch_rows", [start], sqlite_where=known)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("batch_rows_by_student", "batch_rows")
