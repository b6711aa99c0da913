"""Histories name classes that were merged since, and are read in the names of those they were merged into."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, update

from db.queries.annotations import NewPoint, clear, redo, replace_points, set_classes, set_label, undo
from db.queries.bulk_changes import Batch
from db.queries.class_groups import put_into_group, unasked_classes
from db.queries.class_histories import in_present_names
from db.queries.classes import add_class, merge_class, restore_class
from db.queries.images import get_image
from db.tables.annotations import AnnotationState, ImageClass, Label, MergedAnnotation
from db.tables.images import Image
from db.tables.session import ClassMerge, LabelClass
from tests.conftest import ReadySession
from tests.db.queries.annotating import change, places, state
from tests.db.queries.merging import A, B, C, everything


def marks(**origins: str) -> dict[str, Any]:
    found = [{"class_id": int(name[1:]), "origin": origin} for name, origin in origins.items()]
    return {"points": [], "label": None, "classes": found}


def test_in_present_names__a_chain_of_merges() -> None:
    content: dict[str, Any] = {
        "points": [{"class_id": 1}, {"class_id": 2}, {"class_id": 12}],
        "label": {"class_id": 2, "origin": "human"},
        "regions": [{"class_id": None}, {"class_id": 1}],
    }
    kept = json.dumps(content)
    found = in_present_names(content, [(1, 2), (2, 3)])
    assert [point["class_id"] for point in found["points"]] == [3, 3, 12]
    assert found["label"] == {"class_id": 3, "origin": "human"}
    assert [region["class_id"] for region in found["regions"]] == [None, 3]
    assert json.dumps(content) == kept, "what was read stays as it is"
    assert in_present_names(content, []) is content


def test_in_present_names__of_two_classes_the_answer_about_the_second() -> None:
    both = marks(_1="human", _2="imported")
    assert in_present_names(both, [(1, 2)])["classes"] == [{"class_id": 2, "origin": "imported"}]
    assert in_present_names(both, [(1, 3), (2, 3)])["classes"] == [{"class_id": 3, "origin": "human"}]
    assert in_present_names(both, [(1, 3)])["classes"] == [
        {"class_id": 2, "origin": "imported"},
        {"class_id": 3, "origin": "human"},
    ]


def test_merge_class__histories_are_not_written(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    change(segmentation_session, 1, "replace_points", [])
    with segmentation_session.database.write() as db_session:
        before = db_session.execute(select(AnnotationState.id, AnnotationState.state)).all()
        merge_class(db_session, A, B)
        assert db_session.execute(select(AnnotationState.id, AnnotationState.state)).all() == before
    assert places(change(segmentation_session, 1, "undo")) == [(1, 1, B)]


def test_step__of_many_images_after_a_merge(classification_session: ReadySession) -> None:
    for image_id in (1, 2):
        change(classification_session, image_id, "set_label", A)
        change(classification_session, image_id, "set_label", C)
    with classification_session.database.write() as db_session:
        merge_class(db_session, A, B)
        batch = Batch(db_session, [1, 2])
        batch.step(-1)
        assert len(batch.outcome.changed) == 2
        assert set(db_session.scalars(select(Label.class_id))) == {B}
        assert restore_class(db_session, A)[1:] == (2, 0)
        assert set(db_session.scalars(select(Label.class_id))) == {A}


def test_restore__a_class_that_another_had_been_merged_into(segmentation_session: ReadySession) -> None:
    """States from before the first merge are the second class's too, whichever way the image came back to them."""
    with segmentation_session.database.write() as db_session:
        last = add_class(db_session, "last", None).id
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A), NewPoint(2, 2, B), NewPoint(3, 3, last)])
    change(segmentation_session, 2, "replace_points", [NewPoint(1, 1, A)])
    change(segmentation_session, 2, "replace_points", [])
    with segmentation_session.database.write() as db_session:
        before = everything(db_session)
        merge_class(db_session, A, B)
        merge_class(db_session, B, last)
    change(segmentation_session, 1, "undo")
    change(segmentation_session, 2, "undo")
    change(segmentation_session, 2, "replace_points", [NewPoint(1, 1, last), NewPoint(5, 5, last)])
    assert places(change(segmentation_session, 1, "redo")) == [(1, 1, last), (2, 2, last), (3, 3, last)]
    with segmentation_session.database.write() as db_session:
        assert restore_class(db_session, B)[1:] == (3, 0)
    assert places(state(segmentation_session, 1)) == [(1, 1, B), (2, 2, B), (3, 3, last)]
    with segmentation_session.database.write() as db_session:
        assert restore_class(db_session, A)[1:] == (2, 0)
        assert everything(db_session)["points"][:3] == before["points"]
    assert places(change(segmentation_session, 2, "undo")) == [(1, 1, A)]


