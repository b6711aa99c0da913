"""A loss that is no finite number ends a training."""

from __future__ import annotations

import math

from ml_service.errors import DivergedError


def check_finite(value: float, name: str, *, epoch: int, setting: str, rate: float) -> float:
    """`value`, if it is a finite number.

    Args:
        setting: Name of the setting that holds the learning rate.

    Raises:
        DivergedError: it is not.
    """
    if math.isfinite(value):
        return value
    raise DivergedError(
        f"the {name} became {value} in epoch {epoch} with {setting} {rate:g}: choose a smaller one, "
        f"for example {rate / 10:g}, and start again"
    )
