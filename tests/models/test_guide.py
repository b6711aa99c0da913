"""What is kept of a picture between predictions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.guide import Smoother, make_guide

Picture = np.ndarray


@pytest.fixture(name="pixels")
def some_pixels() -> Picture:
    return np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


def test_make_guide__leaves_the_picture_as_it_is(pixels: Picture) -> None:
    before = pixels.copy()
    make_guide(pixels, (5, 6))
    np.testing.assert_array_equal(pixels, before)


def test_make_guide__cells_are_means_of_the_planes(pixels: Picture) -> None:
    guide = make_guide(pixels, (10, 15))
    assert (guide.height, guide.width, guide.grid) == (60, 90, (10, 15))
    means = guide.planes.reshape(3, 10, 6, 15, 6).mean(axis=(2, 4))
    np.testing.assert_allclose(guide.colors.fine.cells + guide.center[:, None, None], means, atol=1e-3)
    np.testing.assert_allclose(guide.colors.fine.cells.mean(axis=(1, 2)), 0, atol=1e-3)


def test_make_guide__has_no_more_cells_than_the_picture_pixels(pixels: Picture) -> None:
    guide = make_guide(pixels[:4], (8, 9))
    assert guide.grid == (8, 9)
    assert guide.colors.fine.cells.shape == (3, 4, 9)


def test_guide__knows_its_size(pixels: Picture) -> None:
    guide = make_guide(pixels, (6, 9))
    # Pixels; on the grid colours, their means and details, and six elements of each covariance; the smoother's part.
    assert guide.nbytes >= pixels.nbytes + 4 * 6 * 9 * (3 + 3 + 3 + 6 + 3) + 4 * 3 * 256**2
    assert make_guide(pixels[:1], (1, 9)).nbytes < 10_000


def test_smoother__many_threads_disturb_each_other_not() -> None:
    rng = np.random.default_rng(0)
    smoother = Smoother(rng.uniform(0, 255, (3, 40, 50)).astype(np.float32))
    planes = [rng.random((40, 50), np.float32) for _ in range(40)]
    alone = [smoother.smooth(plane) for plane in planes]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(smoother.smooth, planes))
    np.testing.assert_array_equal(together, alone)


def test_smoother__a_strip_stays_as_it_is() -> None:
    strip = np.arange(7, dtype=np.float32)[None]
    np.testing.assert_array_equal(Smoother(np.zeros((3, 1, 7), np.float32)).smooth(strip), strip)
