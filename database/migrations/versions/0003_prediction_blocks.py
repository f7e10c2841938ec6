"""Predictions of a batch in blocks: what they were asked and answered stands together, and a row of each beside it."""

from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

from database.blocks import read_block

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BLOCKS = sa.table("prediction_blocks", sa.column("id"), sa.column("body"))
ROWS = sa.table("predictions", *map(sa.column, ("id", "inputs", "answers", "shadow", "block", "place")))


def upgrade() -> None:
    """A table, and two columns, empty in every row that is there."""
    op.create_table(
        "prediction_blocks",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.add_column("predictions", sa.Column("block", TEXT, nullable=True))
    op.add_column("predictions", sa.Column("place", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Drop what `upgrade` made, after what stands in blocks is written into the rows."""
    held: dict[str, list[tuple[int, str]]] = {}
    connection = op.get_bind()
    for row, block, place in connection.execute(
        sa.select(ROWS.c.id, ROWS.c.block, ROWS.c.place).where(ROWS.c.block != "")
    ):
        held.setdefault(block, []).append((place, row))
    filled = ROWS.update().where(ROWS.c.id == sa.bindparam("row"))
    for block, rows in held.items():
        body = connection.execute(sa.select(BLOCKS.c.body).where(BLOCKS.c.id == block)).scalar_one()
        said = read_block(body, [place for place, _ in rows])
        texts = [
            {"row": row, "inputs": _json(inputs), "answers": _json(answers), "shadow": _json(shadow)}
            for (_, row), (inputs, answers, shadow) in zip(rows, said, strict=True)
        ]
        connection.execute(filled, texts)
    for name in ("place", "block"):
        op.drop_column("predictions", name)
    op.drop_table("prediction_blocks")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
