"""Classes that exclude each other and stand above or below others: no image comes to have two that do."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from db.errors import ConflictError, FewclickError
from db.queries.annotations import clear, current_state, redo, set_classes, undo
from db.queries.classes import add_class, move_class, remove_class, restore_class
from db.tables.images import Image
from tests.conftest import ReadySession
from tests.db.queries.answering import labels, new_image, numbers

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
        image, number = new_image(db_session), next(numbers)
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
    number = next(numbers)
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
