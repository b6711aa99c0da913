"""Fine-tuned extractors: what is offered, and the change to one."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.finetuning import Adopt, FinetuningOut, Offer
from backend.services import session_config
from backend.services.plain_text import without_folders
from db.enums import CheckpointKind
from db.errors import ConflictError
from db.queries.session_info import get_session_info
from db.tables.learning import Checkpoint
from db.tables.session import SessionInfo
from ml_service.finetuning import adoption
from ml_service.finetuning.availability import why_not
from models.base import ExtractorInfo
from models.errors import WeightsError


def describe(context: AppContext) -> FinetuningOut:
    """As it stands."""
    with context.database.read() as db_session:
        info = get_session_info(db_session)
        reason = why_not(ExtractorInfo.from_json(info.extractor))
        path = adoption.adopted_path(info)
        adopted_id = db_session.scalar(select(Checkpoint.id).where(Checkpoint.path == path))
        return FinetuningOut(
            available=reason is None,
            reason=reason,
            adopted=path is not None,
            adopted_checkpoint_id=adopted_id,
            offer=_offer(context, db_session, info),
        )


def adopt(context: AppContext, wanted: Adopt) -> FinetuningOut:
    """Go on with another extractor; all features are made anew.

    Raises:
        NotFoundError, ConflictError: as `ml_service.finetuning.adoption.adopt`; the latter for damaged files too.
    """
    try:
        adoption.adopt(context.database, context.settings.session_dir, wanted.checkpoint_id, wanted.image_id)
    except WeightsError as error:
        raise ConflictError(without_folders(str(error))) from error
    session_config.refresh(context)
    return describe(context)


def _offer(context: AppContext, db_session: Session, info: SessionInfo) -> Offer | None:
    statement = select(Checkpoint).where(Checkpoint.kind == CheckpointKind.ADAPTER)
    newest = db_session.scalar(statement.order_by(Checkpoint.id.desc()).limit(1))
    if newest is None or not adoption.is_adoptable(info, context.settings.session_dir, newest):
        return None
    tuned, frozen = newest.metrics["held_out"], newest.metrics["frozen"]
    return Offer(
        checkpoint_id=newest.id,
        run_id=newest.run_id,
        held_out_loss=tuned["loss"],
        held_out_accuracy=tuned["accuracy"],
        held_out_iou=tuned["mean_iou"],
        frozen_loss=frozen["loss"],
        frozen_accuracy=frozen["accuracy"],
        frozen_iou=frozen["mean_iou"],
        n_samples=tuned["n_samples"],
        n_images=tuned["n_images"],
    )
