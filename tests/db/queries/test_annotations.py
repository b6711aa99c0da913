"""What a person says about an image survives, is never half stored, and can be undone."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from db.enums import FeatureState, ImageStatus, JobKind, Origin, Split
from db.errors import ConflictError, InvalidInputError
from db.queries.annotations import NewPoint
from db.tables.annotations import Label
from db.tables.images import Image
from db.tables.learning import PredictionOutcome
from db.tables.processes import Event, Job
from db.tables.session import SessionInfo
from tests.db.queries.annotating import change, places, state


def test_replace_points__stores_all_that_follows_from_a_change(segmentation_session: Any) -> None:
    found = change(segmentation_session, 1, "replace_points", [NewPoint(1.5, 2.5, 1), NewPoint(64, 48, 2)])

    assert places(found) == [(1.5, 2.5, 1), (64, 48, 2)]
    assert found == state(segmentation_session, 1)
    assert (found["revision"], found["can_undo"], found["can_redo"]) == (1, True, False)
    with segmentation_session.database.read() as db_session:
        image = db_session.get_one(Image, 1)
        assert image.status is ImageStatus.LABELED
        assert image.split is Split.TRAIN
        assert image.label_sequence == db_session.get_one(SessionInfo, 1).label_sequence == 1
        assert [(job.kind, job.image_id) for job in db_session.scalars(select(Job))] == [(JobKind.REFIT, 1)]
        event = db_session.scalars(select(Event)).one()
        assert (event.kind, event.payload) == ("annotation", {"image_id": 1, "revision": 1})


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (NewPoint(-0.1, 1, 1), "points.1.x is -0.1, outside image 1: expected 0 <= x <= 64"),
        (NewPoint(1, 48.01, 1), "points.1.y is 48.01, outside image 1: expected 0 <= y <= 48"),
        (NewPoint(float("nan"), 1, 1), "points.1.x is nan"),
        (NewPoint(1, float("inf"), 1), "points.1.y is inf"),
        (NewPoint(1, 1, 77), r"no class 77: the classes are 1 \(foreground\), 2 \(background\)"),
    ],
)
def test_replace_points__a_bad_item_changes_nothing(segmentation_session: Any, point: NewPoint, message: str) -> None:
    before = change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, 1)])
    with pytest.raises(InvalidInputError, match=message):
        change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1), point])
    assert state(segmentation_session, 1) == before


def test_replace_points__unmoved_points_keep_id_and_origin(segmentation_session: Any) -> None:
    found = change(
        segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1), NewPoint(2, 2, 2)], origin=Origin.EXTRACTED
    )
    first, second = found["points"]
    found = change(
        segmentation_session,
        1,
        "replace_points",
        [NewPoint(1, 1, 1, first["id"]), NewPoint(2, 3, 2, second["id"]), NewPoint(9, 9, 1, first["id"])],
    )
    assert [(p["id"], p["origin"]) for p in found["points"]][:2] == [
        (first["id"], "extracted"),
        (second["id"], "human"),
    ]
    assert found["points"][2]["origin"] == "human"
    assert found["points"][2]["id"] not in (first["id"], second["id"])


def test_replace_points__without_ids_equal_points_keep_their_rows(segmentation_session: Any) -> None:
    points = [NewPoint(1, 1, 1), NewPoint(2, 2, 2)]
    ids = [p["id"] for p in change(segmentation_session, 1, "replace_points", points)["points"]]
    found = change(segmentation_session, 1, "replace_points", [*points, NewPoint(3, 3, 1)])
    assert [p["id"] for p in found["points"]][:2] == ids


def test_replace_points__what_changes_nothing_adds_no_undo_step(segmentation_session: Any) -> None:
    before = change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1), NewPoint(2, 2, 2)])
    assert change(segmentation_session, 1, "replace_points", [NewPoint(2, 2, 2), NewPoint(1, 1, 1)]) == before
    assert change(segmentation_session, 2, "clear")["revision"] == 0


def test_replace_points__a_stale_revision_conflicts_and_tells_the_current_state(segmentation_session: Any) -> None:
    before = change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1)], expected_revision=0)
    with pytest.raises(ConflictError, match="at revision 1, the request replaces 0") as caught:
        change(segmentation_session, 1, "replace_points", [], expected_revision=0)
    assert caught.value.current == before


def test_replace_points__of_two_at_once_with_one_revision_exactly_one_wins(segmentation_session: Any) -> None:
    results: list[str] = []
    start = threading.Barrier(2)

    def put(x: float) -> None:
        start.wait()
        try:
            change(segmentation_session, 1, "replace_points", [NewPoint(x, 1, 1)], expected_revision=0)
            results.append("won")
        except ConflictError:
            results.append("lost")

    threads = [threading.Thread(target=put, args=(x,)) for x in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["lost", "won"]
    assert len(state(segmentation_session, 1)["points"]) == 1


def test_replace_points__first_saves_from_many_threads_all_succeed(segmentation_session: Any) -> None:
    errors: list[Exception] = []

    def put(x: float) -> None:
        try:
            change(segmentation_session, 1, "replace_points", [NewPoint(x, 1, 1)])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=put, args=(float(x),)) for x in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = state(segmentation_session, 1)
    assert (found["revision"], len(found["points"])) == (6, 1)


def test_replace_points__an_unreadable_image_cannot_be_labelled_but_skipped(segmentation_session: Any) -> None:
    with segmentation_session.database.write() as db_session:
        image = db_session.get_one(Image, 1)
        image.width = image.height = None
        image.features, image.failure = FeatureState.FAILED, "a.png is empty (0 bytes)"
    with pytest.raises(ConflictError, match=r"could not be read \(a.png is empty \(0 bytes\)\)"):
        change(segmentation_session, 1, "replace_points", [])
    assert change(segmentation_session, 1, "skip")["skipped"]


def test_replace_points__refused_in_a_classification_session(classification_session: Any) -> None:
    with pytest.raises(InvalidInputError, match="this is a classification session: send class_id"):
        change(classification_session, 1, "replace_points", [])


def test_set_label__refused_in_a_segmentation_session(segmentation_session: Any) -> None:
    with pytest.raises(InvalidInputError, match="this is a segmentation session: send points"):
        change(segmentation_session, 1, "set_label", 1)


def test_set_label__overwrites_and_the_same_again_is_no_step(classification_session: Any) -> None:
    change(classification_session, 1, "set_label", 1)
    change(classification_session, 1, "set_label", 2)
    found = change(classification_session, 1, "set_label", 2)
    assert (found["revision"], found["label"]) == (2, {"class_id": 2, "origin": "human"})
    assert change(classification_session, 1, "undo")["label"] == {"class_id": 1, "origin": "human"}
    with classification_session.database.read() as db_session:
        assert db_session.scalar(select(func.count()).select_from(Label)) == 1


def test_set_label__records_once_whether_the_prediction_was_right(classification_session: Any) -> None:
    classification_session.add_prediction(1, probabilities=[0.1, 0.7, 0.2])
    change(classification_session, 1, "set_label", 3)
    change(classification_session, 1, "set_label", 2)
    change(classification_session, 2, "set_label", 1)
    with classification_session.database.read() as db_session:
        outcome = db_session.scalars(select(PredictionOutcome)).one()
    assert (outcome.image_id, outcome.predicted_class_id, outcome.class_id, outcome.confidence) == (1, 2, 3, 0.7)


def test_set_label__imported_is_not_said_beside_a_prediction(classification_session: Any) -> None:
    for image_id, origin in ((1, Origin.IMPORTED), (2, Origin.ACCEPTED)):
        classification_session.add_prediction(image_id, probabilities=[0.1, 0.7, 0.2])
        change(classification_session, image_id, "set_label", 2, origin=origin)
    change(classification_session, 1, "set_label", 3)
    with classification_session.database.read() as db_session:
        assert [outcome.image_id for outcome in db_session.scalars(select(PredictionOutcome))] == [2]


def test_skip__sets_aside_and_undo_brings_the_annotation_back(segmentation_session: Any) -> None:
    before = change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1)])
    skipped = change(segmentation_session, 1, "skip")
    assert (skipped["points"], skipped["skipped"]) == ([], True)
    with segmentation_session.database.read() as db_session:
        assert db_session.get_one(Image, 1).status is ImageStatus.SKIPPED
    assert places(change(segmentation_session, 1, "undo")) == places(before)
    assert change(segmentation_session, 1, "redo")["skipped"]
    assert not change(segmentation_session, 1, "replace_points", [NewPoint(2, 2, 2)])["skipped"]


def test_clear__is_undoable(classification_session: Any) -> None:
    change(classification_session, 1, "set_label", 1)
    assert change(classification_session, 1, "clear")["label"] is None
    assert change(classification_session, 1, "undo")["label"]["class_id"] == 1
