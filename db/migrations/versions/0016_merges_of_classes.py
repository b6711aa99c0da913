"""What merges of classes changed, so that they can be undone."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Merges made before stay for good: what they changed is not known."""
    op.create_table(
        "class_merges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("into_id", sa.Integer(), nullable=False),
        sa.Column("last_state_id", sa.Integer(), nullable=False),
        sa.Column("usage", sa.JSON(), nullable=False),
        sa.Column("tree", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name=op.f("fk_class_merges_class_id_classes"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["into_id"], ["classes.id"], name=op.f("fk_class_merges_into_id_classes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_merges")),
        sa.UniqueConstraint("class_id", name=op.f("uq_class_merges_class_id")),
    )
    op.create_table(
        "merged_annotations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("merge_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("state_id", sa.Integer(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merge_id"],
            ["class_merges.id"],
            name=op.f("fk_merged_annotations_merge_id_class_merges"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_merged_annotations_image_id_images"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merged_annotations")),
    )
    op.create_index("ix_merged_annotations_merge_id_image_id", "merged_annotations", ["merge_id", "image_id"])
    op.create_index(op.f("ix_merged_annotations_image_id"), "merged_annotations", ["image_id"])


def downgrade() -> None:
    """Revert: what was merged stays merged."""
    op.drop_table("merged_annotations")
    op.drop_table("class_merges")
