"""How sure a share is: 95 % intervals that know that points of one image are not independent."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

Z = 1.959964
"""Of a two-sided 95 % interval."""


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval, all 0..1."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """As plain JSON values."""
        return asdict(self)


def wilson(value: float, n: float) -> Share:
    """Interval of a share `value` of `n` independent trials (Wilson 1927); n may be a fraction."""
    if n <= 0:
        return Share(value, 0.0, 1.0)
    centre = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2))
    # At 0 and 1 the interval ends there exactly; rounding must not put the value outside.
    low = min(value, max(0.0, float(centre - half)))
    high = max(value, min(1.0, float(centre + half)))
    return Share(value, low, high)


def paired_gain(
    gain: npt.NDArray[np.floating], image_ids: npt.NDArray[np.integer], weights: npt.NDArray[np.floating] | None = None
) -> tuple[float, float | None]:
    """Mean of the gains (N,) of one head over another on the same samples, N > 0, and its standard error.

    The error is one over images, as samples of one image are not independent; None for a single image.

    Args:
        weights: (N,), not all zero; None means all ones.
    """
    weights = np.ones(len(gain)) if weights is None else weights.astype(np.float64)
    mean = float(np.average(gain, weights=weights))
    _, position = np.unique(image_ids, return_inverse=True)
    residuals = np.bincount(position, weights=weights * (gain - mean))
    m = len(residuals)
    if m < 2:
        return mean, None
    return mean, float(np.sqrt(np.square(residuals).sum() * m / (m - 1)) / weights.sum())


def doubt(gain: float, error: float | None, n_images: int, least_images: int) -> str | None:
    """Why a lower held-out loss is no reason to replace what a person works with; None where it is one.

    Args:
        gain: See `paired_gain`.
        error: Its standard error.
        n_images: That it was measured on.
        least_images: Of fewer nobody knows what chance can do.
    """
    if n_images < least_images:
        return f"there are only {n_images} of the {least_images} validation images that it takes to tell"
    if error is None or gain <= 2 * error:
        of = "" if error is None else f" of {error:.3f}"
        return f"a gain of {gain:.3f} is not above twice its standard error{of}: it may be chance"
    return None


def clustered_share(
    right: npt.NDArray[np.bool_], image_ids: npt.NDArray[np.integer], variance_factor: float = 1.0
) -> Share:
    """Share of the samples (N,) that are right, N > 0, where those of one image go together.

    Wilson's interval for as many independent samples as the given ones are worth (Korn and Graubard 1998): fewer, the
    more alike the samples of one image are, and fewer still where few images tell how alike that is.
    Args:
        variance_factor: How much larger the variance is than that of samples drawn anew, for other reasons.
    """
    value = float(right.mean())
    _, position = np.unique(image_ids, return_inverse=True)
    totals = np.bincount(position)
    n_images, n = len(totals), len(right)
    if n_images == n:
        return wilson(value, n / variance_factor)
    if n_images == 1:
        return Share(value, 0.0, 1.0)
    degrees_of_freedom = (Z / float(stdtrit(n_images - 1, 0.975))) ** 2
    if value in (0.0, 1.0):
        # No two samples differ, so nothing tells them apart from one sample an image.
        return wilson(value, n_images * degrees_of_freedom / variance_factor)
    residuals = np.bincount(position, weights=right) - value * totals
    variance = n_images / (n_images - 1) * float(np.square(residuals).sum()) / n**2
    design_effect = max(1.0, variance / (value * (1 - value) / n))
    return wilson(value, n / design_effect * degrees_of_freedom / variance_factor)
