"""The newest answer of each student, from which lists of students are read; answers from before have no chance."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KEY = ("student", "domain", "target", "group", "period")


def upgrade() -> None:
    """Two tables; SQLite fills the first from what is there when it is asked for."""
    op.create_table(
        "newest",
        *(sa.Column(name, TEXT, primary_key=True) for name in KEY),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("prediction", TEXT, nullable=False),
        sa.Column("below", sa.Double(), nullable=True),
        sa.Column("why", TEXT, nullable=False),
    )
    columns = ["domain", "target", "below", "student", "group", "period", "at"]
    op.create_index("newest_by_chance", "newest", columns)
    op.create_table(
        "newest_until",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("prediction", TEXT, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("newest_until")
    op.drop_table("newest")
