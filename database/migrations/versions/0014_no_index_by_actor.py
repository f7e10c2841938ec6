"""No index of predictions by who asked: no question read it, and every prediction paid for it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INDEX = "predictions_by_actor"


def upgrade() -> None:
    """Drop it."""
    op.drop_index(INDEX, "predictions")


def downgrade() -> None:
    """Make it again."""
    op.create_index(INDEX, "predictions", ["domain", "actor", "at", "id"], sqlite_where=sa.text("actor IS NOT NULL"))
