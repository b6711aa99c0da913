"""The head in force: refitted after annotations, loaded when a checkpoint is activated, and what it predicts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from db.queries.checkpoints import active_checkpoint, deactivate
from db.queries.events import add_event
from db.queries.session_info import get_session_info, training_settings
from db.queries.training_data import (
    ImageRef,
    last_annotated_image_id,
    ready_image,
    record_broken_features,
    remove_predictions,
)
from db.tables.learning import Checkpoint
from ml_service.checkpoint import load_head
from ml_service.context import Context
from ml_service.errors import CheckpointError, client_text
from ml_service.heads.exclusive_groups import GroupedHead
from ml_service.heads.kernel_head import KernelHead
from ml_service.heads.live import LiveHead
from ml_service.heads.scaler import FeatureScaler
from ml_service.inference import predict_readable, record_predictions, remove_maps
from ml_service.leftovers import Leftovers
from ml_service.live_checkpoint import LiveSaver
from ml_service.live_fitter import LiveFitter
from ml_service.metrics import Quality
from ml_service.predictors.base import ImagePrediction, Model
from ml_service.scaler_file import SharedScaler
from ml_service.scaler_source import ScalerSource
from models.errors import FeatureMismatchError

logger = logging.getLogger(__name__)
Finish = Callable[[Session], None]
"""Ends a job in the transaction that records its result; raises where the job was lost."""


class HeadKeeper:
    """Holds the head that predicts now. Use from one thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._scalers = ScalerSource(context.parts, context.reader)
        self._shared_scaler = SharedScaler(context.session_dir, context.parts, self._scalers)
        self._leftovers = Leftovers(context)
        self._saver = LiveSaver(context)
        self._fitter = LiveFitter(context.parts, context.training_set)
        self.model: Model | None = None
        """None while nothing is labelled."""
        self.version = -1
        """`SessionInfo.head_version` that `model` belongs to."""
        self.open_image_id: int | None = None
        """The image that the person has open, as far as is known."""

    @property
    def scalers(self) -> ScalerSource:
        """Source of the scaler that live heads and runs share."""
        return self._scalers

    @property
    def measured_scaler(self) -> FeatureScaler | None:
        """Of the live head that predicts now; None while something else predicts, or nothing does."""
        return None if self.model is None or self.model.checkpoint_id is not None else self._scalers.scaler

    def start(self) -> None:
        """Be ready for the first click: read all labels, fit the scaler and the head."""
        with self._context.db.read() as db_session:
            self.open_image_id = last_annotated_image_id(db_session)
            self._shared_scaler.follow(get_session_info(db_session))
            self._scalers.begin_if_due(db_session)
        if self.open_image_id is not None:
            self._scalers.complete()
        self.ensure_current()

    def refit(self, finish: Finish = lambda _db_session: None) -> None:
        """Learn from all labels as they are now and predict the open image, recorded in one transaction."""
        while not self._try_refit(finish):
            # Another worker published a head, or a person activated a checkpoint, while this one was fitted.
            pass

    def _try_refit(self, finish: Finish) -> bool:
        context = self._context
        with context.db.read() as db_session:
            info = get_session_info(db_session)
            version = info.head_version
            context.check_extractor(info)
            is_active = active_checkpoint(db_session) is not None
            is_overruled = is_active and info.head_label_sequence == info.label_sequence
            open_image = self._ready_open_image(db_session)
            extracted_weight = 0.0 if is_overruled else self._sync(db_session)
        if is_overruled:
            # A checkpoint was activated after the annotation that this refit was asked for.
            self.predict(open_image, finish)
            return True
        fitted = self._fit(extracted_weight)
        predictions, broken = self._predict(open_image, fitted)
        self._shared_scaler.write()
        with context.db.write() as db_session:
            info = get_session_info(db_session)
            if info.head_version != version:
                return False
            finish(db_session)
            self._shared_scaler.record(info)
            if is_active:
                deactivate(db_session)
            info.head_version += 1
            info.head_label_sequence = context.training_set.sequence
            record_broken_features(db_session, context.training_set.broken)
            model = None if fitted is None else replace(fitted, version=info.head_version)
            if model is None:
                # Of the other images in idle time, so that no click waits for a large session.
                replaced = remove_predictions(db_session, [] if self.open_image_id is None else [self.open_image_id])
                add_event(db_session, "prediction", image_id=self.open_image_id, removed=True)
            else:
                replaced = self._record(db_session, model, predictions, broken) or []
        context.training_set.broken.clear()
        self._take_over(model, version + 1)
        # Only who has published a head saves it.
        self._saver.unsaved_since = time.monotonic()
        remove_maps(context.session_dir, replaced)
        return True

    def ensure_current(self) -> None:
        """Follow the database: an activated checkpoint, a restart, or the refit of another worker."""
        context = self._context
        with context.db.read() as db_session:
            info = get_session_info(db_session)
            if info.head_version == self.version:
                return
            context.check_extractor(info)
            checkpoint = active_checkpoint(db_session)
            extracted_weight = self._sync(db_session) if checkpoint is None else 0.0
        if checkpoint is not None:
            self._load(checkpoint, info.head_version)
            return
        fitted = self._fit(extracted_weight)
        is_equal = fitted is None or self._shared_scaler.is_recorded(info)
        if is_equal and context.training_set.sequence == info.head_label_sequence:
            # Equal labels and an equal scaler give an equal head: what it predicted before stays good.
            self._take_over(None if fitted is None else replace(fitted, version=info.head_version), info.head_version)
        else:
            self.refit()

    def predict(self, image: ImageRef | None, finish: Finish = lambda _db_session: None) -> None:
        """Predict one image with the head in force and record it; without image or head only finish."""
        while not self._try_predict(image, finish):
            pass

    def _try_predict(self, image: ImageRef | None, finish: Finish) -> bool:
        context = self._context
        self.ensure_current()
        model = self.model
        predictions, broken = self._predict(image, model)
        replaced: list[str] | None = []
        with context.db.write() as db_session:
            if get_session_info(db_session).head_version != self.version:
                return False
            finish(db_session)
            if model is not None:
                replaced = self._record(db_session, model, predictions, broken)
        remove_maps(context.session_dir, replaced or [])
        return True

    def predict_open(self) -> None:
        """Predict the open image with the head in force."""
        with self._context.db.read() as db_session:
            open_image = self._ready_open_image(db_session)
        self.predict(open_image)

    def look_ahead(self) -> None:
        """Begin to compute what makes the next refits fast, if that is due."""
        self._fitter.look_ahead()

    def close(self) -> None:
        """End what runs beside."""
        self._fitter.close()
        self._saver.close()

    def look_for_features(self) -> bool:
        """Refit if features that labels waited for have come; see whether there are enough for a new scaler."""
        with self._context.db.read() as db_session:
            self._scalers.begin_if_due(db_session)
            has_arrivals = self._context.training_set.has_arrivals(db_session)
        if has_arrivals or self._has_old_scaler():
            self.refit()
            return True
        return self._scalers.is_gathering

    def gather(self) -> bool:
        """Read a few images for a new scaler, and refit once it is complete; False if none is due."""
        if not self._scalers.is_gathering:
            return False
        self._scalers.step()
        if self._has_old_scaler():
            self.refit()
        return True

    def forget_some(self) -> bool:
        """Without a head, remove some of the predictions that an earlier one has left; False if there are none."""
        return self.model is None and self._leftovers.remove_some(self.version)

    def _has_old_scaler(self) -> bool:
        """Whether the live head was fitted with another scaler than the one in force."""
        model = self.model
        return (
            model is not None
            and model.checkpoint_id is None
            and isinstance(model.head, LiveHead | KernelHead | GroupedHead)
            and model.head.scaler is not self._scalers.scaler
        )

    def save_live_if_due(self, held_out: Quality | None) -> bool:
        """Save the live head with its quality once it has rested for a while; True while that goes on."""
        return self._saver.save_if_due(None if self.measured_scaler is None else self.model, held_out)

    def _sync(self, db_session: Session) -> float:
        """Read what is new in the labels; returns what an extracted point counts."""
        info = get_session_info(db_session)
        self._context.training_set.sync(db_session)
        self._shared_scaler.follow(info)
        self._scalers.require(db_session)
        return training_settings(info).extracted_weight

    def _fit(self, extracted_weight: float) -> Model | None:
        """The live head of all labels; its version is set where it is recorded."""
        scaler, training_set = self._scalers.scaler, self._context.training_set
        if scaler is None:
            return None
        fitted = self._fitter.fit(scaler, extracted_weight)
        if fitted is None:
            return None
        return Model(fitted.head, fitted.class_ids, training_set.revisions, version=0)

    def _load(self, checkpoint: Checkpoint, version: int) -> None:
        context = self._context
        try:
            head, description = load_head(
                context.session_dir, checkpoint.path, context.parts, context.extractor, context.task
            )
        except (CheckpointError, FeatureMismatchError) as error:
            logger.warning("checkpoint %d cannot be used, the live head predicts: %s", checkpoint.id, error)
            with context.db.write() as db_session:
                deactivate(db_session)
                add_event(
                    db_session,
                    "job",
                    checkpoint_id=checkpoint.id,
                    state="failed",
                    error=client_text(error, context.session_dir),
                )
            self.refit()
            return
        model = Model(head, description.class_ids, description.revisions, version, checkpoint.id)
        self._take_over(model, version)

    def _predict(self, image: ImageRef | None, model: Model | None) -> tuple[list[ImagePrediction], dict[int, str]]:
        if model is None or image is None:
            return [], {}
        return predict_readable(self._context.parts.predictor, model, self._context.reader, [image], keep=True)

    def _record(
        self, db_session: Session, model: Model, predictions: Sequence[ImagePrediction], broken: dict[int, str]
    ) -> list[str] | None:
        """Record and announce predictions one by one. Returns the maps to remove, as `record_predictions`."""
        record_broken_features(db_session, broken)
        replaced = record_predictions(db_session, self._context.session_dir, model, predictions)
        for prediction in predictions:
            add_event(
                db_session,
                "prediction",
                image_id=prediction.image_id,
                version=model.version,
                annotation_revision=model.revisions.get(prediction.image_id, 0),
                checkpoint_id=model.checkpoint_id,
            )
        return replaced

    def _take_over(self, model: Model | None, version: int) -> None:
        self.model = model
        self.version = version
        self._saver.unsaved_since = None
        self._leftovers.may_exist = model is None

    def _ready_open_image(self, db_session: Session) -> ImageRef | None:
        return None if self.open_image_id is None else ready_image(db_session, self.open_image_id)
