"""Predictions in the background: first of the images that are likely to be opened next, then of all others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from db.queries.events import add_event
from db.queries.session_info import get_session_info, training_settings
from db.queries.training_data import ImageRef, record_broken_features, stale_images
from db.queries.upcoming import upcoming_images
from db.queries.workers import rank_among_learners
from ml_service.context import Context
from ml_service.inference import predict_readable, record_predictions, remove_maps
from ml_service.low_priority import give_way
from ml_service.pacing import Effort
from ml_service.predictors.base import ImagePrediction, Model

AHEAD = 16
"""Images that are predicted first, in the order in which they come up."""
KEPT_AHEAD = 3
"""The next ones, whose features are kept in memory besides, as those of the open image are."""
CHUNK_S = 0.1
"""Work between two times at which the background records; a click does not wait for it."""
RECORDED_AT_ONCE = 64
"""Predictions in one commit: a click that comes meanwhile waits for no more."""
LOOK_INTERVAL_S = 0.002
"""Between two looks for a click while the helpers predict."""

Predicted = tuple[list[ImagePrediction], dict[int, str]]
"""Predictions, and by image id why there is none."""


class Sweep:
    """Predicts what the head in force has not seen yet. Use from one thread; `close` ends its helpers."""

    def __init__(self, context: Context, worker_id: str, is_wanted: Callable[[], bool]) -> None:
        """`is_wanted` says whether a person waits for something else: asked every few milliseconds."""
        self._context = context
        self._worker_id = worker_id
        self._is_wanted = is_wanted
        self._ahead_of: tuple[int, int | None] | None = None
        self._ahead: list[tuple[ImageRef, bool]] = []
        self._n_helpers = context.settings.sweep_threads or min(4, os.cpu_count() or 1)
        # Many small vectors at once are mostly work under the interpreter's lock. A thread of low priority that waits
        # for the processor with it would keep the click waiting too.
        is_under_lock = context.parts.predictor.chunk_size > 1
        self._helpers = ThreadPoolExecutor(
            self._n_helpers, thread_name_prefix="sweep", initializer=None if is_under_lock else give_way
        )

    def step(self, model: Model, open_image_id: int | None, effort: Effort = Effort.FULL) -> bool:
        """Predict and record some images; False if all are predicted, or all that `effort` allows.

        Args:
            effort: At least the next images; where images are predicted by thousands a second, no less than half.
        """
        if self._ahead_of != (model.version, open_image_id):
            self._look_ahead(model, open_image_id)
            self._ahead_of = (model.version, open_image_id)
        if self._ahead:
            image, is_kept = self._ahead.pop(0)
            self._record(model, [self._predict(model, [image], keep=is_kept)])
            return True
        if effort is Effort.NEXT_IMAGES and self._context.parts.predictor.chunk_size == 1:
            return False
        return self._predict_rest(model, self._n_helpers + 1 if effort is Effort.FULL else max(1, self._n_helpers // 2))

    def close(self) -> None:
        """End the helpers."""
        self._helpers.shutdown(wait=True, cancel_futures=True)

    def _look_ahead(self, model: Model, open_image_id: int | None) -> None:
        context = self._context
        with context.db.read() as db_session:
            strategy = training_settings(get_session_info(db_session)).strategy
            images = upcoming_images(db_session, strategy, open_image_id, AHEAD)
        self._ahead = []
        for position, (image, version) in enumerate(images):
            is_kept = position < KEPT_AHEAD
            if version < model.version or (is_kept and not context.parts.predictor.is_kept(context.reader, image)):
                self._ahead.append((image, is_kept))

    def _predict_rest(self, model: Model, most_at_once: int) -> bool:
        size = self._context.parts.predictor.chunk_size
        with self._context.db.read() as db_session:
            share = rank_among_learners(db_session, self._worker_id)
            images = stale_images(db_session, model.version, size * self._n_helpers * 16, share=share)
        if not images:
            return False
        done: list[Predicted] = []
        began = time.monotonic()
        portions = [images[start : start + size] for start in range(0, len(images), size)]
        waiting = {self._submit(model, portions.pop(0)) for _ in range(min(most_at_once, len(portions)))}
        while waiting:
            finished, waiting = wait(waiting, LOOK_INTERVAL_S, FIRST_COMPLETED)
            if self._is_wanted():
                # What was predicted since the last commit is out of date in a moment, or predicted again.
                for future in waiting:
                    future.cancel()
                return True
            done += [future.result() for future in finished]
            while portions and len(waiting) < most_at_once and time.monotonic() < began + CHUNK_S:
                waiting.add(self._submit(model, portions.pop(0)))
        self._record_in_portions(model, done)
        return True

    def _record_in_portions(self, model: Model, done: Sequence[Predicted]) -> None:
        """What is not recorded when a click comes is out of date in a moment, or predicted again."""
        predictions = [prediction for some, _broken in done for prediction in some]
        broken = {image_id: reason for _some, reasons in done for image_id, reason in reasons.items()}
        is_current = self._record(model, [(predictions[:RECORDED_AT_ONCE], broken)])
        for start in range(RECORDED_AT_ONCE, len(predictions), RECORDED_AT_ONCE):
            if not is_current or self._is_wanted():
                return
            is_current = self._record(model, [(predictions[start : start + RECORDED_AT_ONCE], {})])

    def _submit(self, model: Model, images: Sequence[ImageRef]) -> Future[Predicted]:
        return self._helpers.submit(self._predict, model, images, keep=False)

    def _predict(self, model: Model, images: Sequence[ImageRef], *, keep: bool) -> Predicted:
        return predict_readable(self._context.parts.predictor, model, self._context.reader, images, keep=keep)

    def _record(self, model: Model, done: Sequence[Predicted]) -> bool:
        """False if another head is in force by now: its predictions take the place of these."""
        predictions = [prediction for some, _broken in done for prediction in some]
        context = self._context
        with context.db.write() as db_session:
            for _some, broken in done:
                record_broken_features(db_session, broken)
            replaced = record_predictions(db_session, context.session_dir, model, predictions)
            if replaced is not None and predictions:
                image_ids = [prediction.image_id for prediction in predictions]
                add_event(db_session, "prediction", image_ids=image_ids, version=model.version)
        remove_maps(context.session_dir, replaced or [])
        return replaced is not None
