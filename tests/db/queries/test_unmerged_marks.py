"""Images with several classes, as a merge of two of them is taken back."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.annotations import clear, redo, set_classes, undo
from db.queries.class_groups import put_into_group, unasked_classes
from db.queries.classes import add_class, merge_class, remove_class, restore_class
from db.queries.images import get_image
from db.tables.annotations import ImageClass
from db.tables.session import LabelClass
from tests.conftest import ReadySession
from tests.db.queries.merging import A, B, C


def marked(db_session: Session, image_id: int = 1) -> set[int | None]:
    db_session.flush()
    return set(db_session.scalars(select(ImageClass.class_id).where(ImageClass.image_id == image_id)))


def unasked(db_session: Session, held: set[int]) -> tuple[int, ...]:
    db_session.flush()
    return unasked_classes(db_session).of(get_image(db_session, 1).answered_at, held)


def test_restore__a_class_that_a_group_had_dropped(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = get_image(db_session, 1)
        set_classes(db_session, image, {A, C})
        clear(db_session, image)
        revision = image.revision
        merge_class(db_session, C, B)
        undo(db_session, image)
        assert marked(db_session) == {A}, "A excludes B"
        assert restore_class(db_session, C)[1:] == (1, 0)
        assert marked(db_session) == {A, C}
        db_session.refresh(image)
        assert image.revision == revision + 2
        undo(db_session, image)
        redo(db_session, image)
        assert marked(db_session) == {A, C}


def test_restore__a_dropped_class_that_is_excluded_by_now(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = get_image(db_session, 1)
        set_classes(db_session, image, {A, C})
        clear(db_session, image)
        late = add_class(db_session, "late", None).id
        put_into_group(db_session, db_session.get_one(LabelClass, C), "day time")
        merge_class(db_session, C, late)
        put_into_group(db_session, db_session.get_one(LabelClass, A), "day time")
        put_into_group(db_session, db_session.get_one(LabelClass, late), "day time")
        undo(db_session, image)
        assert marked(db_session) == {A}
        assert restore_class(db_session, C)[1:] == (0, 0)
        assert marked(db_session) == {A}


def test_restore__the_other_class_was_removed_as_the_answer_came_back(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = get_image(db_session, 1)
        set_classes(db_session, image, {C})
        merge_class(db_session, C, B)
        remove_class(db_session, B)
        undo(db_session, image)
        redo(db_session, image)
        assert marked(db_session) == {B}, "hidden"
        assert restore_class(db_session, C)[1:] == (1, 0)
        assert marked(db_session) == {C}


def test_restore__what_was_dropped_before_the_merge_stays_so(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = get_image(db_session, 1)
        late = add_class(db_session, "late", None).id
        set_classes(db_session, image, {A, late})
        clear(db_session, image)
        put_into_group(db_session, db_session.get_one(LabelClass, late), "light")
        undo(db_session, image)
        put_into_group(db_session, db_session.get_one(LabelClass, late), None)
        assert marked(db_session) == {A}
        merge_class(db_session, late, C)
        assert restore_class(db_session, late)[1:] == (0, 0)
        assert marked(db_session) == {A}


def test_restore__a_removal_of_the_other_class_is_not_forgotten(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        # Both are gone from the same answer on: A has no image.
        merge_class(db_session, A, B)
        remove_class(db_session, B)
        set_classes(db_session, get_image(db_session, 1), {C})
        restore_class(db_session, A)
        restore_class(db_session, B)
        assert unasked(db_session, {C}) == (A, B)
        spans = dict(db_session.execute(select(LabelClass.id, LabelClass.unasked)).all())
        assert spans == {A: [[1, 1]], B: [[1, 1]], C: []}
