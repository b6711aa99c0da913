"""A merge of classes can be taken back: what the class had is its own again, what was said since stays."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from db.enums import ImageStatus
from db.errors import ConflictError
from db.queries.annotations import NewPoint, clear, set_classes, undo
from db.queries.class_groups import put_into_group
from db.queries.class_usage import removed_classes
from db.queries.classes import (
    add_class,
    change_class,
    list_classes,
    merge_class,
    move_class,
    remove_class,
    restore_class,
)
from db.queries.images import get_image
from db.queries.regions import NewRegion, RegionEdit, edit_regions
from db.tables.images import Image
from db.tables.learning import Agreement, PredictionOutcome
from db.tables.session import ClassMerge, LabelClass
from tests.conftest import ReadySession
from tests.db.queries.annotating import change, places, state
from tests.db.queries.merging import A, B, C, box, everything


def test_restore__points_made_moved_and_removed_meanwhile(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A), NewPoint(2, 2, A), NewPoint(3, 3, B)])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
    first, second, third = state(segmentation_session, 1)["points"]
    kept = [NewPoint(1, 1, B, first["id"]), NewPoint(9, 9, B, second["id"]), NewPoint(3, 3, B, third["id"])]
    change(segmentation_session, 1, "replace_points", [*kept, NewPoint(5, 5, B)])
    with segmentation_session.database.write() as db_session:
        restored, count, changed = restore_class(db_session, A)
        assert (restored.name, count, changed) == ("foreground", 1, 1)
    found = state(segmentation_session, 1)
    assert places(found) == [(1, 1, A), (3, 3, B), (5, 5, B), (9, 9, B)]
    back = change(segmentation_session, 1, "undo")
    assert places(back) == [(1, 1, A), (2, 2, A), (3, 3, B)]
    assert places(change(segmentation_session, 1, "redo")) == places(found)


def test_restore__what_undo_brought_back_is_not_counted_as_changed(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    change(segmentation_session, 1, "clear")
    change(segmentation_session, 2, "replace_points", [NewPoint(2, 2, A)])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
    # One more than it had, on another image: the one that was moved elsewhere is counted all the same.
    change(segmentation_session, 1, "undo")
    change(segmentation_session, 2, "replace_points", [NewPoint(9, 9, B)])
    with segmentation_session.database.write() as db_session:
        assert restore_class(db_session, A)[1:] == (1, 1)
    assert places(state(segmentation_session, 1)) == [(1, 1, A)]
    assert places(state(segmentation_session, 2)) == [(9, 9, B)]


def test_restore__regions_counted_image_by_image(segmentation_session: ReadySession) -> None:
    with segmentation_session.database.write() as db_session:
        for image_id in (1, 2):
            edit_regions(db_session, get_image(db_session, image_id), RegionEdit(add=(NewRegion(A, box(image_id)),)))
        clear(db_session, get_image(db_session, 1))
        merge_class(db_session, A, B)
        undo(db_session, get_image(db_session, 1))
        clear(db_session, get_image(db_session, 2))
        assert restore_class(db_session, A)[1:] == (1, 1)


def test_restore__a_row_of_the_same_id_is_another_point(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
    change(segmentation_session, 1, "replace_points", [])
    change(segmentation_session, 1, "replace_points", [NewPoint(8, 8, B)])
    with segmentation_session.database.write() as db_session:
        assert restore_class(db_session, A)[1:] == (0, 1)
    assert places(state(segmentation_session, 1)) == [(8, 8, B)]


def test_restore__more_images_than_a_portion(classification_session: ReadySession, monkeypatch: Any) -> None:
    monkeypatch.setattr("db.queries.class_unmerging.IMAGES_PER_PORTION", 2)
    ids = classification_session.image_ids[:5]
    for image_id in ids:
        change(classification_session, image_id, "set_label", A)
    with classification_session.database.write() as db_session:
        merge_class(db_session, A, B)
        assert restore_class(db_session, A)[1:] == (5, 0)
    assert [state(classification_session, image_id)["label"]["class_id"] for image_id in ids] == [A] * 5


def test_restore__images_labelled_anew_stay(classification_session: ReadySession) -> None:
    for image_id in (1, 2, 3, 4):
        change(classification_session, image_id, "set_label", A)
    with classification_session.database.write() as db_session:
        merge_class(db_session, A, B)
    change(classification_session, 2, "set_label", C)
    change(classification_session, 3, "set_label", C)
    change(classification_session, 3, "set_label", B)
    change(classification_session, 4, "set_undetermined")
    with classification_session.database.write() as db_session:
        assert restore_class(db_session, A)[1:] == (1, 3)
    found = [state(classification_session, image_id)["label"] for image_id in (1, 2, 3, 4)]
    assert [label and label["class_id"] for label in found] == [A, C, B, None]
    # What was given before the merge is as it was, however it is reached.
    assert change(classification_session, 2, "undo")["label"]["class_id"] == A
    assert change(classification_session, 4, "undo")["label"]["class_id"] == A
    with classification_session.database.read() as db_session:
        assert db_session.get_one(Image, 4).status is ImageStatus.LABELED


def test_restore__figures_of_predictions_come_back(classification_session: ReadySession) -> None:
    with classification_session.database.write() as db_session:
        db_session.add(PredictionOutcome(image_id=1, predicted_class_id=B, class_id=A, confidence=0.5))
        db_session.add(Agreement(image_id=1, class_id=C, predicted_class_id=A, agreed=False, confidence=0.5))
        db_session.flush()
        merge_class(db_session, A, B)
        assert db_session.scalars(select(PredictionOutcome.class_id)).all() == [B]
        restore_class(db_session, A)
        outcome, agreement = (
            db_session.scalars(select(PredictionOutcome)).one(),
            db_session.scalars(select(Agreement)).one(),
        )
        assert (outcome.predicted_class_id, outcome.class_id) == (B, A)
        assert (agreement.class_id, agreement.predicted_class_id) == (C, A)


def test_restore__the_branch_stands_where_it_stood(classification_session: ReadySession) -> None:
    with classification_session.database.write() as db_session:
        one, two = add_class(db_session, "one", None, None, A).id, add_class(db_session, "two", None, None, A).id
        move_class(db_session, B, parent_id=A, before_id=two)
        before = everything(db_session)["classes"]
        # B stands below A, between the two.
        merge_class(db_session, A, B)
        assert [(c.id, c.parent_id) for c in list_classes(db_session)] == [(B, None), (one, B), (two, B), (C, None)]
        restore_class(db_session, A)
        assert everything(db_session)["classes"] == before
        # What was moved since stays there; no circle comes of it.
        merge_class(db_session, A, C)
        move_class(db_session, one, parent_id=None, before_id=None)
        restore_class(db_session, A)
        assert {c.id: c.parent_id for c in list_classes(db_session)} == {A: None, B: A, two: A, C: None, one: None}


def test_restore__groups_and_answers_about_both(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        rain = add_class(db_session, "rain", "#123456", "weather").id
        set_classes(db_session, get_image(db_session, 1), [rain])
        merge_class(db_session, rain, C)
        assert [entry.id for entry, _had in removed_classes(db_session)] == [rain]
        snow = add_class(db_session, "snow", None, "weather").id
        set_classes(db_session, get_image(db_session, 1), [C, snow])
    rivals = pytest.raises(ConflictError, match=r"1 image has rain together with another class of the group 'weather'")
    with rivals, multilabel_session.database.write() as db_session:
        restore_class(db_session, rain)
    with multilabel_session.database.write() as db_session:
        set_classes(db_session, get_image(db_session, 1), [C])
        restored, count, _changed = restore_class(db_session, rain)
        assert (restored.color, restored.exclusive_group, count) == ("#123456", "weather", 1)


def test_restore__the_last_merge_first(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        put_into_group(db_session, db_session.get_one(LabelClass, A), None)
        put_into_group(db_session, db_session.get_one(LabelClass, B), None)
        set_classes(db_session, get_image(db_session, 1), [A, C])
        before = everything(db_session)
        merge_class(db_session, A, B)
        merge_class(db_session, C, B)
        with pytest.raises(ConflictError, match="bring car back first"):
            restore_class(db_session, A)
        restore_class(db_session, C)
        restore_class(db_session, A)
        assert everything(db_session) == before


def test_restore__a_chain_of_merges(classification_session: ReadySession) -> None:
    change(classification_session, 1, "set_label", A)
    change(classification_session, 1, "set_label", B)
    change(classification_session, 2, "set_label", A)
    with classification_session.database.write() as db_session:
        before = everything(db_session)
        merge_class(db_session, A, B)
        merge_class(db_session, B, C)
        with pytest.raises(ConflictError, match=r"was merged into class 2 \(dog\), and dog into bird after that"):
            restore_class(db_session, A)
        restore_class(db_session, B)
        restore_class(db_session, A)
        assert everything(db_session) == before


def test_restore__what_stands_in_the_way_is_named(classification_session: ReadySession) -> None:
    with classification_session.database.write() as db_session:
        merge_class(db_session, A, B)
        new = add_class(db_session, "Cat", None).id
        with pytest.raises(ConflictError, match=r"there is a class 'Cat' already \(id 4\): rename it before"):
            restore_class(db_session, A)
        change_class(db_session, new, name="other cat", color=None)
        restore_class(db_session, A)
        merge_class(db_session, A, B)
        for noted in db_session.scalars(select(ClassMerge)):
            db_session.delete(noted)
        db_session.flush()
        assert removed_classes(db_session) == []
        with pytest.raises(ConflictError, match="which has its annotations for good"):
            restore_class(db_session, A)


def test_restore__into_a_class_that_was_removed_since(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A), NewPoint(2, 2, B)])
    with segmentation_session.database.write() as db_session:
        add_class(db_session, "edge", None)
        merge_class(db_session, A, B)
        remove_class(db_session, B)
        assert restore_class(db_session, A)[1:] == (1, 0)
    assert places(state(segmentation_session, 1)) == [(1, 1, A)]
    with segmentation_session.database.write() as db_session:
        restore_class(db_session, B)
    assert places(state(segmentation_session, 1)) == [(1, 1, A), (2, 2, B)]
