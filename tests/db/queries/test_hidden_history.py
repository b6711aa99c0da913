"""Undo and redo while a class is removed: once it is restored, nothing shows that it was away."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from db.errors import ConflictError
from db.queries.annotations import NewPoint, clear, current_state, redo, replace_points, skip, undo
from db.queries.classes import add_class, remove_class, restore_class
from db.queries.images import get_image
from db.queries.regions import NewRegion, replace_regions
from db.tables.images import Image
from tests.conftest import ReadySession
from tests.db.queries.annotating import change, places, state
from tests.db.queries.merging import A, B, RollBackError, box

N_HISTORIES = 30
N_EDITS = 7


def test_redo__a_removal_among_steps_that_show_nothing(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, B)])
    change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, B), NewPoint(1, 1, A)])
    change(segmentation_session, 1, "replace_points", [])
    with segmentation_session.database.write() as db_session:
        remove_class(db_session, A)
    for name in ("undo", "undo", "redo", "redo"):
        change(segmentation_session, 1, name)
    with segmentation_session.database.write() as db_session:
        restore_class(db_session, A)
    assert places(state(segmentation_session, 1)) == []


def test_redo__goes_on_over_steps_that_show_nothing(segmentation_session: ReadySession) -> None:
    change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, B), NewPoint(1, 1, A)])
    change(segmentation_session, 1, "replace_points", [NewPoint(5, 5, B)])
    with segmentation_session.database.write() as db_session:
        remove_class(db_session, A)
    change(segmentation_session, 1, "undo")
    assert not change(segmentation_session, 1, "redo")["can_redo"]
    with segmentation_session.database.write() as db_session:
        restore_class(db_session, A)
    assert places(state(segmentation_session, 1)) == [(5, 5, B)]
    assert places(change(segmentation_session, 1, "undo")) == [(1, 1, A), (5, 5, B)]


def test_redo__a_label_that_was_taken_off(classification_session: ReadySession) -> None:
    change(classification_session, 1, "set_label", B)
    change(classification_session, 1, "set_label", A)
    change(classification_session, 1, "skip")
    with classification_session.database.write() as db_session:
        remove_class(db_session, A)
    for name in ("undo", "undo", "redo", "redo"):
        change(classification_session, 1, name)
    with classification_session.database.write() as db_session:
        restore_class(db_session, A)
    found = state(classification_session, 1)
    assert (found["label"], found["skipped"]) == (None, True)


def test_redo__what_undo_has_left_in_place_stays_on_the_way(segmentation_session: ReadySession) -> None:
    with segmentation_session.database.write() as db_session:
        image = get_image(db_session, 1)
        for class_id, place in ((B, 1), (B, 2), (A, 3)):
            here = current_state(db_session, image)
            points = [NewPoint(p["x"], p["y"], p["class_id"], p["id"]) for p in here["points"]]
            replace_points(db_session, image, [*points, NewPoint(place, 0, class_id)])
            regions = [NewRegion(region["class_id"], id=region["id"]) for region in here["regions"]]
            replace_regions(db_session, image, [*regions, NewRegion(class_id, box(place))])
        remove_class(db_session, A)
        assert walk(db_session, image, undo) == walk(db_session, image, redo) == 4
        walk(db_session, image, undo)
        walk(db_session, image, redo, 2)
        restore_class(db_session, A)
        found = current_state(db_session, image)
    assert places(found) == [(1, 0, B), (3, 0, A)]
    assert sorted(region["class_id"] for region in found["regions"]) == [A, B]


@pytest.mark.parametrize("edit", ["points", "regions", "both"])
def test_redo__all_of_it_as_if_no_class_had_been_removed(segmentation_session: ReadySession, edit: str) -> None:
    with segmentation_session.database.write() as db_session:
        classes = [A, B, add_class(db_session, "edge", None).id]
        for seed in range(N_HISTORIES):
            with contextlib.suppress(RollBackError), db_session.begin_nested():
                require_all_redone(db_session, random.Random(seed), classes, edit)
                raise RollBackError


def require_all_redone(db_session: Session, rng: random.Random, classes: list[int], edit: str) -> None:
    image = get_image(db_session, 1)
    edits = [edit_points] * (edit != "regions") + [edit_regions] * (edit != "points")
    for _ in range(rng.randint(1, N_EDITS)):
        rng.choice(edits)(db_session, image, rng, classes)
        if rng.random() < 0.2:
            rng.choice([clear, skip])(db_session, image)
    walk(db_session, image, undo, rng.choice([0, 0, 1, 2]))
    here = said(db_session, image)
    with contextlib.suppress(RollBackError), db_session.begin_nested():
        walk(db_session, image, redo)
        furthest = said(db_session, image)
        raise RollBackError
    db_session.expire_all()
    removed = rng.sample(classes, rng.choice([1, 1, 2]))
    for class_id in removed:
        remove_class(db_session, class_id)
    n_steps = 0
    for _ in range(rng.randint(1, 3)):
        n_steps += walk(db_session, image, undo, rng.randint(1, N_EDITS))
        n_steps += walk(db_session, image, redo, rng.randint(0, 2))
    n_steps += walk(db_session, image, redo)
    for class_id in removed:
        restore_class(db_session, class_id)
    assert said(db_session, image) == (furthest if n_steps else here)


def walk(db_session: Session, image: Image, step: Callable[..., Any], count: int = 100) -> int:
    """As many steps, as far as there are any; how many."""
    for done in range(count):
        try:
            step(db_session, image)
        except ConflictError:
            return done
    return count


def said(db_session: Session, image: Image) -> tuple[Any, ...]:
    found = current_state(db_session, image)
    points = sorted((p["x"], p["y"], p["class_id"], p["origin"]) for p in found["points"])
    return points, found["regions"], found["skipped"]


def edit_points(db_session: Session, image: Image, rng: random.Random, classes: list[int]) -> None:
    """Some stay, some are moved or become another class, some go, and new ones come."""
    points = []
    for point in current_state(db_session, image)["points"]:
        x, y, class_id = point["x"], point["y"], point["class_id"]
        what = rng.choice(["stays", "stays", "moves", "changes", "goes"])
        if what == "moves":
            x = rng.randint(0, 3)
        elif what == "changes":
            class_id = rng.choice(classes)
        if what != "goes":
            points.append(NewPoint(x, y, class_id, point["id"]))
    points += [NewPoint(rng.randint(0, 3), 0, rng.choice(classes)) for _ in range(rng.choice([0, 1, 1, 2]))]
    replace_points(db_session, image, points)


def edit_regions(db_session: Session, image: Image, rng: random.Random, classes: list[int]) -> None:
    regions = []
    for region in current_state(db_session, image)["regions"]:
        what = rng.choice(["stays", "stays", "moves", "changes", "goes"])
        class_id = rng.choice(classes) if what == "changes" else region["class_id"]
        if what != "goes":
            regions.append(NewRegion(class_id, box(rng.randint(0, 3)) if what == "moves" else None, region["id"]))
    rng.shuffle(regions)
    regions += [NewRegion(rng.choice([*classes, None]), box(rng.randint(0, 3))) for _ in range(rng.choice([0, 1, 2]))]
    replace_regions(db_session, image, regions)