def test_restore__an_answer_that_was_given_again_meanwhile(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = get_image(db_session, 1)
        set_classes(db_session, image, {A, C})
        put_into_group(db_session, db_session.get_one(LabelClass, A), None)
        merge_class(db_session, A, B)
        late = add_class(db_session, "late", None).id
        assert unasked_classes(db_session).of(image.answered_at, {B, C}) == (late,)
        n_states = len(db_session.scalars(select(AnnotationState.id)).all())
        set_classes(db_session, image, {B, C})
        assert unasked_classes(db_session).of(image.answered_at, {B, C}) == ()
        assert len(db_session.scalars(select(AnnotationState.id)).all()) == n_states
        assert restore_class(db_session, A)[1:] == (1, 0)
        db_session.flush()
        assert set(db_session.scalars(select(ImageClass.class_id))) == {A, C}
        undo(db_session, image)
        redo(db_session, image)
        assert set(db_session.scalars(select(ImageClass.class_id))) == {A, C}


def test_restore__an_answer_given_again_without_a_class_that_undo_had_dropped(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = get_image(db_session, 1)
        other = add_class(db_session, "other", None).id
        put_into_group(db_session, db_session.get_one(LabelClass, A), None)
        set_classes(db_session, image, {A, C, other})
        clear(db_session, image)
        for class_id in (C, other):
            put_into_group(db_session, db_session.get_one(LabelClass, class_id), "one of these")
        undo(db_session, image)
        merge_class(db_session, A, B)
        add_class(db_session, "late", None)
        set_classes(db_session, image, {B, C})
        assert restore_class(db_session, A)[1:] == (1, 0)
        for walked in (None, undo, redo):
            if walked is not None:
                walked(db_session, image)
            db_session.flush()
            held = set(db_session.scalars(select(ImageClass.class_id)))
            assert held == (set() if walked is undo else {A, C})


@pytest.mark.parametrize("is_changed_since", [False, True])
def test_restore__a_merge_of_a_version_that_rewrote_histories(
    segmentation_session: ReadySession, is_changed_since: bool
) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A), NewPoint(2, 2, B)])
    with segmentation_session.database.write() as db_session:
        before = everything(db_session)
        merge_class(db_session, A, B)
        merge_id = db_session.scalars(select(ClassMerge.id)).one()
        kept = db_session.scalars(select(AnnotationState)).one()
        points = [{**point, "class_id": B} for point in kept.state["points"]]
        db_session.execute(update(AnnotationState).values(state={**kept.state, "points": points}))
        noted = {"merge_id": merge_id, "image_id": 1, "state_id": kept.id, "content": {"at": [0]}}
        db_session.add(MergedAnnotation(**noted))
    if is_changed_since:
        change(segmentation_session, 1, "undo")
        assert places(change(segmentation_session, 1, "redo")) == [(1, 1, B), (2, 2, B)]
    with segmentation_session.database.write() as db_session:
        assert restore_class(db_session, A)[1:] == (1, 0)
        assert everything(db_session) == before


def test_merge_class__clicks_meanwhile_are_kept(classification_session: ReadySession) -> None:
    """People label and step back while a class comes and goes: all that they said is there, in a class that is."""
    n_rounds, n_people = 12, 3
    start = threading.Barrier(n_people + 1)

    def label(image_id: int) -> None:
        start.wait()
        for _ in range(n_rounds):
            for step in (lambda s, i: set_label(s, i, B), lambda s, i: set_label(s, i, C), undo, redo):
                with classification_session.database.write() as db_session:
                    step(db_session, get_image(db_session, image_id))

    def merge_and_restore() -> None:
        start.wait()
        for _ in range(n_rounds):
            with classification_session.database.write() as db_session:
                merge_class(db_session, A, C)
            with classification_session.database.write() as db_session:
                restore_class(db_session, A)

    for image_id in (1, 2, 3, 4):
        change(classification_session, image_id, "set_label", A)
    with ThreadPoolExecutor(n_people + 1) as people:
        work = [people.submit(label, image_id) for image_id in (1, 2, 3)]
        for done in [*work, people.submit(merge_and_restore)]:
            done.result(timeout=60)
    found = [state(classification_session, image_id)["label"]["class_id"] for image_id in (1, 2, 3, 4)]
    assert found == [C, C, C, A]
    with classification_session.database.read() as db_session:
        positions = dict(db_session.execute(select(Image.id, Image.history_position)).all())
    assert [positions[image_id] for image_id in (1, 2, 3)] == [1 + 2 * n_rounds] * 3
    for image_id in (1, 2, 3):
        for _ in range(2 * n_rounds):
            back = change(classification_session, image_id, "undo")
        assert back["label"]["class_id"] == A


def test_merge_class__clicks_after_it_are_the_other_class(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, A)])
    change(segmentation_session, 1, "replace_points", [])
    with segmentation_session.database.write() as db_session:
        merge_class(db_session, A, B)
    change(segmentation_session, 1, "undo")
    with segmentation_session.database.write() as db_session:
        image = get_image(db_session, 1)
        kept = state(segmentation_session, 1)["points"][0]
        replace_points(db_session, image, [NewPoint(1, 1, B, kept["id"]), NewPoint(2, 2, B)])
        newest = select(AnnotationState.state).order_by(AnnotationState.id.desc()).limit(1)
        written = db_session.scalars(newest).one()
        assert [point["class_id"] for point in written["points"]] == [B, B]
        # What it kept from before is the first class's again.
        assert restore_class(db_session, A)[1:] == (1, 0)
    assert places(state(segmentation_session, 1)) == [(1, 1, A), (2, 2, B)]
