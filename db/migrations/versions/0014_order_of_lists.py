"""Lists of images along an index by how sure the prediction is, and by predicted class."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_images_uncertainty", "images", ["uncertainty", "id"])
    op.create_index("ix_images_predicted", "images", ["predicted_class_id", "uncertainty", "id"])


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_images_predicted", table_name="images")
    op.drop_index("ix_images_uncertainty", table_name="images")
