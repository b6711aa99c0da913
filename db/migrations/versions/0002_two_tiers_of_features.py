"""Two tiers of features, claimed by extraction workers; changed files are noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pooled_ready", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("feature_priority", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("claimed_by", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("file_size", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("file_mtime_ns", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_images_features_priority", ["features", "feature_priority", "id"], unique=False)
        batch_op.create_index("ix_images_pooled_ready", ["pooled_ready", "id"], unique=False)

    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "role",
                sa.Enum(
                    "learning",
                    "extraction",
                    name="worker_role",
                    native_enum=False,
                    create_constraint=True,
                    length=24,
                ),
                server_default="learning",
                nullable=False,
            )
        )

    # Until now a pooled vector was written with every image's features.
    op.execute("UPDATE images SET pooled_ready = (features = 'ready')")


def downgrade() -> None:
    """Revert."""
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_workers_worker_role"), type_="check")
        batch_op.drop_column("role")

    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_index("ix_images_pooled_ready")
        batch_op.drop_index("ix_images_features_priority")
        batch_op.drop_column("file_mtime_ns")
        batch_op.drop_column("file_size")
        batch_op.drop_column("claimed_by")
        batch_op.drop_column("feature_priority")
        batch_op.drop_column("pooled_ready")
