"""Samples of a plan, image by image, with the features that the network gives them at this moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from db.queries.session_info import Flips
from ml_service.data_loaders.base import FloatArray, Samples, balance, balanced_weights
from ml_service.finetuning.adapted_network import AdaptedNetwork
from ml_service.finetuning.linear_head import Labels
from ml_service.finetuning.pictures import Pictures

SCALER_CELLS_PER_IMAGE = 256


@dataclass(frozen=True)
class Mirrored:
    """How the pictures of a batch are mirrored."""

    left_right: bool = False
    up_down: bool = False


AS_IT_IS = Mirrored()


class SampleSource:
    """The samples of one part of a plan.

    Args:
        reads_patches: Whether samples are points on the map; else whole pictures.
        factors: Of the classes (K,), by `balanced_weights`; None where classes do not exclude each other.
    """

    def __init__(
        self,
        samples: Samples,
        pictures: Pictures,
        network: AdaptedNetwork,
        *,
        reads_patches: bool,
        factors: FloatArray | None,
    ) -> None:
        weighed = samples if factors is None else balance(samples, factors)
        self._pictures = pictures
        self._network = network
        self._reads_patches = reads_patches
        self._places = samples.inputs
        self.image_ids = [int(image_id) for image_id in np.unique(samples.image_ids)]
        self._rows = {image_id: np.flatnonzero(samples.image_ids == image_id) for image_id in self.image_ids}
        self.labels = Labels(torch.from_numpy(weighed.targets), torch.from_numpy(weighed.weights))

    def same_size(self, image_ids: Sequence[int], most: int) -> list[list[int]]:
        """The images in groups of one size that go through the network together, at most `most` each."""
        by_size: dict[tuple[int, int], list[int]] = {}
        for image_id in image_ids:
            by_size.setdefault(self._pictures.size(image_id), []).append(image_id)
        return [ids[start : start + most] for ids in by_size.values() for start in range(0, len(ids), most)]

    def rows(self, image_ids: Sequence[int]) -> Tensor:
        """(n,) indices of the samples of these images, one image after the other."""
        return torch.from_numpy(np.concatenate([self._rows[image_id] for image_id in image_ids]))

    def labels_of(self, rows: Tensor) -> Labels:
        """Of the samples with these indices."""
        return Labels(self.labels.targets[rows], self.labels.weights[rows])

    def features(self, image_ids: Sequence[int], mirrored: Mirrored = AS_IT_IS) -> Tensor:
        """(n, D) of the samples of images of one size, in the order of `rows`."""
        pixels = self._pictures.read(image_ids)
        if mirrored.left_right:
            pixels = pixels[:, :, ::-1]
        if mirrored.up_down:
            pixels = pixels[:, ::-1]
        if not self._reads_patches:
            # A picture has one sample, but nothing here depends on that.
            repeats = torch.tensor([len(self._rows[image_id]) for image_id in image_ids])
            features = self._network.picture_features(pixels)
            return features.repeat_interleave(repeats.to(features.device), dim=0)
        return self._network.point_features(pixels, [self._shares(image_id, mirrored) for image_id in image_ids])

    @torch.no_grad()
    def all_features(self, most: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Indices (n,) and features (n, D) on the processor, group by group."""
        for group in self.same_size(self.image_ids, most):
            yield self.rows(group), self.features(group).cpu()

    @torch.no_grad()
    def scaler_vectors(self, most: int) -> Iterator[Tensor]:
        """Vectors (m, D) that tell how features are spread, labels apart."""
        for group in self.same_size(self.image_ids, most):
            pixels = self._pictures.read(group)
            if self._reads_patches:
                yield self._network.cells(pixels, SCALER_CELLS_PER_IMAGE).cpu()
            else:
                yield self._network.picture_features(pixels).cpu()

    def _shares(self, image_id: int, mirrored: Mirrored) -> Tensor:
        shares = torch.from_numpy(self._places[self._rows[image_id]]) / torch.tensor(self._pictures.extent(image_id))
        if mirrored.left_right:
            shares[:, 0] = 1 - shares[:, 0]
        if mirrored.up_down:
            shares[:, 1] = 1 - shares[:, 1]
        return shares


def draw_mirrored(flips: Flips, generator: torch.Generator) -> Mirrored:
    """By chance, each way half the time."""
    left_right, up_down = (torch.rand(2, generator=generator) < 0.5).tolist()
    return Mirrored(left_right and flips is not Flips.NONE, up_down and flips is Flips.BOTH)


def class_factors(training: Samples, *, is_exclusive: bool) -> FloatArray | None:
    """As in runs of heads: every class weighs the same in all."""
    return balanced_weights(training) if is_exclusive else None
