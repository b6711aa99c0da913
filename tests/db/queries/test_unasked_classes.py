"""Classes of which the answer for an image says nothing, as nobody was asked for them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db.queries.annotations import current_state, redo, set_classes, undo
from db.queries.class_groups import UnaskedClasses, unasked_classes
from db.queries.classes import add_class, merge_class, remove_class, restore_class
from db.tables.images import Image
from tests.conftest import ReadySession
from tests.db.queries.answering import CAR, DAY, labels, new_image


def unasked(db_session: Session, image: Image) -> tuple[int, ...]:
    return unasked_classes(db_session).of(image.answered_at, labels(current_state(db_session, image)) or set())


def test_unasked__a_class_added_after_the_answer(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image, grouped = new_image(db_session), new_image(db_session)
        set_classes(db_session, image, [CAR])
        set_classes(db_session, grouped, [DAY])
        assert unasked(db_session, image) == ()
        rain, dusk = add_class(db_session, "rain", None).id, add_class(db_session, "dusk", None, "light").id
        assert unasked(db_session, image) == (rain, dusk)
        # By day it is not dusk.
        assert unasked(db_session, grouped) == (rain,)
        # Other changes of the classes are no answers.
        remove_class(db_session, CAR)
        assert unasked(db_session, image) == (rain, dusk)
        restore_class(db_session, CAR)
        before = image.revision
        assert set_classes(db_session, image, [CAR])["revision"] == before + 1
        assert unasked(db_session, image) == ()
        assert set_classes(db_session, image, [CAR])["revision"] == before + 1
        # The same answer is no step of its own: one undo takes both back.
        assert labels(undo(db_session, image)) is None
        assert labels(redo(db_session, image)) == {CAR}
        assert unasked(db_session, image) == ()


def test_unasked__undo_goes_back_to_an_answer_without_the_class(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = new_image(db_session)
        set_classes(db_session, image, [CAR])
        rain = add_class(db_session, "rain", None).id
        set_classes(db_session, image, [CAR, rain])
        assert unasked(db_session, image) == ()
        undo(db_session, image)
        assert unasked(db_session, image) == (rain,)
        redo(db_session, image)
        assert unasked(db_session, image) == ()


def test_unasked__while_it_was_removed_and_after_a_merge(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        before, between = new_image(db_session), new_image(db_session)
        set_classes(db_session, before, [])
        remove_class(db_session, CAR)
        set_classes(db_session, between, [DAY])
        restore_class(db_session, CAR)
        assert (unasked(db_session, before), unasked(db_session, between)) == ((), (CAR,))
        rain = add_class(db_session, "rain", None).id
        merge_class(db_session, rain, CAR)
        assert unasked(db_session, before) == (CAR,)


def test_unasked__no_spans_no_work() -> None:
    assert UnaskedClasses({}, {}).of(0, ()) == ()
