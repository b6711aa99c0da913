"""Comments on images."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("images", sa.Column("comment", sa.Text(), nullable=True))
    op.add_column("images", sa.Column("comment_revision", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Revert."""
    op.drop_column("images", "comment_revision")
    op.drop_column("images", "comment")
