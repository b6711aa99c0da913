"""Answers for several classes an image as they follow the clicks: a click costs what it changed."""

from __future__ import annotations

import hashlib
from concurrent.futures import Executor, Future

import numpy as np

from db.queries.training_data import LabelledImage
from ml_service.coming_curvature import curvature_of
from ml_service.data_loaders.base import FloatArray, ImageSamples, answer_targets
from ml_service.heads.exclusive_groups import GroupOf
from ml_service.heads.live import LiveHeadConfig, prepare_inputs
from ml_service.heads.multilabel_head import (
    Answer,
    Before,
    KnownCurvature,
    Subject,
    fit_multilabel_prepared,
    known_curvature,
)
from ml_service.heads.question_curvature import MAX_KEPT, curvature_bytes
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_learning import FittedHead
from ml_service.training_set import TrainingSet

FIRST_CAPACITY = 256
CURVATURE_FROM_IMAGES = 24
"""With fewer, a fit is fast without."""
FEWEST_CHANGES = 16
CURVATURE_CHANGE = 0.05
"""Answers, and share of them, that have to be new before curvature is computed again."""
CURVATURE_BYTES = 64 << 20
"""Of all questions together; one for which there is no room does without."""


class AnswerRows:
    """The answered images of one training set, a row for each; order and gaps mean nothing."""

    def __init__(self, training_set: TrainingSet, config: LiveHeadConfig) -> None:
        self._training_set = training_set
        self._config = config
        self._scaler: FeatureScaler | None = None
        self._restart(0)

    def _restart(self, dim: int) -> None:
        self._n_changes, self._content, self._n_taken = 0, 0, 0
        self._samples: dict[int, ImageSamples] = {}
        self._row_of: dict[int, int] = {}
        self._used = 0
        self._inputs: FloatArray = np.zeros((FIRST_CAPACITY, dim), np.float32)
        self._class_ids: tuple[int, ...] = ()
        self._targets: FloatArray = np.empty((FIRST_CAPACITY, 0), np.float32)
        self._inputs_stay = True
        self._answers: dict[Subject, Answer] = {}
        self._curvatures: dict[Subject, KnownCurvature] = {}
        self._computed_at: dict[Subject, int] = {}
        self._coming: dict[Subject, Future[KnownCurvature]] = {}

    @property
    def content(self) -> int:
        """Tells two contents apart: equal answers on equal pictures have an equal number."""
        return self._content

    def follow(self, scaler: FeatureScaler) -> bool:
        """Take over what changed; whether the scaler is another one, so that nothing of before is of use."""
        is_other = self._scaler is not scaler
        if is_other:
            self._scaler = scaler
            self._restart(len(scaler.mean))
        for image_id, samples in self._training_set.changed_after(self._n_changes):
            self._take(image_id, samples if samples is not None and samples.image.answered else None, scaler)
        self._n_changes = self._training_set.n_changes
        return is_other

    def fit(self, class_ids: tuple[int, ...], group_of: GroupOf) -> FittedHead | None:
        """The live head of these classes, within 1e-4 in logits of one from nothing; None without an answer."""
        assert self._scaler is not None, "follow comes first"
        if class_ids != self._class_ids:
            self._class_ids = class_ids
            self._targets = np.full((len(self._inputs), len(class_ids)), np.nan, np.float32)
            for image_id, samples in self._samples.items():
                self._targets[self._row_of[image_id]] = answer_targets(samples.image, class_ids)
        if np.isnan(self._targets[: self._used]).all():
            return None
        for subject in [subject for subject, coming in self._coming.items() if coming.done()]:
            found = curvature_of(self._coming.pop(subject))
            if found is not None:
                self._curvatures[subject] = found
        head, self._answers = fit_multilabel_prepared(
            self._inputs[: self._used],
            self._targets[: self._used],
            class_ids,
            group_of,
            scaler=self._scaler,
            config=self._config,
            before=Before(self._answers, self._curvatures, self._inputs_stay),
        )
        self._inputs_stay = True
        return FittedHead(head, class_ids)

    def look_ahead(self, helper: Executor) -> None:
        """Begin to compute, beside everything else, what makes the next fits fast, if that is due."""
        if self._coming or len(self._samples) < CURVATURE_FROM_IMAGES:
            return
        room = self._with_room()
        self._curvatures = {subject: known for subject, known in self._curvatures.items() if subject in room}
        due = {subject: answer for subject, answer in room.items() if self._is_outdated(subject, answer)}
        self._computed_at.update(dict.fromkeys(due, self._n_taken))
        if due:
            # The rows may change while the helper reads.
            inputs = self._inputs[: self._used].copy()
            for subject, answer in due.items():
                self._coming[subject] = helper.submit(known_curvature, inputs, answer, self._config)

    def _with_room(self) -> dict[Subject, Answer]:
        """Questions whose curvatures have room together."""
        room, left = {}, CURVATURE_BYTES
        for subject, answer in self._answers.items():
            size = curvature_bytes(int(answer.seen.sum()), self._inputs.shape[1]) if answer.is_question else 0
            if 0 < size <= left:
                room[subject] = answer
                left -= size
        return room

    def _is_outdated(self, subject: Subject, answer: Answer) -> bool:
        known = self._curvatures.get(subject)
        if known is None or not known.matches(answer):
            return True
        n_new = self._n_taken - self._computed_at[subject]
        return n_new > min(max(FEWEST_CHANGES, CURVATURE_CHANGE * len(self._samples)), MAX_KEPT // 2)

    def _take(self, image_id: int, samples: ImageSamples | None, scaler: FeatureScaler) -> None:
        self._n_taken += 1
        before = self._samples.pop(image_id, None)
        if before is not None:
            self._content -= _digest(before.image)
        if samples is None:
            # The row waits for the image: taken back and given again, the answer finds its place.
            if image_id in self._row_of:
                self._targets[self._row_of[image_id]] = np.nan
            return
        if before is None or before.inputs is not samples.inputs:
            self._put_inputs(image_id, prepare_inputs(samples.inputs, scaler, self._config)[0])
        self._targets[self._row_of[image_id]] = answer_targets(samples.image, self._class_ids)
        self._samples[image_id] = samples
        self._content += _digest(samples.image)

    def _put_inputs(self, image_id: int, inputs: FloatArray) -> None:
        row = self._row_of.get(image_id)
        if row is None:
            if self._used == len(self._inputs):
                self._inputs = np.concatenate([self._inputs, np.zeros_like(self._inputs)])
                self._targets = np.concatenate([self._targets, np.full_like(self._targets, np.nan)])
            row = self._row_of[image_id] = self._used
            self._used += 1
        elif not np.array_equal(self._inputs[row], inputs):
            self._inputs_stay = False
            self._curvatures, self._coming = {}, {}
        self._inputs[row] = inputs


def _digest(image: LabelledImage) -> int:
    held = sorted(target.class_id for target in image.targets)
    text = f"{image.id} {image.content_hash} {held} {sorted(image.unasked)}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
