"""Whatever was done before a merge of classes, and until it is taken back: all is as if there had been none."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.queries.class_usage import class_usage
from db.queries.classes import merge_class, restore_class
from db.tables.annotations import MergedAnnotation
from tests.conftest import ReadySession
from tests.db.queries.merging import A, B, C, RollBackError, act, everything

PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Step = tuple[str, int]

walking = st.tuples(st.sampled_from(["undo", "redo"]), st.just(0))
aside = st.tuples(st.sampled_from(["clear", "skip"]), st.just(0))
classes = st.sampled_from([A, B, C])
of_points = st.one_of(st.tuples(st.sampled_from(["point", "region"]), st.sampled_from([A, B])), walking, aside)
of_labels = st.one_of(st.tuples(st.just("label"), classes), walking, aside)
of_answers = st.one_of(st.tuples(st.just("toggle"), classes), walking, aside)


def require_round_trip(session: ReadySession, steps: list[Step]) -> None:
    with session.database.write() as db_session, contextlib.suppress(RollBackError), db_session.begin_nested():
        for place, step in enumerate(steps):
            act(db_session, *step, place)
        before = everything(db_session)
        merge_class(db_session, A, B)
        assert everything(db_session) != before
        _class, _count, changed = restore_class(db_session, A)
        assert (everything(db_session), changed) == (before, 0)
        assert db_session.scalar(select(MergedAnnotation.id).limit(1)) is None
        raise RollBackError


@PROPERTY
@given(steps=st.lists(of_points, max_size=10))
def test_restore__of_points_and_regions_as_if_never_merged(
    segmentation_session: ReadySession, steps: list[Step]
) -> None:
    require_round_trip(segmentation_session, steps)


@PROPERTY
@given(steps=st.lists(of_labels, max_size=10))
def test_restore__of_labels_as_if_never_merged(classification_session: ReadySession, steps: list[Step]) -> None:
    require_round_trip(classification_session, steps)


@PROPERTY
@given(steps=st.lists(of_answers, max_size=10))
def test_restore__of_answers_as_if_never_merged(multilabel_session: ReadySession, steps: list[Step]) -> None:
    require_round_trip(multilabel_session, steps)


def require_work_kept(session: ReadySession, before: list[Step], after: list[Step]) -> None:
    """Work that comes between a merge and its undo is the same as without both."""
    with session.database.write() as db_session, contextlib.suppress(RollBackError), db_session.begin_nested():
        for place, step in enumerate(before):
            act(db_session, *step, place)
        with contextlib.suppress(RollBackError), db_session.begin_nested():
            for place, step in enumerate(after, 20):
                act(db_session, *step, place)
            wanted = everything(db_session)
            raise RollBackError
        had = class_usage(db_session, A)
        merge_class(db_session, A, B)
        for place, step in enumerate(after, 20):
            act(db_session, *step, place)
        _class, _count, changed = restore_class(db_session, A)
        assert everything(db_session) == wanted
        assert 0 <= changed <= had.points + had.regions + had.labels
        raise RollBackError


of_work = st.one_of(st.tuples(st.sampled_from(["point", "region"]), st.sampled_from([B])), walking, aside)


@PROPERTY
@given(
    before=st.lists(of_points, max_size=6),
    after=st.lists(of_work | st.tuples(st.just("unpoint"), st.just(1)), max_size=6),
)
def test_restore__points_and_regions_made_meanwhile_stay(
    segmentation_session: ReadySession, before: list[Step], after: list[Step]
) -> None:
    require_work_kept(segmentation_session, before, after)


@PROPERTY
@given(
    before=st.lists(st.tuples(st.just("toggle"), st.sampled_from([A, C])), max_size=5),
    after=st.lists(st.one_of(st.tuples(st.just("toggle"), st.just(C)), walking), max_size=6),
)
def test_restore__answers_given_meanwhile_stay(
    multilabel_session: ReadySession, before: list[Step], after: list[Step]
) -> None:
    require_work_kept(multilabel_session, before, after)
