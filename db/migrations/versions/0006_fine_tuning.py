"""Kinds of runs; saved adapters of a fine-tuned extractor."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KINDS = ("live", "run")


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "kind",
                sa.Enum("head", "finetune", name="run_kind", native_enum=False, create_constraint=True, length=24),
                server_default="head",
                nullable=False,
            )
        )
    _allow_checkpoints(KINDS, (*KINDS, "adapter"))


def downgrade() -> None:
    """Revert. Adapters cannot be told of any more; their files stay."""
    op.execute("DELETE FROM checkpoints WHERE kind = 'adapter'")
    _allow_checkpoints((*KINDS, "adapter"), KINDS)
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_runs_run_kind"), type_="check")
        batch_op.drop_column("kind")


def _allow_checkpoints(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    with op.batch_alter_table("checkpoints", schema=None) as batch_op:
        batch_op.alter_column("kind", existing_type=_kind(old), type_=_kind(new), existing_nullable=False)


def _kind(values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name="checkpoint_kind", native_enum=False, create_constraint=True, length=24)
