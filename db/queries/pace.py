"""When people changed annotations, newest first: what their pace is computed from."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ColumnElement, Text, and_, case, cast, false, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from db.enums import ImageStatus, Origin
from db.tables.annotations import AnnotationState
from db.tables.images import Image

FIRST_POSITION = 1
IMPORTED = f'"{Origin.IMPORTED}"'
SCANNED_PER_CHANGE = 4
"""Behind an import of many images people's changes are not looked for: they were made long before."""


def newest_changes(db_session: Session, limit: int) -> list[tuple[dt.datetime, bool]]:
    """(when, whether it was the first change of an image that is answered by now), oldest first, without imports."""
    newest = select(AnnotationState.id).order_by(AnnotationState.id.desc()).limit(SCANNED_PER_CHANGE * limit).subquery()
    before = aliased(AnnotationState)
    is_before = and_(before.image_id == AnnotationState.image_id, before.position == AnnotationState.position - 1)
    begins = and_(AnnotationState.position == FIRST_POSITION, Image.status != ImageStatus.UNLABELED)
    # Only an import brings more of what is imported; what people change is theirs.
    is_import = case(
        (cast(AnnotationState.state, Text).not_like(f"%{IMPORTED}%"), false()),
        (AnnotationState.position == FIRST_POSITION, true()),
        (before.id.is_(None), false()),
        else_=_imported(AnnotationState.state) > _imported(before.state),
    )
    rows = db_session.execute(
        select(AnnotationState.created_at, begins, is_import)
        .join(newest, newest.c.id == AnnotationState.id)
        .join(Image, Image.id == AnnotationState.image_id)
        .outerjoin(before, is_before)
        .order_by(AnnotationState.id.desc())
    )
    changes = [(at, bool(is_first)) for at, is_first, is_imported in rows if not is_imported]
    return sorted(changes[:limit])


def _imported(state: InstrumentedAttribute[dict[str, object]]) -> ColumnElement[int]:
    """How many letters of a state say that something is imported."""
    text = cast(state, Text)
    return func.length(text) - func.length(func.replace(text, IMPORTED, ""))
