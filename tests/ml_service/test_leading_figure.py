from __future__ import annotations

import pytest

from ml_service.leading_figure import LEADING_IMAGES, Method, leading_method


@pytest.mark.parametrize(
    ("n_images", "has_estimate", "expected"),
    [
        (None, False, None),
        (None, True, "cross_validation"),
        (LEADING_IMAGES - 1, False, "held_out"),
        (LEADING_IMAGES - 1, True, "cross_validation"),
        (LEADING_IMAGES, True, "held_out"),
    ],
)
def test_leading_method__by_the_number_of_images(
    n_images: int | None, has_estimate: bool, expected: Method | None
) -> None:
    assert leading_method(n_images, has_estimate=has_estimate) == expected
