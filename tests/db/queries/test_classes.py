"""Classes change while people label; no annotation is lost by it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from db.enums import ImageStatus
from db.errors import ConflictError, InvalidInputError, NotFoundError
from db.palette import PALETTE
from db.queries import annotations, classes
from db.queries.annotations import NewPoint
from db.queries.images import get_image
from db.tables.annotations import Label
from db.tables.images import Image
from tests.db.queries.annotating import state


def call(session: Any, function: Any, *arguments: Any, **options: Any) -> Any:
    with session.database.write() as db_session:
        return function(db_session, *arguments, **options)


def annotate(session: Any, image_id: int, points: list[NewPoint]) -> dict[str, Any]:
    with session.database.write() as db_session:
        return annotations.replace_points(db_session, get_image(db_session, image_id), points)


def status(session: Any, image_id: int) -> ImageStatus:
    with session.database.read() as db_session:
        return db_session.get_one(Image, image_id).status


def test_add_class__gets_a_free_colour_and_the_last_place(segmentation_session: Any) -> None:
    added = call(segmentation_session, classes.add_class, "edge", None)
    assert added.color in PALETTE
    with segmentation_session.database.read() as db_session:
        assert [c.name for c in classes.list_classes(db_session)] == ["foreground", "background", "edge"]


def test_add_class__a_name_is_given_once(segmentation_session: Any) -> None:
    with pytest.raises(ConflictError, match="there is a class 'background' already"):
        call(segmentation_session, classes.add_class, "background", None)


def test_remove_class__hides_and_restore_brings_back(segmentation_session: Any) -> None:
    annotate(segmentation_session, 1, [NewPoint(1, 1, 1), NewPoint(2, 2, 2)])
    annotate(segmentation_session, 2, [NewPoint(3, 3, 2)])
    before = state(segmentation_session, 1)["points"]

    assert call(segmentation_session, classes.remove_class, 2) == (2, 2)
    assert [p["class_id"] for p in state(segmentation_session, 1)["points"]] == [1]
    assert status(segmentation_session, 2) is ImageStatus.UNLABELED
    assert state(segmentation_session, 1)["revision"] == 2

    # Work goes on meanwhile, and does not touch what is hidden.
    annotate(segmentation_session, 1, [NewPoint(1, 1, 1), NewPoint(7, 7, 1)])
    _restored, count, changed = call(segmentation_session, classes.restore_class, 2)
    assert (count, changed) == (2, 0)
    found = state(segmentation_session, 1)["points"]
    assert sorted(p["x"] for p in found) == [1, 2, 7]
    assert before[1] in found
    assert status(segmentation_session, 2) is ImageStatus.LABELED


def test_remove_class__undo_skips_steps_that_show_nothing(segmentation_session: Any) -> None:
    annotate(segmentation_session, 1, [NewPoint(1, 1, 1)])
    annotate(segmentation_session, 1, [NewPoint(1, 1, 1), NewPoint(2, 2, 2)])
    call(segmentation_session, classes.remove_class, 2)
    with segmentation_session.database.write() as db_session:
        found = annotations.undo(db_session, get_image(db_session, 1))
    assert found["points"] == []


def test_remove_class__the_last_one_stays(segmentation_session: Any) -> None:
    call(segmentation_session, classes.remove_class, 1)
    with pytest.raises(ConflictError, match="background is the only class"):
        call(segmentation_session, classes.remove_class, 2)
    with pytest.raises(NotFoundError, match=r"no class 1: the classes are 2 \(background\)"):
        call(segmentation_session, classes.remove_class, 1)


def test_restore_class__needs_its_name_free(segmentation_session: Any) -> None:
    call(segmentation_session, classes.remove_class, 1)
    call(segmentation_session, classes.add_class, "foreground", None)
    with pytest.raises(ConflictError, match="already"):
        call(segmentation_session, classes.restore_class, 1)


def test_merge_class__takes_annotations_and_history_along(segmentation_session: Any) -> None:
    edge = call(segmentation_session, classes.add_class, "edge", None).id
    annotate(segmentation_session, 1, [NewPoint(1, 1, edge)])
    annotate(segmentation_session, 1, [NewPoint(1, 1, edge), NewPoint(2, 2, 1)])
    target, moved = call(segmentation_session, classes.merge_class, edge, 2)
    assert (target.id, moved) == (2, 1)
    assert [p["class_id"] for p in state(segmentation_session, 1)["points"]] == [2, 1]
    with segmentation_session.database.write() as db_session:
        found = annotations.undo(db_session, get_image(db_session, 1))
    assert [p["class_id"] for p in found["points"]] == [2]
    with pytest.raises(InvalidInputError, match="into itself"):
        call(segmentation_session, classes.merge_class, 1, 1)


def test_merge_class__moves_labels(classification_session: Any) -> None:
    with classification_session.database.write() as db_session:
        annotations.set_label(db_session, get_image(db_session, 1), 1)
    call(classification_session, classes.merge_class, 1, 2)
    with classification_session.database.read() as db_session:
        assert db_session.scalars(select(Label.class_id)).all() == [2]
    assert state(classification_session, 1)["label"]["class_id"] == 2
