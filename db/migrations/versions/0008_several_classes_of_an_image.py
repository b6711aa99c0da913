"""Several classes of an image, and groups of classes that exclude each other."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ORIGINS = ("human", "extracted", "accepted", "imported")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "image_classes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=True),
        sa.Column(
            "origin",
            sa.Enum(*ORIGINS, name="image_class_origin", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name=op.f("fk_image_classes_class_id_classes"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_image_classes_image_id_images"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_classes")),
        sa.UniqueConstraint("image_id", "class_id", name=op.f("uq_image_classes_image_id_class_id")),
    )
    op.create_index("ix_image_classes_class_id", "image_classes", ["class_id"])
    op.add_column("classes", sa.Column("exclusive_group", sa.String(200), nullable=True))


def downgrade() -> None:
    """Revert."""
    op.drop_column("classes", "exclusive_group")
    op.drop_index("ix_image_classes_class_id", table_name="image_classes")
    op.drop_table("image_classes")
