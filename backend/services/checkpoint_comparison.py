"""Two checkpoints side by side: what differs, what was measured, and a measurement of both on the same images."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.schemas.checkpoints import CheckpointComparison, ConfigDifference, Measurement, MeasurementState
from backend.services.checkpoint_difference import config_difference, data_difference, metric_pairs
from backend.services.checkpoints import Shelf, class_looks, find_snapshot, outline, why_not
from backend.services.plain_text import without_folders
from db.errors import ConflictError, InvalidInputError
from db.queries.checkpoints import get_checkpoint
from db.queries.comparisons import newest_comparison, request_comparison
from db.queries.session_info import get_session_info
from db.tables.learning import Checkpoint
from ml_service.checkpoint_description import read_description
from ml_service.errors import CheckpointError


def compare(shelf: Shelf, a_id: int, b_id: int) -> CheckpointComparison:
    """How b differs from a.

    Raises:
        NotFoundError: there is no such checkpoint.
        InvalidInputError: both are the same.
    """
    with shelf.database.read() as db_session:
        a, b = _pair(db_session, a_id, b_id)
        short = outline(shelf, db_session, [a, b])
        names, colors = class_looks(db_session)
        measurement = _measurement(db_session, a_id, b_id)
    config, equal = _config(shelf, a, b)
    snapshots, problem = [], None
    for checkpoint in (a, b):
        snapshot, why = find_snapshot(shelf, checkpoint)
        problem = problem or (None if why is None else f"checkpoint {checkpoint.id}: {why}")
        snapshots.append(snapshot)
    first, second = snapshots
    return CheckpointComparison(
        a=short[0],
        b=short[1],
        config=config,
        config_equal=equal,
        data=None if first is None or second is None else data_difference(first, second, names, colors),
        data_problem=problem,
        metrics=metric_pairs(a.metrics, b.metrics),
        measurement=measurement,
    )


def measure(shelf: Shelf, a_id: int, b_id: int) -> Measurement:
    """Have both measured on the same held-out images by the ML service; at once if that is done and nothing changed.

    Raises:
        NotFoundError: there is no such checkpoint.
        InvalidInputError: both are the same.
        ConflictError: one of the two cannot be used.
    """
    with shelf.database.write() as db_session:
        for checkpoint in _pair(db_session, a_id, b_id):
            why = why_not(shelf, db_session, checkpoint)
            if why is not None:
                raise ConflictError(f"checkpoint {checkpoint.id} cannot be measured: {why}")
        found = _measurement(db_session, a_id, b_id)
        at_hand = found.state is MeasurementState.DONE and not found.stale
        if not at_hand and found.state is not MeasurementState.RUNNING:
            request_comparison(db_session, a_id, b_id)
        db_session.flush()
        return _measurement(db_session, a_id, b_id)


def _pair(db_session: Session, a_id: int, b_id: int) -> tuple[Checkpoint, Checkpoint]:
    if a_id == b_id:
        raise InvalidInputError(f"found checkpoint {a_id} twice: name two different ones")
    return get_checkpoint(db_session, a_id), get_checkpoint(db_session, b_id)


def _config(shelf: Shelf, a: Checkpoint, b: Checkpoint) -> tuple[list[ConfigDifference], int]:
    try:
        said = [read_description(shelf.session_dir, checkpoint.path) for checkpoint in (a, b)]
    except CheckpointError:
        return [], 0
    return config_difference(said[0], said[1])


def _measurement(db_session: Session, a_id: int, b_id: int) -> Measurement:
    job = newest_comparison(db_session, a_id, b_id)
    if job is None:
        return Measurement(state=MeasurementState.NONE, stale=False, error=None, result=None)
    sequence = get_session_info(db_session).label_sequence
    return Measurement(
        state=MeasurementState(job.state.value),
        stale=job.result is not None and job.result["label_sequence"] != sequence,
        error=None if job.error is None else without_folders(job.error),
        result=job.result,
    )
