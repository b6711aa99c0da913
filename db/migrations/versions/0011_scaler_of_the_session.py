"""The scaler that the live head was fitted with, so that a service that starts anew goes on with it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("session_info", sa.Column("scaler", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Revert."""
    op.drop_column("session_info", "scaler")
