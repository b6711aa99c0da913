"""What the last steps of a minimisation told of the second derivative (L-BFGS), as matrices: many steps stay cheap.

The direction is that of the two loops of Nocedal (1980), in the compact form of Byrd, Nocedal and Schnabel (1994): a
few products of matrices in place of a loop over the steps. NumPy and SciPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

Float64s = npt.NDArray[np.float64]


class _Shelf:
    """Room for steps that memories share: each sees a stretch of it, and nothing that stands there changes."""

    def __init__(self, room: int, size: int) -> None:
        self.steps = np.empty((room, size), dtype=np.float32)
        self.changes = np.empty((room, size), dtype=np.float32)
        self.products = np.zeros((room, room))
        """Of steps (first axis) with changes of the gradient; only the upper half is there."""
        self.n_used = 0


@dataclass(frozen=True)
class StepMemory:
    """The last steps, oldest first, and by how much each changed the gradient."""

    _shelf: _Shelf | None = field(default=None, repr=False)
    _first: int = 0
    _end: int = 0

    def __len__(self) -> int:
        return self._end - self._first

    def fits(self, size: int) -> bool:
        """Whether it is of a problem with so many parameters."""
        return self._shelf is not None and self._shelf.steps.shape[1] == size

    def extended(self, step: Float64s, change: Float64s, limit: int) -> StepMemory:
        """This one with one step more, of which the last `limit` stay."""
        kept = self._last(limit - 1)
        shelf = kept._shelf
        if shelf is None or kept._end != shelf.n_used or kept._end == len(shelf.steps):
            kept = kept._moved(2 * limit, step.size)
            shelf = kept._shelf
        assert shelf is not None
        row = kept._end
        shelf.steps[row], shelf.changes[row] = step.ravel(), change.ravel()
        shelf.products[kept._first : row + 1, row] = shelf.steps[kept._first : row + 1] @ shelf.changes[row]
        shelf.n_used = row + 1
        return StepMemory(shelf, kept._first, row + 1)

    def last_rate(self) -> tuple[float, float]:
        """Of the last step the product with its change, and the squared norm of that change."""
        assert self._shelf is not None
        change = self._shelf.changes[self._end - 1]
        return float(self._shelf.products[self._end - 1, self._end - 1]), float(np.vdot(change, change))

    def times_inverse(self, gradient: Float64s, first: Callable[[Float64s], Float64s]) -> Float64s:
        """Gradient times the inverse second derivative, which `first` gives as far as it is known without the steps."""
        shelf = self._shelf
        if shelf is None or not len(self):
            return first(gradient)
        seen = slice(self._first, self._end)
        steps, changes, products = shelf.steps[seen], shelf.changes[seen], shelf.products[seen, seen]
        shares = solve_triangular(products, steps @ gradient.ravel().astype(np.float32), check_finite=False)
        rest = gradient - (shares.astype(np.float32) @ changes).reshape(gradient.shape)
        vector = first(rest)
        back = products.diagonal() * shares - changes @ vector.ravel().astype(np.float32)
        more = solve_triangular(products, back, trans="T", check_finite=False)
        return np.asarray(vector + (more.astype(np.float32) @ steps).reshape(gradient.shape))

    def _last(self, count: int) -> StepMemory:
        return StepMemory(self._shelf, max(self._first, self._end - count), self._end)

    def _moved(self, room: int, size: int) -> StepMemory:
        """The same on a shelf of its own, so that there is room behind the last one."""
        shelf, count = _Shelf(room, size), len(self)
        if self._shelf is not None and count:
            seen = slice(self._first, self._end)
            shelf.steps[:count], shelf.changes[:count] = self._shelf.steps[seen], self._shelf.changes[seen]
            shelf.products[:count, :count] = self._shelf.products[seen, seen]
        shelf.n_used = count
        return StepMemory(shelf, 0, count)
