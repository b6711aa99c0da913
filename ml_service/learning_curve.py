"""Quality against the number of labels, and whether more of them would help."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ml_service.confidence_intervals import Share

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the training images, nested."""
MIN_IMAGES = 8
"""Labelled ones, below which a quarter of them is no curve."""
FLAT_GAIN = 0.03
"""A curve is flat if twice the labels have surely changed less than this."""
LEAST_GAIN = 0.005
"""What twice the labels must have brought at least to be worth speaking of."""


class Verdict(StrEnum):
    """What more labels would do."""

    RISING = "rising"
    """They would probably still help."""
    FLAT = "flat"
    UNCLEAR = "unclear"
    """The images measured on are too few to tell."""


@dataclass(frozen=True)
class CurvePoint:
    """A head of a part of the labels."""

    n_labels: int
    n_images: int
    accuracy: Share


@dataclass(frozen=True)
class Outlook:
    """What the last doubling of the labels has brought."""

    verdict: Verdict
    gain: float
    """Accuracy with all labels less that with half of them, on the same samples."""
    margin: float
    """Two standard errors of the gain, over images."""
    n_images: int
    """Measured on."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"verdict": self.verdict.value}


def judge_gain(
    right_with_half: npt.NDArray[np.bool_],
    right_with_all: npt.NDArray[np.bool_],
    image_ids: npt.NDArray[np.integer],
) -> Outlook:
    """The outlook from the same samples (N,), N > 0, judged by a head of half of the labels and by one of all.

    Rising if the gain stands out from chance (two standard errors), flat if it is surely small, else unclear.
    """
    _, position = np.unique(image_ids, return_inverse=True)
    totals = np.bincount(position)
    n_images, n = len(totals), len(image_ids)
    change = right_with_all.astype(np.float64) - right_with_half
    gain = float(change.mean())
    residuals = np.bincount(position, weights=change) - gain * totals
    spread = n_images / max(1, n_images - 1) * float(np.square(residuals).sum()) / n**2
    # Half an image might have turned out otherwise, also where none did.
    margin = 2 * float(np.sqrt(spread + (0.5 / n_images) ** 2))
    if n_images < MIN_IMAGES:
        verdict = Verdict.UNCLEAR
    elif gain > margin and gain > LEAST_GAIN:
        verdict = Verdict.RISING
    elif abs(gain) + margin < FLAT_GAIN:
        verdict = Verdict.FLAT
    else:
        verdict = Verdict.UNCLEAR
    return Outlook(verdict, gain, margin, n_images)
