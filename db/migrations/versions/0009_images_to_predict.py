"""An index by which the images to predict anew are found without a look at all others."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_images_features_predicted", "images", ["features", "predicted_version", "id"])


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_images_features_predicted", table_name="images")
