"""Receipts: uploads are counted as they come in, and every prediction says which was the newest before it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBERED = {"predictions": ("receipt",), "outcomes": ("receipt", "changed"), "batches": ("receipt",)}


def upgrade() -> None:
    """A table of one row, and columns; what is there is numbered in the order of its times, which is all that is known
    of it."""
    op.create_table(
        "uploads", sa.Column("name", TEXT, primary_key=True), sa.Column("number", sa.BigInteger(), nullable=False)
    )
    op.add_column("outcomes", sa.Column("happened_at", sa.BigInteger(), nullable=True))
    for table, names in NUMBERED.items():
        for name in names:
            op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("CREATE TABLE upload_times (at BIGINT PRIMARY KEY, number BIGINT NOT NULL)")
    op.execute(
        "INSERT INTO upload_times SELECT at, row_number() OVER (ORDER BY at) FROM "
        "(SELECT at FROM outcomes UNION SELECT at FROM batches) AS times"
    )
    for table, names in NUMBERED.items():
        newest = f"SELECT number FROM upload_times u WHERE u.at <= {table}.at ORDER BY u.at DESC LIMIT 1"
        for name in names:
            op.execute(f"UPDATE {table} SET {name} = coalesce(({newest}), 0)")
    op.execute("INSERT INTO uploads SELECT 'last', count(*) FROM upload_times")
    op.execute("DROP TABLE upload_times")
    op.drop_index("outcomes_by_time", "outcomes")
    op.drop_index("batches_by_time", "batches")
    op.create_index("outcomes_by_receipt", "outcomes", ["domain", "changed", "id"])
    op.create_index("batches_by_receipt", "batches", ["domain", "receipt"])


def downgrade() -> None:
    """Drop what `upgrade` made."""
    op.drop_index("batches_by_receipt", "batches")
    op.drop_index("outcomes_by_receipt", "outcomes")
    for table, names in NUMBERED.items():
        for name in names:
            op.drop_column(table, name)
    op.drop_column("outcomes", "happened_at")
    op.create_index("batches_by_time", "batches", ["domain", "at"])
    op.create_index("outcomes_by_time", "outcomes", ["domain", "at", "id"])
    op.drop_table("uploads")
