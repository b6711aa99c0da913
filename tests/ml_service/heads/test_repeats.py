"""Points that say the same twice count once."""

from __future__ import annotations

import numpy as np

from ml_service.heads.repeats import counted_once, row_keys


def test_row_keys__equal_for_equal_features_of_one_class() -> None:
    rows = np.array([[1, 2], [1, 2], [1, 2], [2, 1]], np.float32)
    keys = row_keys(rows, np.array([0, 0, 1, 0]))
    assert keys[0] == keys[1]
    assert len(set(keys.tolist())) == 3


def test_row_keys__no_rows() -> None:
    assert row_keys(np.zeros((0, 2), np.float32), np.zeros(0, np.int64)).shape == (0,)


def test_counted_once__the_heaviest_stays() -> None:
    weights = np.array([0.3, 1.0, 0.0, 1.0, 0.3], np.float32)
    np.testing.assert_array_equal(counted_once(weights, np.array([7, 7, 7, 8, 9])), np.float32([0, 1, 0, 1, 0.3]))


def test_counted_once__no_points() -> None:
    assert counted_once(np.zeros(0, np.float32), np.zeros(0, np.int64)).shape == (0,)
