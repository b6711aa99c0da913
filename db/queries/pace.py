"""When people changed annotations, newest first: what their pace is computed from."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Text, and_, cast, select
from sqlalchemy.orm import Session

from db.enums import ImageStatus
from db.tables.annotations import AnnotationState
from db.tables.images import Image

FIRST_POSITION = 1


def newest_changes(db_session: Session, limit: int) -> list[tuple[dt.datetime, bool]]:
    """(when, whether it was the first change of an image that is answered by now), oldest first, without imports."""
    begins = and_(AnnotationState.position == FIRST_POSITION, Image.status != ImageStatus.UNLABELED)
    rows = db_session.execute(
        select(AnnotationState.created_at, begins)
        .join(Image, Image.id == AnnotationState.image_id)
        .where(cast(AnnotationState.state, Text).not_like('%"imported"%'))
        .order_by(AnnotationState.id.desc())
        .limit(limit)
    )
    return sorted((at, bool(is_first)) for at, is_first in rows)
