"""Shapes of regions that no state of their image names any more: found in small portions, beside the work of people."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.queries.annotation_change import session_info
from db.queries.portions import IDS_PER_STATEMENT
from db.tables.annotations import AnnotationState, Region, RegionShape
from db.tables.images import Image


def next_image_with_shapes(db_session: Session, after_id: int) -> tuple[int, int] | None:
    """Id and revision of the next image by id that has shapes; None behind the last one."""
    image_id = db_session.scalar(select(func.min(RegionShape.image_id)).where(RegionShape.image_id > after_id))
    if image_id is None:
        return None
    return image_id, db_session.get_one(Image, image_id).revision


def shapes_in_states(
    db_session: Session, image_id: int, after_position: int, count: int
) -> tuple[int | None, frozenset[int]]:
    """Shapes that the next `count` states of an image name, and the position of the last; None if there is no more."""
    statement = (
        select(AnnotationState.position, AnnotationState.state)
        .where(AnnotationState.image_id == image_id, AnnotationState.position > after_position)
        .order_by(AnnotationState.position)
        .limit(count)
    )
    rows = db_session.execute(statement).all()
    named = frozenset(region["shape_id"] for row in rows for region in row.state.get("regions", ()))
    return (rows[-1].position if rows else None), named


def unused_shapes(db_session: Session, image_id: int, named: AbstractSet[int]) -> list[int]:
    """Shapes of an image that neither its states, which name `named`, nor its regions need; some, if there are many."""
    in_force = db_session.scalars(select(Region.shape_id).where(Region.image_id == image_id))
    known = db_session.scalars(select(RegionShape.id).where(RegionShape.image_id == image_id))
    return sorted(set(known) - named - set(in_force))[:IDS_PER_STATEMENT]


def forget_shapes(db_session: Session, image_id: int, revision: int, shape_ids: list[int]) -> bool:
    """Delete shapes that were unused when the image had a revision; False, and nothing is done, if it has another."""
    # Taken first, as every change does: none comes in between.
    session_info(db_session)
    if db_session.scalar(select(Image.revision).where(Image.id == image_id)) != revision:
        return False
    db_session.execute(delete(RegionShape).where(RegionShape.id.in_(shape_ids)))
    return True
