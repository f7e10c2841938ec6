"""On PostgreSQL the log of predictions is in months, which go whole; a large one stays as it is until it is told.

Unlike the others it asks the code of today, which the command asks, too: what that does depends on these two tables
as they are found.
"""

import sqlalchemy as sa
from alembic import op

from database.partitions import is_parted, make_whole, part_whole

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MOST_LOOKED_THROUGH = 5_000_000
"""Predictions that PostgreSQL looks through while everybody waits: a second or two. More are for
`gradewatch database partition`, for which nobody waits."""


def upgrade() -> None:
    """What is there becomes the first part, uncopied."""
    if op.get_bind().dialect.name != "postgresql":
        return
    known = op.get_bind().execute(sa.text("SELECT reltuples FROM pg_class WHERE oid = to_regclass('predictions')"))
    if known.scalar_one() <= MOST_LOOKED_THROUGH:
        part_whole(op.get_bind())


def downgrade() -> None:
    """One table again."""
    if op.get_bind().dialect.name == "postgresql" and is_parted(op.get_bind()):
        make_whole(op.get_bind())
