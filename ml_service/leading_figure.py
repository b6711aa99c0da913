"""Which figure of the live head is the one to go by: the same for what is shown and for what the history keeps."""

from __future__ import annotations

from typing import Literal

HELD_OUT: Literal["held_out"] = "held_out"
CROSS_VALIDATION: Literal["cross_validation"] = "cross_validation"
Method = Literal["held_out", "cross_validation"]
LEADING_IMAGES = 10
"""Held-out images from which on they are what to go by; fewer are so few that the interval says next to nothing."""


def leading_method(n_held_out_images: int | None, *, has_estimate: bool) -> Method | None:
    """Chosen by the number of images, never by the value; None where there is neither.

    Args:
        n_held_out_images: Behind the held-out accuracy; None where that is unknown.
        has_estimate: Whether there is one by cross-validation.
    """
    if n_held_out_images is None or (has_estimate and n_held_out_images < LEADING_IMAGES):
        return CROSS_VALIDATION if has_estimate else None
    return HELD_OUT
