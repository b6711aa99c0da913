"""Answers for several classes an image as they follow the clicks: prepared inputs and solutions of before are kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from db.queries.training_data import LabelledImage
from ml_service.data_loaders.base import ImageSamples, collect
from ml_service.heads.exclusive_groups import GroupOf
from ml_service.heads.live import LiveHeadConfig, prepare_inputs
from ml_service.heads.multilabel_head import Solutions, fit_multilabel_prepared
from ml_service.heads.scaler import FeatureScaler
from ml_service.live_learning import FittedHead
from ml_service.training_set import TrainingSet


class AnswerRows:
    """The answered images of one training set, each with its input as the live head reads it."""

    def __init__(self, training_set: TrainingSet, config: LiveHeadConfig) -> None:
        self._training_set = training_set
        self._config = config
        self._scaler: FeatureScaler | None = None
        self._n_changes = 0
        self._raw: dict[int, ImageSamples] = {}
        self._prepared: dict[int, ImageSamples] = {}
        self._content = 0
        self._last: tuple[object, Solutions] = (None, {})

    @property
    def content(self) -> int:
        """Tells two contents apart: equal answers on equal pictures have an equal number."""
        return self._content

    def follow(self, scaler: FeatureScaler) -> bool:
        """Take over what changed; whether the scaler is another one, so that nothing of before is of use."""
        is_other = self._scaler is not scaler
        if is_other:
            self._scaler, self._n_changes, self._content = scaler, 0, 0
            self._raw, self._prepared, self._last = {}, {}, (None, {})
        for image_id, samples in self._training_set.changed_after(self._n_changes):
            self._take(image_id, samples if samples is not None and samples.image.answered else None, scaler)
        self._n_changes = self._training_set.n_changes
        return is_other

    def fit(self, class_ids: tuple[int, ...], group_of: GroupOf) -> FittedHead | None:
        """The live head of these classes, within 1e-4 in logits of one from nothing; None without an answer."""
        assert self._scaler is not None, "follow comes first"
        images = [self._prepared[image_id] for image_id in sorted(self._prepared)]
        samples = collect(images, class_ids, 1.0) if images else None
        if samples is None:
            return None
        subject = (class_ids, group_of.tolist())
        start = self._last[1] if self._last[0] == subject else None
        head, solutions = fit_multilabel_prepared(
            samples, group_of, scaler=self._scaler, config=self._config, start=start
        )
        self._last = (subject, solutions)
        return FittedHead(head, class_ids)

    def _take(self, image_id: int, samples: ImageSamples | None, scaler: FeatureScaler) -> None:
        before, prepared = self._raw.pop(image_id, None), self._prepared.pop(image_id, None)
        if before is not None:
            self._content -= _digest(before.image)
        if samples is None:
            return
        if before is None or prepared is None or before.inputs is not samples.inputs:
            inputs = prepare_inputs(samples.inputs, scaler, self._config)
        else:
            inputs = prepared.inputs
        self._raw[image_id], self._prepared[image_id] = samples, replace(samples, inputs=inputs)
        self._content += _digest(samples.image)


def _digest(image: LabelledImage) -> int:
    held = sorted(target.class_id for target in image.targets)
    text = f"{image.id} {image.content_hash} {held} {sorted(image.unasked)}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
