from __future__ import annotations

from dataclasses import replace

import numpy as np

from ml_service.adapter_past import NO_ADAPTER, UNRECORDED, AdapterPast
from ml_service.context import Context
from ml_service.heads.live import CLASSIFICATION
from ml_service.heads.scaler import FeatureScaler
from ml_service.quality_subject import QualitySubject
from tests.ml_service.toy_session import EXTRACTOR, ToySession


def _hash(context: Context, scaler: FeatureScaler, past: AdapterPast = NO_ADAPTER) -> str:
    with context.db.read() as db_session:
        context.training_set.sync(db_session)
    labels = context.training_set
    steps = QualitySubject(context).content_hash(scaler, labels.images, labels.class_ids, 0.3, past)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return str(ended.value)


def test_content_hash__scaler_head_and_adapter_are_part_of_it(classification: ToySession) -> None:
    classification.label_rightly([1, 2, 3, 4])
    context = classification.context()
    scaler = FeatureScaler.identity(EXTRACTOR.pooled_dim)
    other = replace(scaler, mean=np.full(EXTRACTOR.pooled_dim, 0.5, np.float32))
    known = _hash(context, scaler)
    assert _hash(context, FeatureScaler.identity(EXTRACTOR.pooled_dim)) == known
    assert _hash(context, other) != known
    assert _hash(context, scaler, UNRECORDED) != known
    config = replace(CLASSIFICATION, data_weight=2 * CLASSIFICATION.data_weight)
    assert _hash(replace(context, parts=replace(context.parts, live_config=config)), scaler) != known
