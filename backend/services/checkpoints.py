"""Saved heads: list, inspect, switch."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from backend.context import AppContext
from backend.schemas.training import CheckpointDetails, CheckpointOut
from db.errors import ConflictError
from db.models import Checkpoint, JobKind
from db.queries import checkpoints
from db.queries.jobs import request_job
from db.queries.training_data import last_annotated_image_id

logger = logging.getLogger(__name__)


def list_all(context: AppContext) -> list[CheckpointOut]:
    """Newest first."""
    with context.database.read() as db_session:
        return [_schema(checkpoint) for checkpoint in checkpoints.list_checkpoints(db_session)]


def get_details(context: AppContext, checkpoint_id: int) -> CheckpointDetails:
    """One, with its description file.

    Raises:
        NotFoundError: there is none with this id.
    """
    with context.database.read() as db_session:
        checkpoint = checkpoints.get_checkpoint(db_session, checkpoint_id)
    weights = context.config.session_dir / checkpoint.path
    size_bytes = weights.stat().st_size if weights.is_file() else None
    return CheckpointDetails(
        **_schema(checkpoint).model_dump(),
        description=_read_description(weights.with_suffix(".json")),
        size_bytes=size_bytes,
    )


def activate(context: AppContext, checkpoint_id: int) -> CheckpointOut:
    """Let a saved head predict; the image worked on last comes first.

    Raises:
        NotFoundError: there is none with this id.
        ConflictError: its file is gone.
    """
    with context.database.write() as db_session:
        checkpoint = checkpoints.get_checkpoint(db_session, checkpoint_id)
        if not (context.config.session_dir / checkpoint.path).is_file():
            raise ConflictError(f"the file of checkpoint {checkpoint_id} is gone: choose another one")
        checkpoint = checkpoints.activate(db_session, checkpoint_id)
        image_id = last_annotated_image_id(db_session)
        if image_id is not None:
            request_job(db_session, JobKind.PREDICT, image_id)
        db_session.flush()
        return _schema(checkpoint)


def _schema(checkpoint: Checkpoint) -> CheckpointOut:
    return CheckpointOut(
        id=checkpoint.id,
        kind=checkpoint.kind,
        active=checkpoint.active,
        head_version=checkpoint.head_version,
        parent_id=checkpoint.parent_id,
        run_id=checkpoint.run_id,
        metrics=checkpoint.metrics,
        created_at=checkpoint.created_at,
    )


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        logger.exception("the description of a checkpoint cannot be read")
        return {}
    return description if isinstance(description, dict) else {}
