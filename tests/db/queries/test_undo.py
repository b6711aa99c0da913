"""What a person said can be taken back, and taken back again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from db.database import Database
from db.enums import Origin
from db.errors import ConflictError
from db.queries import annotations, classes
from db.queries.annotation_change import HISTORY_LENGTH
from db.queries.annotation_state import State, StoredPoint
from db.queries.annotations import NewPoint
from db.queries.hidden_points import hidden_points_after
from db.queries.images import get_image
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from tests.db.queries.annotating import change, places, state


def test_undo__works_after_everything_was_closed_and_opened_again(segmentation_session: Any) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1)])
    change(segmentation_session, 1, "replace_points", [NewPoint(2, 2, 2)])
    url = segmentation_session.database.url
    segmentation_session.database.close()
    database = Database(url)
    with database.write() as db_session:
        found = annotations.undo(db_session, get_image(db_session, 1))
    database.close()
    assert places(found) == [(1, 1, 1)]
    assert found["can_redo"]


def test_undo__with_nothing_left_conflicts(segmentation_session: Any) -> None:
    with pytest.raises(ConflictError, match="nothing to undo"):
        change(segmentation_session, 1, "undo")
    change(segmentation_session, 1, "replace_points", [NewPoint(1, 1, 1)])
    assert change(segmentation_session, 1, "undo")["points"] == []
    with pytest.raises(ConflictError, match="nothing to undo"):
        change(segmentation_session, 1, "undo")


def test_undo__reaches_no_further_than_the_kept_history(segmentation_session: Any) -> None:
    for number in range(HISTORY_LENGTH + 3):
        change(segmentation_session, 1, "replace_points", [NewPoint(number % 60, number // 60, 1)])
    with segmentation_session.database.read() as db_session:
        assert db_session.scalar(select(func.count()).select_from(AnnotationState)) == HISTORY_LENGTH
    found = state(segmentation_session, 1)
    steps = 0
    while found["can_undo"]:
        found = change(segmentation_session, 1, "undo")
        steps += 1
    assert steps == HISTORY_LENGTH - 1
    assert len(found["points"]) == 1
    with pytest.raises(ConflictError, match="nothing to undo"):
        change(segmentation_session, 1, "undo")


POINTS = st.lists(
    st.tuples(st.integers(0, 20).map(float), st.integers(0, 20).map(float), st.sampled_from([1, 2])),
    max_size=4,
    unique=True,
)


STEPS = st.lists(
    st.one_of(POINTS, st.sampled_from(["undo", "redo", "skip", "clear", "remove", "restore"])), max_size=16
)


REMOVABLE = 2


class AnnotationModel:
    """What an image should say: full states and a position in them; points of a removed class are hidden."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float, int]] = []
        self.skipped = False
        self.history: list[tuple[list[Any], bool]] = [([], False)]
        self.position = 0
        self.removed = False

    def visible(self, points: list[Any]) -> list[Any]:
        return sorted(point for point in points if not (self.removed and point[2] == REMOVABLE))

    def hidden(self) -> list[Any]:
        return [point for point in self.points if self.removed and point[2] == REMOVABLE]

    def reached(self, now: list[Any], left: int, target: int) -> list[Any]:
        """What lies on the image as it goes from one state, with these on it, to another."""
        hidden = [point for point in now if self.removed and point[2] == REMOVABLE]
        present = {1} if self.removed else {1, REMOVABLE}
        before, after = (State(stored(self.history[position][0])) for position in (left, target))
        found = hidden_points_after(stored(hidden), before, after, present, 1 if target > left else -1)
        return [(point.x, point.y, point.class_id) for point in found] + self.visible(self.history[target][0])

    def change(self, points: list[Any], *, skipped: bool = False) -> bool:
        if (sorted(points), skipped) == (self.visible(self.points), self.skipped):
            return False
        self.points, self.skipped = self.hidden() + points, skipped
        self.history[self.position + 1 :] = [(list(self.points), skipped)]
        self.position += 1
        return True

    def step(self, direction: int) -> bool:
        """To the next state that shows something else; forward, to the last that shows the same as that."""
        shown, now, left, is_changed = (self.visible(self.points), self.skipped), self.points, self.position, False
        for target in range(self.position + direction, len(self.history) if direction > 0 else -1, direction):
            points = self.reached(now, left, target)
            found = self.visible(points), self.history[target][1]
            if found != shown and is_changed:
                break
            if found != shown or (is_changed and sorted(points) != sorted(self.points)):
                self.points, self.skipped, self.position = points, found[1], target
                shown, is_changed = found, True
                if direction < 0:
                    break
            if direction > 0:
                now, left = points, target
        return is_changed


