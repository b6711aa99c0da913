"""Shares as people read them, the same on the command line as on the page."""

from __future__ import annotations

import math

_WIDEST_TOLD = 0.6


def percent(share: float) -> str:
    """63% of 0.625: halves are rounded up, as browsers do; Python would round to the even number."""
    return f"{math.floor(100 * share + 0.5)}%"


def is_telling(low: float, high: float) -> bool:
    """Whether a share with this interval may stand for itself, as `isTelling` of the page (state/quality.ts) has it."""
    return high - low < _WIDEST_TOLD


def share_in_words(value: float, low: float, high: float) -> str:
    """`83% right (74% to 95%)`, or what is possible where the interval says next to nothing."""
    between = f"{percent(low)} to {percent(high)}"
    if is_telling(low, high):
        return f"{percent(value)} right ({between})"
    return f"not known yet: {between} right is possible,"
