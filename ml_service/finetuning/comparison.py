"""Frozen against tuned features, on the same held-out samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ml_service.confidence_intervals import paired_gain
from ml_service.data_loaders.base import FloatArray, Samples
from ml_service.metrics import Quality, measure, sample_losses
from ml_service.probability_calibration import Output

FROZEN_LOSSES = "comparison.frozen_losses"


class Comparison:
    """What logits (N, K) on the held-out samples are worth. `state` and `restore` as of the run.

    Args:
        weights: (N,), of the samples in the loss.
    """

    def __init__(self, held_out: Samples, weights: FloatArray, output: Output) -> None:
        self._held_out = held_out
        self._weights = weights
        self._output = output
        self._frozen_losses: Tensor | None = None
        self.frozen: Quality | None = None
        """Of a live head on the frozen features; None before they were measured."""
        self.tuned: Quality | None = None
        """Of the best epoch's own head, until a live head was fitted to its features."""
        self.gain: tuple[float, float | None] | None = None
        """In loss, of `tuned` over `frozen`, and its standard error over images."""

    def take_frozen(self, logits: Tensor) -> None:
        """What is to be beaten."""
        self.frozen, self._frozen_losses = self._quality(logits), self._losses(logits)

    def take_tuned(self, logits: Tensor) -> None:
        """What beats it, or not."""
        assert self._frozen_losses is not None
        self.tuned = self._quality(logits)
        fallen = (self._frozen_losses - self._losses(logits)).numpy()
        self.gain = paired_gain(fallen, self._held_out.image_ids, self._weights)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Of use after `take_frozen`."""
        assert self.frozen is not None
        assert self._frozen_losses is not None
        tuned = None if self.tuned is None else self.tuned.to_json()
        plain = {"frozen": self.frozen.to_json(), "tuned": tuned, "gain": self.gain}
        return {FROZEN_LOSSES: self._frozen_losses}, plain

    def restore(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._frozen_losses = tensors[FROZEN_LOSSES]
        self.frozen = Quality(**plain["frozen"])
        self.tuned = None if plain["tuned"] is None else Quality(**plain["tuned"])
        self.gain = None if plain["gain"] is None else (plain["gain"][0], plain["gain"][1])

    def _quality(self, logits: Tensor) -> Quality:
        held_out = self._held_out
        return measure(logits.numpy(), held_out.targets, self._weights, held_out.image_ids, self._output)

    def _losses(self, logits: Tensor) -> Tensor:
        """(N,), float64."""
        return torch.from_numpy(sample_losses(logits.numpy(), self._held_out.targets, self._output))
