"""Taking back a merge: states of before it are told from those made since, and the class is found in their texts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import func, select, update

from db.clock import utc_now
from db.queries.annotations import NewPoint, set_classes, undo
from db.queries.bulk_changes import Batch
from db.queries.bulk_rules import labelled, with_class
from db.queries.class_histories import in_present_names, read_merges
from db.queries.classes import add_class, merge_class, restore_class
from db.queries.images import get_image
from db.tables.annotations import AnnotationState, ImageClass
from db.tables.session import LabelClass
from tests.conftest import ReadySession
from tests.db.queries.annotating import change, places, state
from tests.db.queries.merging import A, B, C, everything


def test_restore__of_states_with_clocks_set_back_either_way(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    change(segmentation_session, 2, "replace_points", [NewPoint(2, 2, A)])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
        # As if the clock had been set back between the two.
        db_session.execute(update(AnnotationState).values(created_at=utc_now() + dt.timedelta(days=1)))
    change(segmentation_session, 2, "replace_points", [])
    change(segmentation_session, 2, "replace_points", [NewPoint(2, 2, B)])
    with segmentation_session.database.write() as db_session:
        newest = select(func.max(AnnotationState.id)).scalar_subquery()
        long_ago = utc_now() - dt.timedelta(days=1)
        db_session.execute(update(AnnotationState).where(AnnotationState.id == newest).values(created_at=long_ago))
        assert restore_class(db_session, A)[1:] == (1, 1)
    assert places(state(segmentation_session, 1)) == [(1, 1, A)]
    # Set anew, at the place of one that was removed before.
    assert places(state(segmentation_session, 2)) == [(2, 2, B)]
    change(segmentation_session, 2, "undo")
    assert places(change(segmentation_session, 2, "undo")) == [(2, 2, A)]


@pytest.mark.parametrize("together", [False, True])
def test_restore__a_state_with_the_id_of_one_that_is_forgotten(
    classification_session: ReadySession, together: bool
) -> None:
    change(classification_session, 1, "set_label", A)
    with classification_session.database.write() as db_session:
        merge_class(db_session, A, B)
    change(classification_session, 1, "undo")
    if together:
        with classification_session.database.write() as db_session:
            Batch(db_session, [1]).apply(labelled(B))
    else:
        change(classification_session, 1, "set_label", B)
    with classification_session.database.write() as db_session:
        assert db_session.scalars(select(AnnotationState.id)).all() == [1], "the same id comes again"
        assert restore_class(db_session, A)[1:] == (0, 1)
    assert state(classification_session, 1)["label"]["class_id"] == B


def test_restore__an_answer_of_many_with_the_id_of_one_that_is_forgotten(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = get_image(db_session, 1)
        late = add_class(db_session, "late", None).id
        set_classes(db_session, image, {A, C})
        set_classes(db_session, image, {C})
        undo(db_session, image)
        merge_class(db_session, A, B)
        Batch(db_session, [1]).apply(with_class(late))
        assert db_session.scalars(select(AnnotationState.id)).all() == [1, 2], "the same id comes again"
        assert restore_class(db_session, A)[1:] == (1, 0)
        assert set(db_session.scalars(select(ImageClass.class_id))) == {A, C, late}


def test_restore__the_first_state_anew_has_nothing_from_before(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
    change(segmentation_session, 1, "undo")
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, B)])
    with segmentation_session.database.write() as db_session:
        assert restore_class(db_session, A)[1:] == (0, 1)
    assert places(state(segmentation_session, 1)) == [(1, 1, B)]


def test_restore__of_a_state_that_is_forgotten_the_rows_tell(
    segmentation_session: ReadySession, monkeypatch: Any
) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
    monkeypatch.setattr("db.queries.annotation_change.HISTORY_LENGTH", 1)
    kept = state(segmentation_session, 1)["points"][0]
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, B, kept["id"]), NewPoint(2, 2, B)])
    with segmentation_session.database.write() as db_session:
        assert db_session.scalars(select(AnnotationState.position)).all() == [2]
        assert restore_class(db_session, A)[1:] == (1, 0)
    assert places(state(segmentation_session, 1)) == [(1, 1, A), (2, 2, B)]


def test_restore__after_undo_within_a_history_that_has_been_cut(
    segmentation_session: ReadySession, monkeypatch: Any
) -> None:
    """What stands first of a cut history counts as made of the rows; what follows, as made of that."""
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
    monkeypatch.setattr("db.queries.annotation_change.HISTORY_LENGTH", 2)
    change(segmentation_session, 1, "replace_points", [])
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, B)])
    with segmentation_session.database.write() as db_session:
        assert restore_class(db_session, A)[1:] == (0, 1)
    assert places(state(segmentation_session, 1)) == [(1, 1, B)]


def test_merge__classes_whose_ids_begin_alike(segmentation_session: ReadySession) -> None:
    with segmentation_session.database.write() as db_session:
        db_session.add_all(LabelClass(id=n, name=str(n), color="#000000", position=n - 1) for n in range(3, 21))
    points = [NewPoint(place, place, class_id) for place, class_id in enumerate((A, 10, 12, B, 20, A, 2))]
    change(segmentation_session, 1, "replace_points", points)
    with segmentation_session.database.write() as db_session:
        before = everything(db_session)
        merge_class(db_session, A, 12)
        merge_class(db_session, B, 20)
        kept = db_session.scalars(select(AnnotationState.state)).one()
        merged = in_present_names(kept, read_merges(db_session))
        assert [p["class_id"] for p in merged["points"]] == [12, 10, 12, 20, 20, 12, 20]
        restore_class(db_session, A)
        restore_class(db_session, B)
        assert everything(db_session) == before
