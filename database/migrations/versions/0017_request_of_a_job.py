"""A job knows the request that asked for it, and a database which older versions may work on it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """A column, empty in every row that is there, and a table of one row."""
    op.add_column("jobs", sa.Column("request", TEXT, nullable=True))
    op.create_table("oldest_version", sa.Column("revision", TEXT, primary_key=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_table("oldest_version")
    op.drop_column("jobs", "request")
