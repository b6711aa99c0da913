"""Recording predictions: one row an image, the map in a file that the row names."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from db.queries.session_info import get_session_info
from db.queries.training_data import ImageRef
from db.tables.images import Image
from db.tables.learning import Prediction
from ml_service.feature_reader import FeatureReader
from ml_service.predictors.base import ImagePrediction, Model, Predictor
from models.errors import FeatureMismatchError
from models.prediction_store import write_map

logger = logging.getLogger(__name__)

# Built once: every click runs them, and putting a statement together takes longer than running it.
_IS_EARLIER = Prediction.image_id.in_(bindparam("image_ids", expanding=True))
_EARLIER_MAPS = select(Prediction.map_path).where(_IS_EARLIER, Prediction.map_path.is_not(None))
_DELETE = delete(Prediction).where(_IS_EARLIER)
_INSERT = insert(Prediction).inline()
_UPDATE_IMAGE = (
    update(Image)
    .where(Image.id == bindparam("of_image"))
    .values({name: bindparam(name) for name in ("uncertainty", "predicted_class_id", "predicted_version")})
)


def predict_readable(
    predictor: Predictor, model: Model, reader: FeatureReader, images: Sequence[ImageRef], *, keep: bool
) -> tuple[list[ImagePrediction], dict[int, str]]:
    """Predictions of those images whose features can be read, and of the others the reason by id."""
    try:
        return predictor.predict(model, reader, images, keep=keep), {}
    except FeatureMismatchError as error:
        if len(images) == 1:
            return [], {images[0].id: str(error)}
    except (ValueError, ArithmeticError, LookupError) as error:
        # One image must not keep all others from being predicted.
        if len(images) == 1:
            logger.exception("image %d cannot be predicted", images[0].id)
            return [], {images[0].id: f"cannot be predicted ({type(error).__name__}): the log of the service says why"}
    predictions: list[ImagePrediction] = []
    broken: dict[int, str] = {}
    for image in images:
        one, reasons = predict_readable(predictor, model, reader, [image], keep=keep)
        predictions += one
        broken |= reasons
    return predictions, broken


def record_predictions(
    db_session: Session, session_dir: Path, model: Model, predictions: Sequence[ImagePrediction]
) -> list[str] | None:
    """Put predictions in the place of earlier ones.

    Returns:
        Paths of the maps that were replaced, to be removed after the commit; None, and nothing recorded, if the
        model is no longer the newest.
    """
    if get_session_info(db_session).head_version != model.version:
        return None
    if not predictions:
        return []
    image_ids = [prediction.image_id for prediction in predictions]
    connection = db_session.connection()
    replaced = set(connection.execute(_EARLIER_MAPS, {"image_ids": image_ids}).scalars())
    rows = [_row(session_dir, model, prediction) for prediction in predictions]
    connection.execute(_DELETE, {"image_ids": image_ids})
    connection.execute(_INSERT, rows)
    connection.execute(_UPDATE_IMAGE, [_image_values(model, prediction) for prediction in predictions])
    return sorted(path for path in replaced.difference(row["map_path"] for row in rows) if path is not None)


def remove_maps(session_dir: Path, paths: Iterable[str]) -> None:
    """Remove the files of replaced maps; one that cannot be removed only takes space."""
    for path in paths:
        try:
            (session_dir / path).unlink(missing_ok=True)
        except OSError as error:
            logger.warning("the old prediction map %s stays: %s", path, error)


def _row(session_dir: Path, model: Model, prediction: ImagePrediction) -> dict[str, object]:
    logits = prediction.logits
    return {
        "image_id": prediction.image_id,
        "version": model.version,
        "checkpoint_id": model.checkpoint_id,
        "annotation_revision": model.revisions.get(prediction.image_id, 0),
        "class_ids": list(model.class_ids),
        "probabilities": None if prediction.probabilities is None else list(prediction.probabilities),
        "map_path": None if logits is None else write_map(session_dir, prediction.image_id, model.version, logits),
        "map_width": None if logits is None else logits.shape[2],
        "map_height": None if logits is None else logits.shape[1],
    }


def _image_values(model: Model, prediction: ImagePrediction) -> dict[str, object]:
    return {
        "of_image": prediction.image_id,
        "uncertainty": prediction.uncertainty,
        "predicted_class_id": prediction.predicted_class_id,
        "predicted_version": model.version,
    }
