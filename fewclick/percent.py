"""Shares as people read them, the same on the command line as on the page."""

from __future__ import annotations

import math


def percent(share: float) -> str:
    """63% of 0.625: halves are rounded up, as browsers do; Python would round to the even number."""
    return f"{math.floor(100 * share + 0.5)}%"
