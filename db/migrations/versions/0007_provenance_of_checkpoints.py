"""Checkpoints have names, pins and the identity of their data; a job compares two of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KINDS = ("refit", "predict", "train")


def _job_kind(*kinds: str) -> sa.Enum:
    return sa.Enum(*kinds, name="job_kind", native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("checkpoints", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("pinned", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("dataset_hash", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("label_sequence", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("n_labels", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index("ix_checkpoints_dataset_hash", ["dataset_hash"], unique=False)

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("payload", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("result", sa.JSON(), nullable=True))
    _allow(*KINDS, "compare")


def downgrade() -> None:
    """Revert."""
    op.execute("DELETE FROM jobs WHERE kind = 'compare'")
    _allow(*KINDS)
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("result")
        batch_op.drop_column("payload")

    with op.batch_alter_table("checkpoints", schema=None) as batch_op:
        batch_op.drop_index("ix_checkpoints_dataset_hash")
        for column in ("activated_at", "n_labels", "label_sequence", "dataset_hash", "pinned", "name"):
            batch_op.drop_column(column)


def _allow(*kinds: str) -> None:
    """Let `jobs.kind` have these values and no others."""
    # Stated again: what is made anew on SQLite does not take this along by itself.
    with op.batch_alter_table("jobs", schema=None, table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.drop_constraint(op.f("ck_jobs_job_kind"), type_="check")
        batch_op.create_check_constraint(op.f("ck_jobs_job_kind"), sa.column("kind").in_(kinds))
