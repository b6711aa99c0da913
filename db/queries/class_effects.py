"""What a change of the classes means for the images that have them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, exists, func, select, update
from sqlalchemy.orm import Session

from db.enums import ImageStatus, JobKind
from db.queries.events import add_events
from db.queries.jobs import request_job
from db.queries.portions import in_portions
from db.queries.session_info import get_session_info
from db.tables.annotations import ANNOTATION_TABLES, ImageClass, Label, Point, Region
from db.tables.images import Image
from db.tables.session import LabelClass


def count_annotations(db_session: Session, class_id: int) -> int:
    """Points, regions and labels of a class as they are stored."""
    return sum(
        db_session.scalar(select(func.count()).where(table.class_id == class_id)) or 0 for table in ANNOTATION_TABLES
    )


def affected_images(db_session: Session, *class_ids: int) -> list[int]:
    """Images with an annotation of one of the classes."""
    found: set[int] = set()
    for table in ANNOTATION_TABLES:
        with_one = select(table.image_id).where(table.class_id.in_(class_ids)).distinct()
        found.update(db_session.connection().scalars(with_one))
    return sorted(found)


def note_change(db_session: Session, image_ids: Collection[int]) -> None:
    """Record that the annotations of these images show differently now: status, revision, refit, events."""
    if not image_ids:
        return
    info = get_session_info(db_session)
    info.label_sequence += 1
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    is_labelled = (
        exists().where(Point.image_id == Image.id, Point.class_id.in_(present))
        | exists().where(Label.image_id == Image.id, Label.class_id.in_(present))
        | exists().where(Region.image_id == Image.id, Region.class_id.in_(present))
        # An answer stays one for the classes that are left.
        | exists().where(ImageClass.image_id == Image.id)
    )
    status = case(
        (Image.status.in_((ImageStatus.SKIPPED, ImageStatus.UNDETERMINED)), Image.status),
        (is_labelled, ImageStatus.LABELED),
        else_=ImageStatus.UNLABELED,
    )
    for ids in in_portions(sorted(image_ids)):
        db_session.execute(
            update(Image)
            .where(Image.id.in_(ids))
            .values(revision=Image.revision + 1, label_sequence=info.label_sequence, status=status)
            .execution_options(synchronize_session=False)
        )
        changed = db_session.connection().execute(select(Image.id, Image.revision).where(Image.id.in_(ids))).all()
        revisions = [{"image_id": image_id, "revision": revision} for image_id, revision in changed]
        add_events(db_session, "annotation", revisions)
    # Read anew where they are known: to have the rows returned for that costs more than all the rest.
    for known in db_session.identity_map.values():
        if isinstance(known, Image):
            db_session.expire(known)
    request_job(db_session, JobKind.REFIT)
