"""Classes of images that may have several, given back as a merge of classes is undone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from db.enums import Origin
from db.queries.annotation_rows import read_state, write_rows
from db.queries.annotation_rules import ClassRules, Standing
from db.queries.session_info import get_session_info
from db.tables.annotations import ImageClass
from db.tables.images import Image
from db.tables.session import ClassMerge, LabelClass


@dataclass(frozen=True)
class Dropped:
    """A class that the answer in force names again, and the rows of the image do not: while it was merged, the other
    class was excluded there as that answer came back.
    """

    origin: str
    is_missing: bool
    """Whether the image had it when it was merged."""


def give_back_marks(
    db_session: Session, noted: ClassMerge, said: dict[int, tuple[str, str | None]]
) -> dict[int, tuple[str, str | None]]:
    """Let images have the class again; returns what was `said` of those that still had the other one."""
    if not said:
        return {}
    is_marked = ImageClass.image_id.in_(said) & (ImageClass.class_id == noted.into_id)
    back = {image_id: said[image_id] for image_id in db_session.scalars(select(ImageClass.image_id).where(is_marked))}
    alone = [image_id for image_id, (_own, other) in back.items() if other is None]
    db_session.execute(
        update(ImageClass)
        .where(ImageClass.image_id.in_(alone), ImageClass.class_id == noted.into_id)
        .values(class_id=noted.class_id)
    )
    values = [
        {"image_id": image_id, "class_id": noted.class_id, "origin": Origin(own)}
        for image_id, (own, other) in back.items()
        if other is not None
    ]
    if values:
        db_session.execute(insert(ImageClass), values)
    return back


def changed_since(db_session: Session, noted: ClassMerge, image_ids: Collection[int]) -> list[int]:
    """Those of the images that were changed since the merge: the others have all that they had before it."""
    if not image_ids:
        return []
    merged_at = db_session.get_one(LabelClass, noted.class_id).unasked[-1][0]
    return list(db_session.scalars(select(Image.id).where(Image.id.in_(image_ids), Image.label_sequence >= merged_at)))


def give_back_dropped(db_session: Session, label_class: LabelClass, dropped: dict[int, Dropped]) -> dict[int, Dropped]:
    """Put the class back as undo would now, where nothing that the image has excludes it; returns those images'."""
    rules, task = ClassRules(db_session), get_session_info(db_session).task
    back = {}
    for image_id, mark in dropped.items():
        image = db_session.get_one(Image, image_id)
        before = read_state(db_session, image, task)
        held = {class_id for class_id, _origin in before.classes if class_id is not None}
        visible = before.visible(rules.present).classes
        classes = Standing(rules, before).answer((*visible, (label_class.id, Origin(mark.origin))))
        if {class_id for class_id, _origin in classes} == {*held, label_class.id} != held:
            write_rows(db_session, image, before, replace(before, classes=classes))
            back[image_id] = mark
    return back
