"""Regions of images: strokes, polygons, boxes and masks with a class."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STATES_PER_PORTION = 100
KINDS = sa.Enum(
    "stroke", "polygon", "box", "mask", name="region_kind", native_enum=False, create_constraint=True, length=24
)
ORIGINS = sa.Enum(
    "human", "accepted", "imported", "corrected",
    name="region_origin", native_enum=False, create_constraint=True, length=24,
)  # fmt: skip


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "region_shapes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("kind", KINDS, nullable=False),
        sa.Column("geometry", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_region_shapes_image_id_images"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region_shapes")),
        sa.UniqueConstraint("image_id", "digest", name=op.f("uq_region_shapes_image_id_digest")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "regions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("shape_id", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=True),
        sa.Column("origin", ORIGINS, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_regions_image_id_images"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["shape_id"], ["region_shapes.id"], name=op.f("fk_regions_shape_id_region_shapes"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name=op.f("fk_regions_class_id_classes"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regions")),
        sqlite_autoincrement=True,
    )
    for column in ("image_id", "shape_id", "class_id"):
        op.create_index(op.f(f"ix_regions_{column}"), "regions", [column])
    op.add_column("images", sa.Column("region_count", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Revert: regions go, from the histories too, and images that had nothing else are not labelled any more."""
    _forget_regions_of_states()
    op.execute(
        "UPDATE images SET status = 'unlabeled' WHERE status = 'labeled' AND region_count > 0 AND NOT EXISTS ("
        "SELECT 1 FROM points JOIN classes ON classes.id = points.class_id "
        "WHERE points.image_id = images.id AND classes.removed_at IS NULL)"
    )
    op.drop_column("images", "region_count")
    op.drop_table("regions")
    op.drop_table("region_shapes")


def _forget_regions_of_states() -> None:
    """Their shapes go, and other shapes may get the same numbers one day."""
    states = sa.table("annotation_states", sa.column("id", sa.Integer), sa.column("state", sa.JSON))
    connection = op.get_bind()
    last_id = 0
    portion = sa.select(states.c.id, states.c.state).order_by(states.c.id).limit(STATES_PER_PORTION)
    while rows := connection.execute(portion.where(states.c.id > last_id)).all():
        last_id = rows[-1].id
        for row in rows:
            if "regions" in row.state:
                state = {name: value for name, value in row.state.items() if name != "regions"}
                connection.execute(sa.update(states).where(states.c.id == row.id).values(state=state))
