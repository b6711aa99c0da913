"""The image to label next."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, func, select

from db.enums import FeatureState, ImageStatus, Split
from db.queries import annotations
from db.queries.images import get_image
from db.queries.next_image import Pick, next_image, note_model_pick
from db.queries.session_info import Strategy
from db.tables.images import Image


def next_id(session: Any, strategy: Strategy, **options: Any) -> int | None:
    with session.database.read() as db_session:
        pick = next_image(db_session, strategy, **options)
    return None if pick is None else pick.row.image.id


def test_next_image__sequential_goes_round_and_never_returns_the_current_one(segmentation_session: Any) -> None:
    segmentation_session.change_images({2: {"status": ImageStatus.LABELED}, 3: {"features": FeatureState.FAILED}})
    visited = [1]
    for _ in range(4):
        visited.append(next_id(segmentation_session, Strategy.SEQUENTIAL, current_id=visited[-1]))
    assert visited == [1, 4, 5, 6, 1]


@pytest.mark.parametrize("strategy", list(Strategy))
def test_next_image__none_when_none_is_left(segmentation_session: Any, strategy: Strategy) -> None:
    segmentation_session.change_images({n: {"status": ImageStatus.SKIPPED} for n in range(2, 7)})
    assert next_id(segmentation_session, strategy, current_id=1) is None
    assert next_id(segmentation_session, strategy) == 1


def test_next_image__random_visits_all(segmentation_session: Any) -> None:
    visited = [next_id(segmentation_session, Strategy.RANDOM)]
    for _ in range(5):
        visited.append(next_id(segmentation_session, Strategy.RANDOM, current_id=visited[-1]))
    assert sorted(visited) == [1, 2, 3, 4, 5, 6]
    assert visited != [1, 2, 3, 4, 5, 6]


def test_next_image__least_confident(segmentation_session: Any) -> None:
    segmentation_session.change_images({1: {"uncertainty": 0.2}, 3: {"uncertainty": 0.7}, 5: {"uncertainty": 0.5}})
    assert next_id(segmentation_session, Strategy.LEAST_CONFIDENT) == 3
    assert next_id(segmentation_session, Strategy.LEAST_CONFIDENT, current_id=3) == 5


def test_next_image__least_confident_minority_is_the_least_certain_of_the_rarest_class(
    classification_session: Any,
) -> None:
    classification_session.change_images(
        {
            1: {"uncertainty": 0.9, "predicted_class_id": 1},
            2: {"uncertainty": 0.1, "predicted_class_id": 2},
            3: {"uncertainty": 0.3, "predicted_class_id": 2},
        },
    )
    with classification_session.database.write() as db_session:
        annotations.set_label(db_session, get_image(db_session, 5), 1)
        annotations.set_label(db_session, get_image(db_session, 6), 3)
    assert next_id(classification_session, Strategy.LEAST_CONFIDENT_MINORITY) == 3
    assert next_id(classification_session, Strategy.LEAST_CONFIDENT_MINORITY, class_id=1) == 1


@pytest.mark.parametrize("strategy", [Strategy.SEQUENTIAL, Strategy.RANDOM, Strategy.LEAST_CONFIDENT])
def test_next_image__reads_along_an_index(segmentation_session: Any, strategy: Strategy) -> None:
    segmentation_session.change_images({n: {"uncertainty": 0.5} for n in range(1, 7)})
    statements: list[tuple[str, Any]] = []
    event.listen(
        segmentation_session.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, parameters, *_rest: statements.append((statement, parameters)),
    )
    next_id(segmentation_session, strategy)
    selects = [s for s in statements if s[0].startswith("SELECT")]
    assert len(selects) == (2 if strategy is Strategy.LEAST_CONFIDENT else 1), "one more to see if an audit is due"
    for statement, parameters in selects:
        with segmentation_session.database.read() as db_session:
            plan = db_session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        assert not [row[3] for row in plan if "TEMP B-TREE FOR ORDER" in row[3] or row[3].startswith("SCAN images")]


def pick(session: Any, strategy: Strategy, **options: Any) -> Pick:
    with session.database.read() as db_session:
        found = next_image(db_session, strategy, **options)
    assert found is not None
    return found


def label(session: Any, *image_ids: int) -> None:
    with session.database.write() as db_session:
        for image_id in image_ids:
            annotations.set_label(db_session, get_image(db_session, image_id), 1)


MODEL_STRATEGIES = [Strategy.LEAST_CONFIDENT, Strategy.LEAST_CONFIDENT_MINORITY]


@pytest.mark.parametrize("strategy", MODEL_STRATEGIES)
def test_next_image__before_there_are_predictions_it_is_random_and_no_model_pick(
    classification_session: Any, strategy: Strategy
) -> None:
    found = pick(classification_session, strategy)
    assert (found.row.image.id, found.by_model) == (next_id(classification_session, Strategy.RANDOM), False)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_next_image__says_whether_the_model_decided(classification_session: Any, strategy: Strategy) -> None:
    classification_session.change_images({n: {"uncertainty": n / 10, "predicted_class_id": 1} for n in range(1, 7)})
    assert pick(classification_session, strategy).by_model == (strategy in MODEL_STRATEGIES)
    assert pick(classification_session, strategy, class_id=1).by_model


def test_next_image__the_model_does_not_choose_validation_images_again(classification_session: Any) -> None:
    classification_session.change_images({n: {"uncertainty": n / 10, "predicted_class_id": 1} for n in range(1, 7)})
    classification_session.change_images({6: {"split": Split.VALIDATION}, 5: {"split": Split.TRAIN}})
    assert pick(classification_session, Strategy.LEAST_CONFIDENT).row.image.id == 5
    label(classification_session, 1, 2, 3, 4, 5)
    last = pick(classification_session, Strategy.LEAST_CONFIDENT)
    assert (last.row.image.id, last.by_model) == (6, False)


@pytest.mark.parametrize("strategy", MODEL_STRATEGIES)
def test_next_image__validation_never_holds_what_the_model_picked(
    classification_session: Any, strategy: Strategy
) -> None:
    with classification_session.database.write() as db_session:
        db_session.add_all(
            [
                Image(path=f"more/{n}", content_hash=None, width=8, height=8, random_key=(n * 0.618) % 1,
                      features=FeatureState.READY, uncertainty=n / 300, predicted_class_id=1 + n % 3)
                for n in range(200)
            ]
        )  # fmt: skip
    audits = 0
    for _ in range(100):
        found = pick(classification_session, strategy)
        image_id = found.row.image.id
        audits += not found.by_model
        with classification_session.database.write() as db_session:
            if found.by_model:
                note_model_pick(db_session, image_id)
            annotations.set_label(db_session, get_image(db_session, image_id), 1 + image_id % 3)
    assert audits == 10
    with classification_session.database.read() as db_session:
        by_split = {
            split: set(db_session.scalars(select(Image.picked_by_model).where(Image.split == split))) for split in Split
        }
        held_out = db_session.scalar(select(func.count()).where(Image.split == Split.VALIDATION))
    assert by_split[Split.VALIDATION] == {False}
    assert True in by_split[Split.TRAIN]
    assert held_out >= 5
