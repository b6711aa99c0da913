"""Was the prediction that a person saw right? The live accuracy of a classification session."""

from __future__ import annotations

import numpy as np
from sqlalchemy.orm import Session

from db.models import Prediction, PredictionOutcome


def record_outcome(db_session: Session, image_id: int, class_id: int) -> None:
    """Compare the first label of an image with its prediction, if there was one. Later labels say nothing new."""
    prediction = db_session.get(Prediction, image_id)
    if prediction is None or not prediction.probabilities:
        return
    if db_session.get(PredictionOutcome, image_id) is not None:
        return
    top = int(np.argmax(prediction.probabilities))
    db_session.add(
        PredictionOutcome(
            image_id=image_id,
            predicted_class_id=prediction.class_ids[top],
            class_id=class_id,
            confidence=float(prediction.probabilities[top]),
        )
    )
