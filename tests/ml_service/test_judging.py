from __future__ import annotations

from pathlib import Path

import pytest

from ml_service.context import Context
from ml_service.heads.scaler import FeatureScaler
from ml_service.heads.softmax_fit import FitAbandonedError
from ml_service.judging import judge
from tests.ml_service.multilabel_session import answer_rightly, make_multilabel_session
from tests.ml_service.toy_session import EXTRACTOR, ToySession


def _judge_and_give_up(context: Context) -> None:
    with context.db.read() as db_session:
        context.training_set.sync(db_session)
    labels = context.training_set
    scaler = FeatureScaler.identity(EXTRACTOR.pooled_dim)
    with pytest.raises(FitAbandonedError):
        judge(context.parts, scaler, labels.images[4:], labels.images[:4], labels.class_ids, 1.0, lambda: True)


def test_judge__is_given_up(classification: ToySession) -> None:
    classification.label_rightly(range(1, 13))
    _judge_and_give_up(classification.context())


def test_judge__of_several_classes_is_given_up(tmp_path: Path) -> None:
    session = make_multilabel_session(tmp_path, 12)
    answer_rightly(session, range(1, 13))
    _judge_and_give_up(session.context())
    session.db.close()
