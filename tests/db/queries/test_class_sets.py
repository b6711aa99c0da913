"""Several classes of an image in the database: any order of changes leaves a state that makes sense."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import ImageStatus, Origin
from db.errors import ConflictError, FewclickError
from db.queries.annotation_state import State, marks
from db.queries.annotations import clear, current_state, redo, set_classes, skip, undo
from db.queries.class_groups import class_groups, put_into_group
from db.queries.classes import remove_class, restore_class
from db.tables.annotations import AnnotationState, ImageClass
from db.tables.images import Image
from db.tables.session import LabelClass
from tests.conftest import ReadySession
from tests.db.queries.answering import CAR, DAY, NIGHT, labels, new_image

ANSWERS = ([], [DAY], [NIGHT], [CAR], [DAY, CAR], [NIGHT, CAR])


step = st.one_of(
    st.sampled_from([("answer", answer) for answer in ANSWERS]),
    st.sampled_from([("clear", []), ("skip", []), ("undo", []), ("redo", [])]),
    st.sampled_from([("remove", [DAY]), ("restore", [DAY])]),
    st.sampled_from([("regroup", [CAR, DAY]), ("regroup", [CAR]), ("regroup", [NIGHT]), ("regroup", [NIGHT, DAY])]),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, max_size=9))
def test_changes__in_any_order_leave_a_sound_state(
    multilabel_session: ReadySession, steps: list[tuple[str, list[int]]]
) -> None:
    present = {DAY, NIGHT, CAR}
    with multilabel_session.database.write() as db_session:
        image = new_image(db_session)
        for name, class_ids in steps:
            groups = class_groups(db_session)
            is_allowed = len({groups.get(k, k) for k in class_ids}) == len(class_ids)
            if name == "answer" and is_allowed and present.issuperset(class_ids):
                assert labels(set_classes(db_session, image, class_ids)) == set(class_ids)
            elif name in {"undo", "redo"}:
                change, back = (undo, redo) if name == "undo" else (redo, undo)
                before = labels(current_state(db_session, image)), image.status
                try:
                    change(db_session, image)
                except ConflictError:
                    continue
                after = labels(current_state(db_session, image)), image.status
                back(db_session, image)
                assert (labels(current_state(db_session, image)), image.status) == before
                change(db_session, image)
                assert (labels(current_state(db_session, image)), image.status) == after
            elif name == "regroup":
                with contextlib.suppress(ConflictError):
                    of_group = db_session.get_one(LabelClass, class_ids[0])
                    put_into_group(db_session, of_group, "light" if len(class_ids) > 1 else None)
            elif name == "clear":
                assert labels(clear(db_session, image)) is None
            elif name == "skip":
                assert skip(db_session, image)["skipped"]
            elif name == "remove" and DAY in present:
                remove_class(db_session, DAY)
                present.discard(DAY)
            elif name == "restore" and DAY not in present:
                restore_class(db_session, DAY)
                present.add(DAY)
            _check(db_session, image, present)
        # Taking back is always possible, and what it leads to can be said again.
        held = labels(current_state(db_session, image))
        if held is not None:
            assert labels(set_classes(db_session, image, held)) == held
        if DAY not in present:
            restore_class(db_session, DAY)
            _check(db_session, image, {DAY, NIGHT, CAR})
        put_into_group(db_session, db_session.get_one(LabelClass, CAR), None)
        clear(db_session, image)
        put_into_group(db_session, db_session.get_one(LabelClass, NIGHT), "light")


answers = st.tuples(st.just("answer"), st.sampled_from([{DAY}, {CAR}, {DAY, CAR}, set[int]()]))
walking = st.tuples(st.sampled_from(["undo", "undo", "redo", "clear", "skip"]), st.just(set[int]()))
removal = st.tuples(st.sampled_from(["remove", "restore"]), st.sampled_from([{DAY}, {CAR}]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.one_of(answers, answers, walking), min_size=1, max_size=4),
    after=st.lists(st.one_of(walking, answers, removal), min_size=1, max_size=6),
)
def test_undo__rows_are_those_of_the_state_in_force_whatever_classes_are_removed(
    multilabel_session: ReadySession, before: list[tuple[str, set[int]]], after: list[tuple[str, set[int]]]
) -> None:
    with multilabel_session.database.write() as db_session:
        image = new_image(db_session)
        for name, class_ids in [*before, ("remove", {DAY}), *after]:
            with contextlib.suppress(FewclickError), db_session.begin_nested():
                if name == "answer":
                    set_classes(db_session, image, class_ids)
                elif name in {"remove", "restore"}:
                    {"remove": remove_class, "restore": restore_class}[name](db_session, min(class_ids))
                else:
                    {"undo": undo, "redo": redo, "clear": clear, "skip": skip}[name](db_session, image)
            assert rows_of(db_session, image) == state_in_force(db_session, image)
        db_session.rollback()


def rows_of(db_session: Session, image: Image) -> set[int | None]:
    return set(db_session.scalars(select(ImageClass.class_id).where(ImageClass.image_id == image.id)))


def state_in_force(db_session: Session, image: Image) -> set[int | None]:
    """The classes that the newest step of the history says, hidden ones included."""
    at = (AnnotationState.image_id == image.id, AnnotationState.position == image.history_position)
    found = db_session.scalar(select(AnnotationState.state).where(*at))
    return set() if found is None else {class_id for class_id, _origin in State.from_json(found).classes}


def _check(db_session: Session, image: Image, present: set[int]) -> None:
    state = current_state(db_session, image)
    held = labels(state)
    rows = list(db_session.scalars(select(ImageClass.class_id).where(ImageClass.image_id == image.id)))
    assert (held is not None) == bool(rows)
    assert {row for row in rows if row in present} == (held or set())
    assert (None not in rows) or rows == [None]
    # Also with the hidden ones, which may come back.
    groups = class_groups(db_session)
    assert max(Counter(groups[row] for row in rows if row in groups).values(), default=1) == 1
    expected = ImageStatus.SKIPPED if state["skipped"] else ImageStatus.LABELED if rows else ImageStatus.UNLABELED
    assert image.status is expected


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], ()),
        ([(None, Origin.HUMAN)], ((None, Origin.HUMAN),)),
        ([(3, Origin.ACCEPTED), (None, Origin.HUMAN), (1, Origin.HUMAN), (3, Origin.HUMAN)],
         ((1, Origin.HUMAN), (3, Origin.ACCEPTED))),
    ],
)  # fmt: skip
def test_marks__each_class_once_and_none_alone(found: list[Any], wanted: tuple[Any, ...]) -> None:
    assert marks(found) == wanted
    state = State(classes=marks(found))
    assert State.from_json(state.to_json()) == state


def test_from_json__a_state_of_an_earlier_version() -> None:
    state = State.from_json({"points": [], "label": {"class_id": 2, "origin": "human"}, "skipped": False})
    assert state == State(label=(2, Origin.HUMAN))
    assert "classes" not in state.to_json()


def test_class_groups__in_the_order_of_the_classes(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.read() as db_session:
        assert class_groups(db_session) == {DAY: "light", NIGHT: "light"}


def test_undo__of_classes_that_exclude_each_other_by_now(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image = new_image(db_session)
        for answer in ([DAY], [NIGHT, CAR], [NIGHT], [DAY]):
            set_classes(db_session, image, answer)
        put_into_group(db_session, db_session.get_one(LabelClass, CAR), "light")
        assert labels(undo(db_session, image)) == {NIGHT}
        # With two of one group it would be no answer; with the first of them it shows nothing new.
        assert labels(undo(db_session, image)) == {DAY}
        assert labels(redo(db_session, image)) == {NIGHT}
