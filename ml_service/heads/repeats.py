"""Points that say the same twice: they count once, however often they were set."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from ml_service.heads.scaler import FloatArray


def row_key(row: npt.NDArray[np.floating], label: int) -> int:
    """Equal for equal features (D,) with an equal label: a hash of 63 bits."""
    digest = hashlib.blake2b(row.tobytes(), digest_size=8, salt=int(label).to_bytes(8, "big", signed=True)).digest()
    return int.from_bytes(digest) >> 1


def row_keys(rows: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """`row_key` of each of N rows."""
    return np.array([row_key(row, label) for row, label in zip(rows, labels.tolist(), strict=True)], dtype=np.int64)


def counted_once(weights: FloatArray, keys: npt.NDArray[np.int64]) -> FloatArray:
    """Weights (N,) in which of all points with one key only the heaviest has any.

    Two answers alike are one piece of evidence: the place was looked at once. Counted as often as given, they make the
    head follow the place more closely than others, and many of them look like many points.
    """
    order = np.lexsort((-weights, keys))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = keys[order[1:]] != keys[order[:-1]]
    once = np.zeros_like(weights)
    once[order[is_first]] = weights[order[is_first]]
    return once
