"""Which saved heads may go, and their end."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.enums import CheckpointKind
from db.errors import ConflictError
from db.queries.checkpoints import get_checkpoint, list_checkpoints, newest_live_checkpoint
from db.queries.runs import runs_at_work
from db.queries.session_info import ADAPTER_KEY, get_session_info
from db.tables.learning import Checkpoint

MEASURES_LIVE = "the quality shown for the live head was measured on it"
IN_USE = "the session's extractor is made with it"


def why_kept(db_session: Session, checkpoint: Checkpoint) -> str | None:
    """Why a checkpoint must not go without being asked for by its id; None if it may."""
    if checkpoint.active:
        return "it predicts now"
    if checkpoint.kind is CheckpointKind.ADAPTER and _is_adopted(db_session, checkpoint):
        return IN_USE
    if checkpoint.pinned:
        return "it is pinned"
    if checkpoint.name is not None:
        return "it has a name"
    if checkpoint.kind is CheckpointKind.ADAPTER:
        return "it is an adapter of the extractor"
    if checkpoint.run_id in {run.id for run in runs_at_work(db_session)}:
        return "its run is at work"
    newest = newest_live_checkpoint(db_session)
    if newest is not None and newest.id == checkpoint.id:
        return MEASURES_LIVE
    return None


def _is_adopted(db_session: Session, checkpoint: Checkpoint) -> bool:
    adopted = get_session_info(db_session).config.get(ADAPTER_KEY)
    # A YAML file may name it by its whole path.
    return adopted is not None and (adopted == checkpoint.path or str(adopted).endswith(f"/{checkpoint.path}"))


def prunable(db_session: Session, keep: int) -> list[Checkpoint]:
    """All but the newest `keep` of those that may go, newest first."""
    may_go = [checkpoint for checkpoint in list_checkpoints(db_session) if why_kept(db_session, checkpoint) is None]
    return may_go[keep:]


def remove(db_session: Session, checkpoints: Sequence[Checkpoint]) -> list[str]:
    """Forget checkpoints; the children of each become its parent's. Returns the paths of their files, to be removed
    after the commit."""
    for checkpoint in checkpoints:
        # One by one and flushed, so that a chain within those that go is followed to its end.
        parent_id = db_session.scalar(select(Checkpoint.parent_id).where(Checkpoint.id == checkpoint.id))
        children = update(Checkpoint).where(Checkpoint.parent_id == checkpoint.id).values(parent_id=parent_id)
        db_session.execute(children.execution_options(synchronize_session="fetch"))
        db_session.delete(checkpoint)
        db_session.flush()
    return [checkpoint.path for checkpoint in checkpoints]


def removable(db_session: Session, checkpoint_id: int) -> Checkpoint:
    """A checkpoint that a person may remove by its id.

    Raises:
        NotFoundError: there is none.
        ConflictError: it predicts now, the extractor is made with it, it is pinned, or its run is at work.
    """
    checkpoint = get_checkpoint(db_session, checkpoint_id)
    why = why_kept(db_session, checkpoint)
    remedies = {
        "it predicts now": "activate another one, or let the live head predict",
        IN_USE: "go back to the extractor without it first (`fewclick adopt --base`)",
        "it is pinned": "unpin it first",
        "its run is at work": "stop the run first",
    }
    if why in remedies:
        raise ConflictError(f"checkpoint {checkpoint_id} cannot be removed, as {why}: {remedies[why]}")
    return checkpoint


def prune_live_checkpoints(db_session: Session, keep: int) -> list[str]:
    """Forget all but the newest `keep` live heads, never one that is active, pinned or named; the paths of their
    files."""
    statement = select(Checkpoint).where(Checkpoint.kind == CheckpointKind.LIVE).order_by(Checkpoint.id.desc())
    surplus = db_session.scalars(statement.offset(keep)).all()
    return remove(db_session, [c for c in surplus if not (c.active or c.pinned or c.name is not None)])
