"""Images still to be extracted, in the random order of the session, without sorting them."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_images_features_random_key", "images", ["features", "random_key", "id"])


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_images_features_random_key", table_name="images")
