"""The tree of classes: any order of changes leaves one without circles, in an order that goes through it."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.errors import FewclickError
from db.queries.class_tree import ClassTree, read_tree
from db.queries.classes import add_class, list_classes, merge_class, move_class, remove_class, restore_class
from db.tables.session import LabelClass
from tests.conftest import ReadySession

ids = st.integers(1, 7)
step = st.one_of(
    st.tuples(st.just("move"), ids, st.none() | ids, st.none() | ids),
    st.tuples(st.just("remove"), ids, st.none(), st.none()),
    st.tuples(st.just("restore"), ids, st.none(), st.none()),
    st.tuples(st.just("merge"), ids, ids, st.none()),
)


def test_above__passes_over_what_was_removed() -> None:
    tree = ClassTree({1: None, 2: 1, 3: 2, 4: None}, frozenset({1, 3, 4}))
    assert (tree.above(3), tree.parent(3), tree.parent(1)) == ((1,), 1, None)
    assert tree.below(1) == {1, 2, 3}
    assert tree.with_parents([3, 4]) == {1, 3, 4}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, max_size=12))
def test_changes__in_any_order_leave_a_tree(
    classification_session: ReadySession, steps: list[tuple[str, int, int | None, int | None]]
) -> None:
    with classification_session.database.write() as db_session:
        for number in range(max(7 - len(list(db_session.scalars(select(LabelClass.id)))), 0)):
            add_class(db_session, f"more {number}", None)
        for name, class_id, other, before in steps:
            with contextlib.suppress(FewclickError), db_session.begin_nested():
                if name == "move":
                    move_class(db_session, class_id, parent_id=other, before_id=before)
                elif name == "merge":
                    merge_class(db_session, class_id, other or 1)
                else:
                    {"remove": remove_class, "restore": restore_class}[name](db_session, class_id)
        tree = read_tree(db_session)
        shown = [label_class.id for label_class in list_classes(db_session)]
        for class_id in tree.parents:
            line = list(tree.line(class_id))
            assert class_id not in line
            assert len(line) == len(set(line))
        # A class stands right before those below it.
        for place, class_id in enumerate(shown):
            below = [other for other in shown if class_id in tree.above(other)]
            assert shown[place + 1 : place + 1 + len(below)] == below
