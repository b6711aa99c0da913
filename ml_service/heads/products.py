"""Products of points with a few rows of weights: twice as fast in torch's library as in NumPy's, from two rows on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Float32s = npt.NDArray[np.float32]


def rows_times_weights(rows: Float32s, weight: Float32s) -> Float32s:
    """(n, K): rows (n, D) times weights (K, D)."""
    if len(weight) == 1:
        return rows @ weight.T
    product: Float32s = torch.mm(torch.from_numpy(rows), torch.from_numpy(weight).T).numpy()
    return product


def errors_times_rows(errors: Float32s, rows: Float32s) -> Float32s:
    """(K, D): errors (K, n) times rows (n, D)."""
    if len(errors) == 1:
        return errors @ rows
    product: Float32s = torch.mm(torch.from_numpy(errors), torch.from_numpy(rows)).numpy()
    return product