def stored(points: list[Any]) -> tuple[StoredPoint, ...]:
    return tuple(StoredPoint(x, y, class_id, Origin.HUMAN) for x, y, class_id in points)


@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undo_redo__behave_like_a_list_of_states(segmentation_session: Any, steps: list[Any]) -> None:
    model = AnnotationModel()
    with segmentation_session.database.write() as db_session:
        image = Image(path=f"{db_session.scalar(select(func.count()).select_from(Image))}.x", content_hash="0" * 64,
                      width=64, height=64, random_key=0.5)  # fmt: skip
        db_session.add(image)
        db_session.flush()
        image_id = image.id
    for step in [*steps, "restore"]:
        revision = state(segmentation_session, image_id)["revision"]
        changed = take_step(segmentation_session, image_id, model, step)
        found = state(segmentation_session, image_id)
        assert (places(found), found["skipped"]) == (model.visible(model.points), model.skipped)
        assert found["can_undo"] == (model.position > 0)
        assert found["can_redo"] == (model.position < len(model.history) - 1)
        assert found["revision"] == revision + changed


def take_step(session: Any, image_id: int, model: AnnotationModel, step: Any) -> bool:
    """Do it to both; whether it changed what the image says."""
    if step in ("remove", "restore"):
        if model.removed == (step == "remove"):
            return False
        with session.database.write() as db_session:
            {"remove": classes.remove_class, "restore": classes.restore_class}[step](db_session, REMOVABLE)
        model.removed = step == "remove"
        return any(point[2] == REMOVABLE for point in model.points)
    if step in ("undo", "redo"):
        changed = model.step(-1 if step == "undo" else 1)
        if changed:
            change(session, image_id, step)
        else:
            with pytest.raises(ConflictError):
                change(session, image_id, step)
        return changed
    if isinstance(step, str):
        change(session, image_id, step)
        return model.change([], skipped=step == "skip")
    points = model.visible(step)
    change(session, image_id, "replace_points", [NewPoint(*point) for point in points])
    return model.change(points)


def test_undo__leaves_the_points_of_a_removed_class(segmentation_session: Any) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, 1)])
    change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, 1), NewPoint(9, 9, 2)])
    with segmentation_session.database.write() as db_session:
        classes.remove_class(db_session, 2)
    assert places(change(segmentation_session, 1, "undo")) == []
    change(segmentation_session, 1, "replace_points", [NewPoint(6, 6, 1)])
    with segmentation_session.database.write() as db_session:
        assert classes.restore_class(db_session, 2)[1] == 1
    assert places(state(segmentation_session, 1)) == [(6, 6, 1), (9, 9, 2)]


def test_redo__brings_the_points_of_a_removed_class_for_when_it_is_restored(segmentation_session: Any) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(9, 9, 2)])
    change(segmentation_session, 1, "replace_points", [NewPoint(9, 9, 2), NewPoint(5, 5, 1)])
    change(segmentation_session, 1, "undo")
    change(segmentation_session, 1, "undo")
    set_class(segmentation_session, classes.remove_class, 2)
    assert places(change(segmentation_session, 1, "redo")) == [(5, 5, 1)]
    set_class(segmentation_session, classes.restore_class, 2)
    assert places(state(segmentation_session, 1)) == [(5, 5, 1), (9, 9, 2)]


def test_undo__brings_back_what_had_been_taken_off_before_the_class_was_removed(segmentation_session: Any) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(9, 9, 2)])
    change(segmentation_session, 1, "replace_points", [NewPoint(9, 9, 2), NewPoint(5, 5, 1)])
    change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, 1)])
    set_class(segmentation_session, classes.remove_class, 2)
    assert places(change(segmentation_session, 1, "undo")) == []
    set_class(segmentation_session, classes.restore_class, 2)
    assert places(state(segmentation_session, 1)) == [(9, 9, 2)]


def set_class(session: Any, change_class: Any, class_id: int) -> None:
    with session.database.write() as db_session:
        change_class(db_session, class_id)


def test_undo__leaves_the_label_of_a_removed_class(classification_session: Any) -> None:
    change(classification_session, 1, "set_label", 2)
    change(classification_session, 1, "skip")
    with classification_session.database.write() as db_session:
        classes.remove_class(db_session, 2)
    assert change(classification_session, 1, "undo")["label"] is None
    with classification_session.database.write() as db_session:
        classes.restore_class(db_session, 2)
    assert state(classification_session, 1)["label"]["class_id"] == 2
