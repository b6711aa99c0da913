"""Which regions of an image came with an acceptance of the whole prediction, and which were accepted one by one."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import RegionOrigin
from db.tables.annotations import AnnotationState


def accepted_one_by_one(db_session: Session, image_id: int) -> frozenset[int]:
    """Ids of accepted regions that the history shows to have come alone, in place of no other.

    The history tells nothing of what stood in its oldest state: that counts as accepted as a whole, unless it is the
    first state of all. A whole that is one region counts as one as well.
    """
    states = db_session.execute(
        select(AnnotationState.position, AnnotationState.state)
        .where(AnnotationState.image_id == image_id)
        .order_by(AnnotationState.position)
    )
    known: set[int] = set()
    alone: set[int] = set()
    before_it: int | None = 0
    stood: set[int] = set()
    for position, state in states:
        accepted = [r["id"] for r in state.get("regions", ()) if r["origin"] == RegionOrigin.ACCEPTED]
        new = [region_id for region_id in accepted if region_id not in known]
        if position - 1 == before_it and len(new) == 1 and stood.issubset(accepted):
            alone.update(new)
        known.update(new)
        before_it, stood = position, set(accepted)
    return frozenset(alone)
