"""Checkpoints that go, with their files: one by its id, or all but the newest."""

from __future__ import annotations

from backend.schemas.checkpoints import KeptCheckpoint, PruneRequest, PruneResult
from backend.services.checkpoints import Shelf, outline
from db.queries import checkpoint_removal, checkpoints
from ml_service.checkpoint_files import find_leftovers, remove_files, remove_unnamed_files
from ml_service.data_snapshot import GRACE_S


def delete(shelf: Shelf, checkpoint_id: int) -> None:
    """Remove one, its files too. Its children become its parent's.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it predicts now, is pinned, or its run is at work.
    """
    with shelf.database.write() as db_session:
        paths = checkpoint_removal.remove(db_session, [checkpoint_removal.removable(db_session, checkpoint_id)])
    remove_unnamed_files(shelf.database, shelf.session_dir, paths)


def prune(shelf: Shelf, request: PruneRequest, *, grace_s: float = GRACE_S) -> PruneResult:
    """Remove all but the newest `keep`, what lost its file, and files that no checkpoint names.

    Never goes: what predicts, is pinned or has a name, adapters, the head of a run at work, the newest live head.

    Args:
        grace_s: age from which a file without a row is taken for left over.
    """
    with shelf.database.write() as db_session:
        leftovers = find_leftovers(db_session, shelf.session_dir, grace_s=grace_s)
        lost = [checkpoints.get_checkpoint(db_session, checkpoint_id) for checkpoint_id in leftovers.rows]
        lost = [
            row
            for row in lost
            if checkpoint_removal.why_kept(db_session, row) in (None, checkpoint_removal.MEASURES_LIVE)
        ]
        going = [row for row in checkpoint_removal.prunable(db_session, request.keep) if row not in lost]
        if request.only is not None:
            going = [row for row in going if row.id in request.only]
        removed = outline(shelf, db_session, going)
        kept = [
            KeptCheckpoint(id=row.id, reason=reason)
            for row in checkpoints.list_checkpoints(db_session)
            if row not in lost and (reason := checkpoint_removal.why_kept(db_session, row)) is not None
        ]
        lost_ids = [row.id for row in lost]
        freed = leftovers.size_bytes + sum(row.size_bytes or 0 for row in removed)
        paths = [] if request.dry_run else checkpoint_removal.remove(db_session, [*going, *lost])
    if not request.dry_run:
        remove_unnamed_files(shelf.database, shelf.session_dir, paths)
        remove_files(leftovers.files)
    return PruneResult(
        removed=removed,
        kept=kept,
        lost_ids=lost_ids,
        leftover_files=len(leftovers.files),
        freed_bytes=freed,
        dry_run=request.dry_run,
    )
