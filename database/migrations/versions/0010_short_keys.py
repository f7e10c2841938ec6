"""Students and records are found by the first eight characters of their keys, and then by the whole."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = {
    "predictions_by_student": ("predictions", ["domain"], "student", "student IS NOT NULL"),
    "outcomes_by_student": ("outcomes", ["domain"], "student", "student IS NOT NULL"),
    "batch_rows_by_record": ("batch_rows", [], "record", None),
}


def upgrade() -> None:
    """Indexes of a quarter of the size; nothing that is there changes."""
    _make_again("substr({}, 1, 8)")


def downgrade() -> None:
    """The former indexes, of whole keys."""
    _make_again("{}")


def _make_again(form: str) -> None:
    for name, (table, before, key, known) in INDEXES.items():
        op.drop_index(name, table)
        where = None if known is None else sa.text(known)
        op.create_index(name, table, [*before, sa.text(form.format(key))], sqlite_where=where)
