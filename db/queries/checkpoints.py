"""Saved heads, and which of them is in force."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import CheckpointKind
from db.errors import ConflictError, InvalidInputError, NotFoundError
from db.queries.events import add_event
from db.queries.head_trail import cut_trail, note_step, read_trail
from db.queries.session_info import get_session_info
from db.tables.learning import Checkpoint

MAX_NAME_LENGTH = 80


def list_checkpoints(db_session: Session, *, below: int | None = None, limit: int | None = None) -> list[Checkpoint]:
    """All, newest first; of those with an id under `below` the first `limit`, where these are given."""
    statement = select(Checkpoint).order_by(Checkpoint.id.desc()).limit(limit)
    return list(db_session.scalars(statement if below is None else statement.where(Checkpoint.id < below)))


def count_checkpoints(db_session: Session) -> int:
    """How many there are."""
    return db_session.scalar(select(func.count()).select_from(Checkpoint)) or 0


def get_checkpoint(db_session: Session, checkpoint_id: int) -> Checkpoint:
    """One by its id.

    Raises:
        NotFoundError: there is none.
    """
    checkpoint = db_session.get(Checkpoint, checkpoint_id)
    if checkpoint is None:
        raise NotFoundError(f"there is no checkpoint {checkpoint_id}: the list of checkpoints says which there are")
    return checkpoint


_ACTIVE = select(Checkpoint).where(Checkpoint.active).limit(1)


def active_checkpoint(db_session: Session) -> Checkpoint | None:
    """The checkpoint that predicts now; None while the live head does."""
    return db_session.scalar(_ACTIVE)


def newest_live_checkpoint(db_session: Session) -> Checkpoint | None:
    """The last saved live head; its `metrics` are those of /api/stats."""
    statement = select(Checkpoint).where(Checkpoint.kind == CheckpointKind.LIVE)
    return db_session.scalar(statement.order_by(Checkpoint.id.desc()).limit(1))


def activate(db_session: Session, checkpoint_id: int) -> Checkpoint:
    """Let a saved head predict from now on, until the next change of an annotation.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it is no head.
    """
    checkpoint = get_checkpoint(db_session, checkpoint_id)
    if checkpoint.kind is CheckpointKind.ADAPTER:
        raise ConflictError(
            f"checkpoint {checkpoint_id} is an adapter of the extractor, no head: docs/finetuning.md tells how to "
            "adopt it"
        )
    note_step(db_session, _present_step(db_session))
    _let_predict(db_session, checkpoint)
    note_step(db_session, checkpoint.id)
    return checkpoint


def _let_predict(db_session: Session, checkpoint: Checkpoint) -> None:
    deactivate(db_session)
    checkpoint.active = True
    checkpoint.activated_at = utc_now()
    checkpoint.head_version = _next_version(db_session)
    add_event(db_session, "prediction", version=checkpoint.head_version, checkpoint_id=checkpoint.id)


def deactivate(db_session: Session) -> None:
    """Let the live head predict again."""
    db_session.execute(update(Checkpoint).where(Checkpoint.active).values(active=False))


def release(db_session: Session) -> bool:
    """Let the live head predict again at once, not only after the next annotation; false if it does already."""
    if active_checkpoint(db_session) is None:
        return False
    _let_live_predict(db_session)
    note_step(db_session, _present_step(db_session))
    return True


def _let_live_predict(db_session: Session) -> None:
    deactivate(db_session)
    add_event(db_session, "prediction", version=_next_version(db_session))


def _next_version(db_session: Session) -> int:
    info = get_session_info(db_session)
    info.head_version += 1
    # A refit that is still queued for older annotations must not undo this choice.
    info.head_label_sequence = info.label_sequence
    return info.head_version


def head_in_force(db_session: Session) -> Checkpoint | None:
    """The checkpoint that predicts: the active one, or the newest live one if it has learned from all labels there
    are; None if the live head that predicts has not been saved yet."""
    active = active_checkpoint(db_session)
    if active is not None:
        return active
    live = newest_live_checkpoint(db_session)
    is_present = live is not None and live.label_sequence == get_session_info(db_session).label_sequence
    return live if is_present else None


def earlier_heads(db_session: Session) -> list[Checkpoint | None]:
    """Heads that predicted before the present one, the last first; None is a live head that was not saved when another
    took over. Runs that never predicted are not among them, nor what was removed."""
    present = _present_step(db_session)
    trail = read_trail(db_session)
    # While the live head predicts it is no way back to itself, saved by now or not.
    here = {present} if active_checkpoint(db_session) is not None else {present, None}
    while trail and trail[-1] in here:
        trail.pop()
    found = db_session.scalars(
        select(Checkpoint).where(Checkpoint.id.in_([step for step in trail if step is not None]))
    )
    by_id: dict[int | None, Checkpoint | None] = {row.id: row for row in found}
    by_id[None] = None
    return [by_id[step] for step in reversed(trail) if step in by_id]


def go_back(db_session: Session, head: Checkpoint | None) -> None:
    """Let one of `earlier_heads` predict again; what predicted after it is forgotten, so that the next one leads
    further back."""
    cut_trail(db_session, None if head is None else head.id)
    if head is None:
        _let_live_predict(db_session)
    else:
        _let_predict(db_session, head)


def _present_step(db_session: Session) -> int | None:
    present = head_in_force(db_session)
    return None if present is None else present.id


def rename(checkpoint: Checkpoint, name: str | None) -> None:
    """Give a checkpoint a name, or take it away.

    Raises:
        InvalidInputError: the name is too long or has no visible character, or control characters.
    """
    wanted = None if name is None else " ".join(name.split())
    if wanted is not None and not (0 < len(wanted) <= MAX_NAME_LENGTH and wanted.isprintable()):
        raise InvalidInputError(
            f"name: found {wanted[:MAX_NAME_LENGTH]!r}, expected 1 to {MAX_NAME_LENGTH} printable characters"
        )
    checkpoint.name = wanted


def save_checkpoint_row(
    db_session: Session,
    kind: CheckpointKind,
    path: str,
    *,
    metrics: dict[str, Any],
    run_id: int | None = None,
    dataset_hash: str | None = None,
    label_sequence: int | None = None,
    n_labels: int | None = None,
) -> tuple[Checkpoint, str | None]:
    """Register a checkpoint file; a run has one row, which follows its best weights from file to file.

    Returns:
        The row, and the path of the file that it no longer names, to be removed after the commit.
    """
    is_same = Checkpoint.path == path if run_id is None else Checkpoint.run_id == run_id
    checkpoint = db_session.scalar(select(Checkpoint).where(is_same, Checkpoint.kind == kind))
    began = checkpoint is None and kind is CheckpointKind.LIVE and active_checkpoint(db_session) is None
    replaced = checkpoint.path if checkpoint is not None and checkpoint.path != path else None
    if checkpoint is None:
        parent_id = newest_checkpoint_id(db_session)
        version = get_session_info(db_session).head_version
        checkpoint = Checkpoint(kind=kind, run_id=run_id, parent_id=parent_id, head_version=version)
        db_session.add(checkpoint)
    checkpoint.path = path
    checkpoint.metrics = metrics
    checkpoint.dataset_hash, checkpoint.label_sequence, checkpoint.n_labels = dataset_hash, label_sequence, n_labels
    db_session.flush()
    if began:
        note_step(db_session, checkpoint.id, was_unsaved=True)
    return checkpoint, replaced


def newest_checkpoint_id(db_session: Session) -> int | None:
    """The parent of the next checkpoint."""
    return db_session.scalar(select(Checkpoint.id).order_by(Checkpoint.id.desc()).limit(1))


def next_parent_id(db_session: Session, checkpoint_id: int | None) -> int | None:
    """The parent of a checkpoint that is about to be written, or, with an id, of one that is written anew."""
    if checkpoint_id is None:
        return newest_checkpoint_id(db_session)
    return db_session.scalar(select(Checkpoint.parent_id).where(Checkpoint.id == checkpoint_id))


def named_paths(db_session: Session) -> set[str]:
    """Paths of all checkpoint files that a row names."""
    return set(db_session.scalars(select(Checkpoint.path)))


def named_datasets(db_session: Session) -> set[str]:
    """Hashes of all data snapshots that a row names."""
    found = db_session.scalars(select(Checkpoint.dataset_hash).where(Checkpoint.dataset_hash.is_not(None)).distinct())
    return {dataset_hash for dataset_hash in found if dataset_hash is not None}
