from __future__ import annotations

import numpy as np
import pytest

from ml_service.predictors.multilabel import foremost, mean_entropy


def test_mean_entropy__what_an_answer_would_tell() -> None:
    assert mean_entropy(np.array([0.5, 0.5])) == pytest.approx(1)
    assert mean_entropy(np.array([0.0, 1.0])) == 0
    one_in_doubt, two_in_doubt = np.array([0.5, 0.01, 0.01]), np.array([0.5, 0.4, 0.01])
    assert mean_entropy(one_in_doubt) < mean_entropy(two_in_doubt) < 1


def test_foremost__the_rarest_of_those_predicted() -> None:
    base = np.array([2.0, -3.0, 0.0], np.float32)
    assert foremost(np.array([0.99, 0.6, 0.9]), base) == 1
    assert foremost(np.array([0.99, 0.4, 0.9]), base) == 2
    assert foremost(np.array([0.1, 0.2, 0.3]), base) == 2
