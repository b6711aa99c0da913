"""When a run stops getting better."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Counts the checks (one per epoch) since the loss last fell by more than `threshold`."""

    patience: int
    threshold: float
    reference_loss: float = math.inf
    """The loss that the next improvement is measured against."""
    checks_without_improvement: int = 0

    def update(self, loss: float) -> None:
        """Take note of one check."""
        if loss < self.reference_loss - self.threshold:
            self.reference_loss = loss
            self.checks_without_improvement = 0
        else:
            self.checks_without_improvement += 1

    @property
    def should_stop(self) -> bool:
        """Whether the patience is used up."""
        return self.checks_without_improvement >= self.patience
