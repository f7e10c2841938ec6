"""What every upload said of an outcome that was corrected, so that a correction can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column; of what was corrected before, the present value alone is known."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("outcomes", sa.Column("said", text, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("outcomes", "said")
