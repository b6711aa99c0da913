"""Classes stand below others; images of which a person cannot tell."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATUSES = ("unlabeled", "labeled", "skipped")


def upgrade() -> None:
    """Apply."""
    op.add_column("classes", sa.Column("parent_id", sa.Integer(), nullable=True))
    op.add_column("classes", sa.Column("merged_into_id", sa.Integer(), nullable=True))
    _allow(*STATUSES, "undetermined")


def downgrade() -> None:
    """Revert. What nobody could tell becomes skipped: both are set aside, with nothing to learn."""
    op.execute("UPDATE images SET status = 'skipped' WHERE status = 'undetermined'")
    _allow(*STATUSES)
    op.drop_column("classes", "merged_into_id")
    op.drop_column("classes", "parent_id")


def _allow(*statuses: str) -> None:
    """Let `images.status` have these values and no others."""
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_images_image_status"), type_="check")
        batch_op.create_check_constraint(op.f("ck_images_image_status"), sa.column("status").in_(statuses))
