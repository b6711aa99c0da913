"""Do probabilities mean what they say? Reliability, Brier score, and the temperature that would mend them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

FloatArray = npt.NDArray[np.float64]
N_BINS = 10
MIN_SAMPLES, MIN_IMAGES = 30, 5
"""Fewer say nothing about probabilities."""
LEAST_P = 1e-6
"""Of which the logarithm is taken: one sure error must not outweigh everything else."""
LOG_TEMPERATURES = (float(np.log(0.05)), float(np.log(20.0)))


@dataclass(frozen=True)
class Output:
    """What a task's logits stand for."""

    probabilities: Callable[[FloatArray], FloatArray]
    """(N, K) of logits (N, K)."""
    one_class: bool
    """Whether exactly one class holds for each sample, or any number of them."""


@dataclass(frozen=True)
class Bin:
    """Samples whose confidence lies in one tenth of 0..1."""

    low: float
    high: float
    count: int
    confidence: float
    """Their mean confidence."""
    accuracy: float
    """The share of them that is right."""


@dataclass(frozen=True)
class Calibration:
    """On samples that were not learned from."""

    bins: tuple[Bin, ...]
    """Those that are not empty, by confidence."""
    expected_error: float
    """Expected calibration error: mean distance between confidence and accuracy, by bin."""
    brier: float
    """Mean over samples of the squared distance between probabilities and truth, summed over classes."""
    log_loss: float
    temperature: float
    """By which logits would have to be divided; above 1 the head is too sure of itself."""
    log_loss_after: float
    """With the temperature of the other half of the images: what it would bring on images that come."""
    expected_error_after: float

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def shortage(n_samples: int, n_images: int) -> str | None:
    """Why calibration is unknown; None if it can be told."""
    if n_samples >= MIN_SAMPLES and n_images >= MIN_IMAGES:
        return None
    return (
        f"calibration needs {MIN_SAMPLES} labels on {MIN_IMAGES} images to try it on, "
        f"so far there are {n_samples} on {n_images}"
    )


def calibrate(
    logits: FloatArray, targets: FloatArray, image_ids: npt.NDArray[np.integer], output: Output
) -> Calibration:
    """Calibration of logits (N, K) against targets (N, K), 0..1 each or NaN where not known, of at least two images."""
    p = output.probabilities(logits)
    half = _halves(image_ids)
    crossed = np.empty_like(p)
    for part in (half, ~half):
        # Fitted on one half, told on the other: a temperature never judges itself.
        other = fit_temperature(logits[~part], targets[~part], output)
        crossed[part] = output.probabilities(logits[part] / other)
    one_class = output.one_class
    bins = reliability(p, targets, one_class=one_class)
    return Calibration(
        bins=bins,
        expected_error=expected_error(bins),
        brier=float(np.nansum(np.square(p - targets), axis=1).mean()),
        log_loss=log_loss(p, targets, one_class=one_class),
        temperature=fit_temperature(logits, targets, output),
        log_loss_after=log_loss(crossed, targets, one_class=one_class),
        expected_error_after=expected_error(reliability(crossed, targets, one_class=one_class)),
    )


def reliability(p: FloatArray, targets: FloatArray, *, one_class: bool) -> tuple[Bin, ...]:
    """Bins by confidence: of the foremost class where one holds, of every class on its own where any may."""
    if one_class:
        confidence = p.max(axis=1)
        right = targets[np.arange(len(p)), p.argmax(axis=1)] > 0.5
    else:
        known = ~np.isnan(targets)
        confidence = np.maximum(p, 1 - p)[known]
        right = ((p >= 0.5) == (targets >= 0.5))[known]
    index = np.minimum((confidence * N_BINS).astype(np.intp), N_BINS - 1)
    bins = []
    for number in np.unique(index):
        inside = index == number
        bins.append(
            Bin(
                low=float(number / N_BINS),
                high=float((number + 1) / N_BINS),
                count=int(inside.sum()),
                confidence=float(confidence[inside].mean()),
                accuracy=float(right[inside].mean()),
            )
        )
    return tuple(bins)


def expected_error(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error (Naeini et al. 2015), 0..1."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total


def log_loss(p: FloatArray, targets: FloatArray, *, one_class: bool) -> float:
    """Mean negative log likelihood of a sample."""
    chosen = np.log(np.clip(p, LEAST_P, 1.0))
    if one_class:
        return float(-(targets * chosen).sum(axis=1).mean())
    other = np.log(np.clip(1 - p, LEAST_P, 1.0))
    return float(-np.nansum(targets * chosen + (1 - targets) * other, axis=1).mean())


def fit_temperature(logits: FloatArray, targets: FloatArray, output: Output) -> float:
    """The temperature of the least log loss (Guo et al. 2017), 0.05..20."""

    def mean_loss(log_temperature: float) -> float:
        return log_loss(output.probabilities(logits / np.exp(log_temperature)), targets, one_class=output.one_class)

    found = minimize_scalar(
        mean_loss,
        bounds=LOG_TEMPERATURES,
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x))


def softmax_rows(logits: FloatArray) -> FloatArray:
    """Probabilities (N, K) of classes that exclude each other."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def sigmoids(logits: FloatArray) -> FloatArray:
    """Probabilities (N, K) of classes each on its own."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))))


ONE_CLASS = Output(softmax_rows, one_class=True)
ANY_CLASSES = Output(sigmoids, one_class=False)


def _halves(image_ids: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    _, position = np.unique(image_ids, return_inverse=True)
    return np.asarray(position % 2 == 0)
