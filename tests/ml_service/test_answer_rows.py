"""The multi-label head that follows the clicks is the one of the answers as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from db.queries.annotations import undo
from db.queries.class_groups import put_into_group
from db.queries.classes import add_class
from db.tables.images import Image
from db.tables.session import LabelClass
from ml_service.heads import softmax_fit
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_fitter import LiveFitter
from ml_service.live_learning import FittedHead, fit_live
from tests.ml_service.multilabel_session import CAR, DAY, NIGHT, answer, answer_rightly, make_multilabel_session
from tests.ml_service.toy_session import EXTRACTOR

N_IMAGES = EXTRACTOR.pooled_dim + 12
"""More than channels: from there on fits start at the last solutions."""


def test_fit__after_every_answer_as_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_multilabel_session(tmp_path / "session", N_IMAGES)
    context = session.context()
    fitter = LiveFitter(context.parts, context.training_set)
    vectors = np.random.default_rng(0).normal(size=(40, EXTRACTOR.pooled_dim)).astype(np.float32)
    scaler = FeatureScaler.fit(vectors, EXTRACTOR.pooled_groups)
    passes: list[int] = []
    solve = softmax_fit._minimise

    def counting(*args: object) -> object:
        found = solve(*args)  # type: ignore[arg-type]
        passes.append(found[1])
        return found

    monkeypatch.setattr(softmax_fit, "_minimise", counting)

    def follow() -> tuple[FittedHead, int, int]:
        with context.db.read() as db_session:
            context.training_set.sync(db_session)
        labels = context.training_set
        passes.clear()
        found = fitter.fit(scaler, 0.3)
        warm = sum(passes)
        passes.clear()
        cold = fit_live(context.parts, scaler, labels.images, labels.class_ids, 0.3)
        assert found is not None
        assert cold is not None
        assert found.class_ids == cold.class_ids
        np.testing.assert_allclose(found.head.logits(vectors), cold.head.logits(vectors), atol=1e-4)
        return found, warm, sum(passes)

    answer_rightly(session, range(1, N_IMAGES))
    before, _, _ = follow()
    answer(session, N_IMAGES, [NIGHT, CAR])
    changed, warm, cold = follow()
    assert changed is not before
    assert warm < cold
    with session.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, N_IMAGES))
    assert follow()[0] is before
    # Other groups are another head of the same answers.
    with session.db.write() as db_session:
        put_into_group(db_session, db_session.get_one(LabelClass, DAY), None)
    assert follow()[0] is not before
    with session.db.write() as db_session:
        add_class(db_session, "bus", None)
    follow()
    answer(session, 3, [])
    follow()
    fitter.close()
    context.db.close()
