"""Products of points and weights, whatever the shapes."""

from __future__ import annotations

import numpy as np
import pytest

from ml_service.heads.products import errors_times_rows, rows_times_weights


@pytest.mark.parametrize("n_weights", [1, 2, 9])
@pytest.mark.parametrize("n_rows", [1, 30])
def test_products__of_parts_of_arrays(n_weights: int, n_rows: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_rows + 5, 12)).astype(np.float32)[2 : 2 + n_rows]
    weight = rng.normal(size=(n_weights, 13)).astype(np.float32)[:, :-1]
    errors = rng.normal(size=(n_weights, n_rows)).astype(np.float32)
    np.testing.assert_allclose(rows_times_weights(rows, weight), rows @ weight.T, atol=1e-5)
    np.testing.assert_allclose(errors_times_rows(errors, rows), errors @ rows, atol=1e-5)
