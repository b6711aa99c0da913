"""Saved heads, and which of them is in force."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.models import Checkpoint, CheckpointKind
from db.queries.events import add_event
from db.queries.session_info import get_session_info


def list_checkpoints(db_session: Session) -> list[Checkpoint]:
    """All, newest first."""
    return list(db_session.scalars(select(Checkpoint).order_by(Checkpoint.id.desc())))


def get_checkpoint(db_session: Session, checkpoint_id: int) -> Checkpoint:
    """One by its id.

    Raises:
        NotFoundError: there is none.
    """
    checkpoint = db_session.get(Checkpoint, checkpoint_id)
    if checkpoint is None:
        raise NotFoundError(f"there is no checkpoint {checkpoint_id}: GET /api/checkpoints lists them")
    return checkpoint


def active_checkpoint(db_session: Session) -> Checkpoint | None:
    """The checkpoint that predicts now; None while the live head does."""
    return db_session.scalar(select(Checkpoint).where(Checkpoint.active).limit(1))


def newest_live_checkpoint(db_session: Session) -> Checkpoint | None:
    """The last saved live head; its `metrics` are those of /api/stats."""
    statement = select(Checkpoint).where(Checkpoint.kind == CheckpointKind.LIVE)
    return db_session.scalar(statement.order_by(Checkpoint.id.desc()).limit(1))


def activate(db_session: Session, checkpoint_id: int) -> Checkpoint:
    """Let a saved head predict from now on, until the next change of an annotation.

    Raises:
        NotFoundError: there is none with this id.
    """
    checkpoint = get_checkpoint(db_session, checkpoint_id)
    deactivate(db_session)
    checkpoint.active = True
    info = get_session_info(db_session)
    info.head_version += 1
    # A refit that is still queued for older annotations must not undo this choice.
    info.head_label_sequence = info.label_sequence
    checkpoint.head_version = info.head_version
    add_event(db_session, "prediction", version=info.head_version, checkpoint_id=checkpoint.id)
    return checkpoint


def deactivate(db_session: Session) -> None:
    """Let the live head predict again."""
    db_session.execute(update(Checkpoint).where(Checkpoint.active).values(active=False))


def save_checkpoint_row(
    db_session: Session, kind: CheckpointKind, path: str, *, metrics: dict[str, Any], run_id: int | None = None
) -> tuple[Checkpoint, str | None]:
    """Register a checkpoint file; a run has one row, which follows its best weights from file to file.

    Returns:
        The row, and the path of the file that it no longer names, to be removed after the commit.
    """
    is_same = Checkpoint.path == path if run_id is None else Checkpoint.run_id == run_id
    checkpoint = db_session.scalar(select(Checkpoint).where(is_same))
    replaced = checkpoint.path if checkpoint is not None and checkpoint.path != path else None
    if checkpoint is None:
        parent_id = newest_checkpoint_id(db_session)
        version = get_session_info(db_session).head_version
        checkpoint = Checkpoint(kind=kind, run_id=run_id, parent_id=parent_id, head_version=version)
        db_session.add(checkpoint)
    checkpoint.path = path
    checkpoint.metrics = metrics
    db_session.flush()
    return checkpoint, replaced


def newest_checkpoint_id(db_session: Session) -> int | None:
    """The parent of the next checkpoint."""
    return db_session.scalar(select(Checkpoint.id).order_by(Checkpoint.id.desc()).limit(1))


def prune_live_checkpoints(db_session: Session, keep: int) -> list[str]:
    """Forget all but the newest `keep` live heads, never the active one; returns the paths of their files."""
    statement = select(Checkpoint).where(Checkpoint.kind == CheckpointKind.LIVE).order_by(Checkpoint.id.desc())
    surplus = [checkpoint for checkpoint in db_session.scalars(statement.offset(keep)) if not checkpoint.active]
    for checkpoint in surplus:
        db_session.delete(checkpoint)
    return [checkpoint.path for checkpoint in surplus]
