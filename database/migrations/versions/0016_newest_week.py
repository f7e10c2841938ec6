"""Of school weeks the newest answer of a student takes the place of earlier ones: places have a column of their own."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TEXT: TypeEngine[Any] = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KEPT = '"student", "domain", "target", "group", "period", "at", "prediction", "below", "why"'
SAME = " AND ".join(f'later."{name}" = the."{name}"' for name in ("student", "domain", "target"))
NEWER = '(later."period", later."at", later."prediction") > (the."period", the."at", the."prediction")'
BEFORE = "newest_before"


def upgrade() -> None:
    """The table anew, with what is in it; of weeks the newest of each student."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    tab = "char(9)" if on_sqlite else "chr(9)"
    is_week = "GLOB '[0-9][0-9][0-9][0-9]* W[0-9][0-9]'" if on_sqlite else r"~ '^\d{4}\S* W\d{2}$'"
    _make_again(["student", "domain", "target", "place"], ["group", "period"])
    op.execute(f"""
        INSERT INTO newest ("place", {KEPT}) SELECT "group" || {tab} || "period", {KEPT} FROM {BEFORE}
        WHERE NOT ("period" {is_week})
    """)
    op.execute(f"""
        INSERT INTO newest ("place", {KEPT}) SELECT '', {KEPT} FROM {BEFORE} AS the WHERE "period" {is_week}
        AND NOT EXISTS (SELECT 1 FROM {BEFORE} AS later WHERE {SAME} AND later."period" {is_week} AND {NEWER})
    """)
    op.drop_table(BEFORE)


def downgrade() -> None:
    """The former key; a student keeps its newest week."""
    _make_again(["student", "domain", "target", "group", "period"], [])
    op.execute(f"INSERT INTO newest ({KEPT}) SELECT {KEPT} FROM {BEFORE}")
    op.drop_table(BEFORE)


def _make_again(key: list[str], beside: list[str]) -> None:
    op.drop_index("newest_by_chance", "newest")
    op.rename_table("newest", BEFORE)
    if op.get_bind().dialect.name == "postgresql":  # which keeps the name of the key
        op.execute(f"ALTER INDEX newest_pkey RENAME TO {BEFORE}_pkey")
    op.create_table(
        "newest",
        *(sa.Column(name, TEXT, primary_key=True) for name in key),
        *(sa.Column(name, TEXT, nullable=False) for name in beside),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("prediction", TEXT, nullable=False),
        sa.Column("below", sa.Double(), nullable=True),
        sa.Column("why", TEXT, nullable=False),
    )
    columns = ["domain", "target", "below", "student", "group", "period", "at"]
    op.create_index("newest_by_chance", "newest", columns)
