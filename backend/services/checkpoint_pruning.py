"""Checkpoints that go, with their files: one by its id, or all but the newest."""

from __future__ import annotations

from backend.schemas.checkpoints import KeptCheckpoint, PruneRequest, PruneResult
from backend.services.checkpoints import Shelf, outline
from db.queries import checkpoint_removal, checkpoints
from db.queries.run_removal import count_old_epochs, forget_old_epochs, wait_for_disk
from ml_service.checkpoint_files import find_leftovers, remove_files, remove_unnamed_files
from ml_service.data_snapshot import GRACE_S
from ml_service.session_leftovers import find_session_leftovers, remove_found, size_of


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
    """Remove all but the newest `keep`, what lost its file, files that nothing refers to, and losses of old runs.

    Never goes: what predicts, is pinned or has a name, adapters, the head of a run at work, the newest live head.

    Args:
        grace_s: age from which a file without a row is taken for left over.
    """
    with shelf.database.write(durable=True) as db_session:
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
        epochs = count_old_epochs(db_session)
        of_runs = find_session_leftovers(db_session, shelf.session_dir, grace_s=grace_s)
        paths = []
        if not request.dry_run:
            paths = checkpoint_removal.remove(db_session, [*going, *lost])
            forget_old_epochs(db_session)
            wait_for_disk(db_session)
    freed = size_of([*leftovers.files, *of_runs]) + sum(row.size_bytes or 0 for row in removed)
    if not request.dry_run:
        remove_found(shelf.database, shelf.session_dir, of_runs, grace_s=grace_s)
        remove_unnamed_files(shelf.database, shelf.session_dir, paths)
        remove_files(leftovers.files)
    return PruneResult(
        removed=removed,
        kept=kept,
        lost_ids=lost_ids,
        leftover_files=len(leftovers.files) + len(of_runs),
        epochs=epochs,
        freed_bytes=freed,
        dry_run=request.dry_run,
    )
