"""Several classes of an image in the database: any order of changes leaves a state that makes sense."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus, Origin
from db.errors import ConflictError, FewclickError
from db.queries.annotation_state import State, marks
from db.queries.annotations import clear, current_state, redo, set_classes, skip, undo
from db.queries.class_groups import UnaskedClasses, class_groups, put_into_group, unasked_classes
from db.queries.classes import add_class, merge_class, move_class, remove_class, restore_class
from db.tables.annotations import AnnotationState, ImageClass
from db.tables.images import Image
from db.tables.session import LabelClass
from tests.conftest import ReadySession

DAY, NIGHT, CAR = 1, 2, 3
ANSWERS = ([], [DAY], [NIGHT], [CAR], [DAY, CAR], [NIGHT, CAR])
_numbers = itertools.count()


def labels(state: dict[str, Any]) -> set[int] | None:
    return None if state["labels"] is None else {mark["class_id"] for mark in state["labels"]}


def new_image(db_session: Session) -> Image:
    number = next(_numbers)
    image = Image(path=f"new_{number}", width=8, height=8, random_key=0.5, features=FeatureState.READY)
    db_session.add(image)
    db_session.flush()
    return image


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


tree_step = st.one_of(
    st.tuples(st.just("answer"), st.sets(st.integers(0, 3), max_size=2)),
    st.tuples(st.sampled_from(["undo", "redo", "clear"]), st.just(frozenset())),
    st.tuples(st.sampled_from(["remove", "restore"]), st.sets(st.integers(0, 3), min_size=1, max_size=1)),
    st.tuples(st.just("move"), st.sets(st.integers(0, 3), min_size=1, max_size=2)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(tree_step, max_size=12))
def test_changes__in_a_tree_no_classes_hold_that_exclude_each_other(
    multilabel_session: ReadySession, steps: list[tuple[str, set[int]]]
) -> None:
    with multilabel_session.database.write() as db_session:
        image, number = new_image(db_session), next(_numbers)
        group = f"group {number}"
        ids = [add_class(db_session, f"{n} of {number}", None, group if n < 2 else None).id for n in range(4)]
        for name, chosen in steps:
            class_ids = [ids[n] for n in sorted(chosen)]
            with contextlib.suppress(FewclickError), db_session.begin_nested():
                if name == "answer":
                    set_classes(db_session, image, class_ids)
                elif name == "move":
                    move_class(db_session, class_ids[-1], parent_id=[*class_ids, None][0 if class_ids[1:] else 1],
                               before_id=None)  # fmt: skip
                elif name in {"remove", "restore"}:
                    {"remove": remove_class, "restore": restore_class}[name](db_session, class_ids[0])
                else:
                    {"undo": undo, "redo": redo, "clear": clear}[name](db_session, image)
            held = labels(current_state(db_session, image)) or set()
            assert not set(ids[:2]) <= held
        db_session.rollback()  # else the classes of all examples pile up, and each step takes longer


def _branch(db_session: Session) -> tuple[Image, int, int, int]:
    """Two classes that exclude each other, and one beside them."""
    number = next(_numbers)
    first, second = (add_class(db_session, f"{n} of {number}", None, f"group {number}").id for n in range(2))
    return new_image(db_session), first, second, add_class(db_session, f"kind of {number}", None).id


def test_move_class__below_its_own_rival(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image, first, second, kind = _branch(db_session)
        set_classes(db_session, image, [second])
        move_class(db_session, kind, parent_id=second, before_id=None)
        for parent in (first, second):
            rival = first + second - parent
            with pytest.raises(ConflictError, match=r"(\d+) of (\d+) and (?!\1)\d+ of \2 would exclude each other"):
                move_class(db_session, rival, parent_id=parent, before_id=None)
        assert labels(current_state(db_session, image)) == {second}


def test_undo__to_a_class_that_implies_a_rival_by_now(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image, first, second, kind = _branch(db_session)
        set_classes(db_session, image, [kind, second])
        set_classes(db_session, image, [kind])
        set_classes(db_session, image, [])
        move_class(db_session, kind, parent_id=first, before_id=None)
        assert labels(undo(db_session, image)) == {first, kind}
        assert labels(undo(db_session, image)) is None


def test_restore_class__whose_marks_gave_way_to_a_rival_of_the_class_above(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image, first, second, kind = _branch(db_session)
        set_classes(db_session, image, [kind])
        move_class(db_session, kind, parent_id=first, before_id=None)
        remove_class(db_session, kind)
        assert labels(set_classes(db_session, image, [second])) == {second}
        restore_class(db_session, kind)
        assert labels(current_state(db_session, image)) == {second}


def test_restore_class__that_images_would_have_beside_a_rival(multilabel_session: ReadySession) -> None:
    with multilabel_session.database.write() as db_session:
        image, first, second, kind = _branch(db_session)
        move_class(db_session, kind, parent_id=first, before_id=None)
        remove_class(db_session, first)
        set_classes(db_session, image, [kind, second])
        with pytest.raises(ConflictError, match="1 image has"):
            restore_class(db_session, first)
        set_classes(db_session, image, [kind])
        restore_class(db_session, first)
        assert labels(current_state(db_session, image)) == {first, kind}
