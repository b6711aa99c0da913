"""The multi-label head that follows the clicks is the one of the answers as they are."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import lapack

from db.queries.annotations import clear, set_classes, undo
from db.queries.class_groups import put_into_group
from db.queries.classes import add_class, remove_class
from db.tables.images import Image
from db.tables.session import LabelClass
from ml_service import answer_rows
from ml_service.context import Context
from ml_service.heads import question_curvature
from ml_service.heads.question_curvature import curvature_bytes
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_fitter import LiveFitter
from ml_service.live_learning import FittedHead, fit_live
from tests.ml_service.multilabel_session import CAR, DAY, NIGHT, answer, answer_rightly, make_multilabel_session
from tests.ml_service.toy_session import EXTRACTOR, ToySession

VECTORS = np.random.default_rng(0).normal(size=(40, EXTRACTOR.pooled_dim)).astype(np.float32)
SCALER = FeatureScaler.fit(VECTORS, EXTRACTOR.pooled_groups)
N_IMAGES = 36


@dataclass
class Followed:
    """A session and the fitter that follows it."""

    session: ToySession
    context: Context
    fitter: LiveFitter

    def head(self) -> FittedHead | None:
        """Of the answers as they are, having made sure that from nothing it is the same."""
        with self.context.db.read() as db_session:
            self.context.training_set.sync(db_session)
        labels = self.context.training_set
        found = self.fitter.fit(SCALER, 0.3)
        cold = fit_live(self.context.parts, SCALER, labels.images, labels.class_ids, 0.3)
        assert (found is None) == (cold is None)
        if found is not None and cold is not None:
            assert found.class_ids == cold.class_ids
            np.testing.assert_allclose(found.head.logits(VECTORS), cold.head.logits(VECTORS), atol=1e-4)
        return found

    def look_ahead(self) -> None:
        """And wait for what comes of it."""
        self.fitter.look_ahead()
        rows = self.fitter._answers
        assert rows is not None
        wait(rows._coming.values())


def open_followed(folder: Path) -> Followed:
    session = make_multilabel_session(folder, N_IMAGES)
    context = session.context()
    return Followed(session, context, LiveFitter(context.parts, context.training_set))


def computed(followed: Followed) -> list[tuple[int, ...]]:
    """Of which questions curvature is known after some answers and a rest."""
    answer_rightly(followed.session, range(1, N_IMAGES))
    followed.head()
    followed.look_ahead()
    answer_rightly(followed.session, [N_IMAGES])
    followed.head()
    rows = followed.fitter._answers
    assert rows is not None
    return list(rows._curvatures)


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    found = open_followed(tmp_path / "session")
    yield found
    found.fitter.close()
    found.context.db.close()


def test_fit__after_every_answer_as_from_nothing(followed: Followed) -> None:
    session = followed.session
    answer_rightly(session, range(1, N_IMAGES))
    before = followed.head()
    followed.look_ahead()
    answer(session, N_IMAGES, [NIGHT, CAR])
    assert followed.head() is not before
    with session.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, N_IMAGES))
    assert followed.head() is before
    # Other groups are another head of the same answers.
    with session.db.write() as db_session:
        put_into_group(db_session, db_session.get_one(LabelClass, DAY), None)
    assert followed.head() is not before
    followed.look_ahead()
    with session.db.write() as db_session:
        bus = add_class(db_session, "bus", None).id
    followed.head()
    answer(session, 3, [bus])
    followed.head()
    followed.look_ahead()
    for image_id in (4, 5):
        answer(session, image_id, [bus])
        followed.head()
    with session.db.write() as db_session:
        remove_class(db_session, CAR)
    followed.head()


def test_fit__a_question_whose_answers_stay_keeps_its_solution(followed: Followed) -> None:
    answer_rightly(followed.session, range(1, 20))
    before = followed.head()
    # A night with a car instead of without.
    answer(followed.session, 19, [NIGHT, CAR] if 19 % 2 == 0 else [NIGHT])
    after = followed.head()
    assert before is not None
    assert after is not None
    light, car = [before.class_ids.index(k) for k in (DAY, NIGHT)], before.class_ids.index(CAR)
    first, second = before.head.logits(VECTORS), after.head.logits(VECTORS)
    np.testing.assert_array_equal(first[:, light], second[:, light])
    assert not np.array_equal(first[:, car], second[:, car])


def test_fit__curvature_spares_passes(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_rows, "CURVATURE_FROM_IMAGES", 4)
    answer_rightly(followed.session, range(1, N_IMAGES))
    followed.head()
    rows = followed.fitter._answers
    assert rows is not None
    followed.look_ahead()
    answer_rightly(followed.session, [N_IMAGES])
    followed.head()
    assert len(rows._curvatures) == 2
    known = dict(rows._curvatures)
    # One answer is followed; only many make it compute anew.
    followed.look_ahead()
    assert not rows._coming
    for number in range(2 * answer_rows.FEWEST_CHANGES):
        answer(followed.session, 1 + number, [[], [DAY], [CAR], [NIGHT, CAR]][number % 4])
        followed.head()
    followed.look_ahead()
    followed.head()
    answer(followed.session, N_IMAGES, [])
    followed.head()
    assert rows._curvatures.keys() == known.keys()
    assert all(rows._curvatures[subject] is not known[subject] for subject in known)


def test_look_ahead__not_beyond_its_memory(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_rows, "CURVATURE_BYTES", curvature_bytes(3, EXTRACTOR.pooled_dim))
    assert computed(followed) == [(DAY, NIGHT)]


def test_look_ahead__one_too_large_leaves_room_for_those_behind(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_rows, "CURVATURE_BYTES", curvature_bytes(3, EXTRACTOR.pooled_dim) - 1)
    assert computed(followed) == [(CAR,)]


def test_look_ahead__a_group_with_many_parameters_takes_little(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_full = 4 * (2 * (EXTRACTOR.pooled_dim + 1)) ** 2
    monkeypatch.setattr(question_curvature, "EXACT_TO", EXTRACTOR.pooled_dim + 1)
    monkeypatch.setattr(question_curvature, "MAX_KEPT", 1)
    monkeypatch.setattr(answer_rows, "CURVATURE_BYTES", in_full)
    assert computed(followed) == [(DAY, NIGHT), (CAR,)]


def test_fit__goes_on_where_curvature_cannot_be_computed(
    followed: Followed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # LAPACK's answer where, to float32, a matrix is not positive.
    monkeypatch.setattr(lapack, "spotrf", lambda square, **_options: (square, 1))
    assert computed(followed) == []
    assert "curvature cannot be computed" in caplog.text
    answer(followed.session, 1, [])
    followed.head()


def test_fit__equal_answers_have_the_very_same_head(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_rows, "CURVATURE_FROM_IMAGES", 2)
    monkeypatch.setattr(answer_rows, "FEWEST_CHANGES", 5)
    session, generator = followed.session, np.random.default_rng(2)
    answer_rightly(session, range(4, 12))
    heads: dict[str, FittedHead | None] = {}
    for step in range(40):
        image_id = int(generator.integers(1, 4))
        with session.db.write() as db_session:
            image = db_session.get_one(Image, image_id)
            if generator.random() < 0.3 and image.history_position:
                undo(db_session, image)
            elif generator.random() < 0.2:
                clear(db_session, image)
            else:
                held = [[], [DAY], [CAR], [NIGHT, CAR]][int(generator.integers(4))]
                set_classes(db_session, image, held)
        if step % 4 == 3:
            followed.look_ahead()
        found = followed.head()
        images = followed.context.training_set.images
        labels = [(one.image.id, sorted(target.class_id for target in one.image.targets)) for one in images]
        assert heads.setdefault(str(labels), found) is found
    assert len(heads) < 40
