"""Which head predicts: look, activate, roll back, release."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.schemas.checkpoints import CheckpointOut, HeadChoice
from backend.services.checkpoints import Shelf, outline, ways_back, why_not
from db.enums import JobKind
from db.errors import ConflictError
from db.queries import checkpoints
from db.queries.jobs import request_job
from db.queries.training_data import last_annotated_image_id


def get_in_force(shelf: Shelf) -> HeadChoice:
    """Who predicts now."""
    with shelf.database.read() as db_session:
        head = checkpoints.head_in_force(db_session)
        return HeadChoice(checkpoint=None if head is None else outline(shelf, db_session, [head])[0])


def activate(shelf: Shelf, checkpoint_id: int) -> CheckpointOut:
    """Let a saved head predict; the image worked on last comes first.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: it cannot be used.
    """
    with shelf.database.write() as db_session:
        checkpoint = checkpoints.get_checkpoint(db_session, checkpoint_id)
        problem = why_not(shelf, db_session, checkpoint)
        if problem is not None:
            raise ConflictError(f"checkpoint {checkpoint_id} cannot predict: {problem}")
        checkpoint = checkpoints.activate(db_session, checkpoint.id)
        _predict_open(db_session)
        db_session.flush()
        return outline(shelf, db_session, [checkpoint])[0]


def roll_back(shelf: Shelf) -> CheckpointOut | None:
    """Let the head predict that did before the present one; one whose file is gone is passed over.

    Returns:
        It; None where that was the live head, not saved yet.

    Raises:
        ConflictError: there is none.
    """
    with shelf.database.write() as db_session:
        for head in ways_back(shelf, db_session):
            checkpoints.go_back(db_session, head)
            _predict_open(db_session)
            db_session.flush()
            return None if head is None else outline(shelf, db_session, [head])[0]
        raise ConflictError("no head predicted before the present one: there is nothing to roll back to")


def release(shelf: Shelf) -> None:
    """Let the live head predict at once; no error if it does already."""
    with shelf.database.write() as db_session:
        if checkpoints.release(db_session):
            _predict_open(db_session)


def _predict_open(db_session: Session) -> None:
    image_id = last_annotated_image_id(db_session)
    if image_id is not None:
        request_job(db_session, JobKind.PREDICT, image_id)
