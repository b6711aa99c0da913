"""When an image was answered, and which answers a class was no part of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("classes", sa.Column("unasked", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("images", sa.Column("answered_at", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE images SET answered_at = label_sequence WHERE id IN (SELECT image_id FROM image_classes)")


def downgrade() -> None:
    """Revert."""
    op.drop_column("images", "answered_at")
    op.drop_column("classes", "unasked")
