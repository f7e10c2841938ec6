"""Indexes for every question that a store is asked: by group and by who asked, by champion, by domain, by action."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = {
    "predictions_by_group": ("predictions", ["domain", "group", "at", "id"], '"group" IS NOT NULL'),
    "predictions_by_actor": ("predictions", ["domain", "actor", "at", "id"], "actor IS NOT NULL"),
    "batches_by_number": ("batches", ["receipt"], None),
    "drift_reports_by_day": ("drift_reports", ["at"], None),
    "decisions_by_day": ("decisions", ["at"], None),
    "decisions_by_key": ("decisions", ["domain", "target", "moment", "at"], None),
    "events_by_domain": ("events", ["domain", "at"], None),
    "accesses_by_action": ("accesses", ["action", "at"], None),
    "jobs_by_actor": ("jobs", ["actor", "at"], None),
}


def upgrade() -> None:
    """Make them; nothing that is there changes."""
    for name, (table, columns, known) in INDEXES.items():
        op.create_index(name, table, columns, sqlite_where=None if known is None else sa.text(known))
    op.drop_index("chunks_by_time", "chunks")
    op.create_index("chunks_by_time", "chunks", ["number", "at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("chunks_by_time", "chunks")
    op.create_index("chunks_by_time", "chunks", ["at"])
    for name, (table, *_) in INDEXES.items():
        op.drop_index(name, table)
