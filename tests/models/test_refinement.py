"""Refined maps are probabilities, lie where the picture's edges lie, and follow only colours that tell something."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.guide import make_guide
from models.prediction_store import upsampled_probabilities
from models.refinement import OFFSET, PRODUCT_VALUES, SLOPES, Clicks, fit_refinement, refine
from tests.boundaries import crossing

CELL = 8


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(1, height // 16), max(1, width // 16), 3), dtype=np.uint8)
    noise = rng.normal(0, 6, (height, width, 3))
    return np.clip(cv2.resize(coarse, (width, height)).astype(float) + noise, 0, 255).astype(np.uint8)


def random_logits(classes: int, rows: int, columns: int, seed: int = 0, scale: float = 4.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, (classes, rows, columns)).astype(np.float32)


def disc(side: int, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] + 0.5
    return (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < radius**2


def logits_of(truth: np.ndarray, strength: float = 6.0) -> np.ndarray:
    """What a perfect head with cells of CELL pixels would say of a mask."""
    rows, columns = truth.shape[0] // CELL, truth.shape[1] // CELL
    share = truth.reshape(rows, CELL, columns, CELL).mean(axis=(1, 3))
    return (strength * np.stack([share - 0.5, 0.5 - share])).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    grid=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    classes=st.integers(1, 5),
    scale=st.sampled_from([0.1, 3.0, 300.0]),
    kind=st.sampled_from(["colour", "grey", "constant"]),
    seed=st.integers(0, 99),
)
def test_refine__gives_probabilities(
    size: tuple[int, int], grid: tuple[int, int], classes: int, scale: float, kind: str, seed: int
) -> None:
    """Of any picture, a strip of one pixel too, and of any grid, finer than the picture too."""
    pixels = picture(*size, seed)
    if kind == "grey":
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    elif kind == "constant":
        pixels[:] = seed
    found = refine(random_logits(classes, *grid, seed, scale), pixels)
    assert found.shape == (classes, *size)
    assert found.dtype == np.float32
    assert (found >= 0).all()
    assert (found <= 1 + 1e-6).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_refine__constant_logits_stay_constant(classes: int) -> None:
    logits = np.ones((classes, 12, 16), np.float32) * np.array([0.3, -1.2, 2.0][:classes], np.float32)[:, None, None]
    expected = upsampled_probabilities(logits, 1, 1)
    np.testing.assert_allclose(
        refine(logits, picture(96, 128)), np.broadcast_to(expected, (classes, 96, 128)), atol=1e-5
    )


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("axis", [0, 1])
def test_refine__mirrored_input_gives_mirrored_output(classes: int, axis: int) -> None:
    pixels, logits = picture(101, 77), random_logits(classes, 13, 10)
    found = refine(logits, pixels)
    mirrored = refine(np.flip(logits, axis + 1), np.ascontiguousarray(np.flip(pixels, axis)))
    np.testing.assert_allclose(np.flip(mirrored, axis + 1), found, atol=2e-3)


def test_refine__a_symmetric_edge_is_not_shifted() -> None:
    """A step in the middle of a cell: the map crosses one half just there."""
    truth = np.zeros((96, 96), np.bool_)
    truth[:, : 48 + CELL // 2] = True
    pixels = np.where(truth[..., None], 60, 180).astype(np.uint8).repeat(3, axis=2)
    found = refine(logits_of(truth), pixels)[0]
    for row in (3, 48, 92):
        assert crossing(found[row].astype(float), 0.5) == pytest.approx(48 + CELL / 2, abs=0.5)


def test_refine__follows_what_the_grid_cannot_show() -> None:
    truth = disc(128, 37.0) & ~disc(128, 30.0)
    rng = np.random.default_rng(0)
    pixels = np.clip(np.where(truth[..., None], 90, 160) + rng.normal(0, 5, (128, 128, 3)), 0, 255).astype(np.uint8)
    logits = logits_of(truth)
    plain = upsampled_probabilities(logits, 128, 128)[0] > 0.5
    refined = refine(logits, pixels)[0] > 0.5
    errors = [int((mask != truth).sum()) for mask in (plain, refined)]
    assert errors[1] < 0.25 * errors[0]


def test_refine__colour_that_tells_nothing_changes_little() -> None:
    truth = disc(256, 80.0)
    pixels = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    logits = logits_of(truth)
    plain = upsampled_probabilities(logits, 256, 256)[0] > 0.5
    refined = refine(logits, pixels)[0] > 0.5
    assert (plain != refined).mean() < 0.01


def test_refine__a_class_does_not_spread_to_its_colour_elsewhere() -> None:
    """A red object here and a red one far away, of which the grid says that it is no such object."""
    pixels = np.full((160, 320, 3), 120, np.uint8)
    truth, other = np.zeros((160, 320), np.bool_), np.zeros((160, 320), np.bool_)
    truth[40:120, 20:100], other[40:120, 220:300] = True, True
    pixels[truth | other] = (220, 30, 30)
    found = refine(logits_of(truth, strength=12.0), pixels)[0]
    # The guide rounds corners off, by a pixel.
    assert (found[truth] > 0.5).mean() > 0.999
    assert found[other].max() < 0.1


@pytest.mark.parametrize("classes", [2, 3])
def test_refine__clicked_pixels_keep_their_class_where_the_grid_gave_it(classes: int) -> None:
    pixels, logits = picture(120, 160, 3), random_logits(classes, 15, 20, 5, scale=1.5)
    plain = upsampled_probabilities(logits, 160, 120).argmax(axis=0)
    free = refine(logits, pixels).argmax(axis=0)
    overruled = np.argwhere(plain != free)
    assert len(overruled) > 20
    chosen = overruled[:: max(1, len(overruled) // 40)]
    rows, columns = chosen.T
    clicks = Clicks(np.stack([columns + 0.5, rows + 0.5], axis=1), plain[rows, columns])
    kept = refine(logits, pixels, clicks).argmax(axis=0)
    np.testing.assert_array_equal(kept[rows, columns], plain[rows, columns])


def test_refine__a_click_against_the_grid_changes_nothing() -> None:
    pixels, logits = picture(120, 160), random_logits(2, 15, 20)
    refined = refine(logits, pixels)
    wrong = int(refined[:, 60, 80].argmin())
    against = refine(logits, pixels, Clicks(np.array([[80.5, 60.5]]), np.array([wrong])))
    if upsampled_probabilities(logits, 160, 120)[:, 60, 80].argmax() != wrong:
        np.testing.assert_array_equal(against, refined)


def test_refine__two_classes_are_as_three_of_which_one_never_is() -> None:
    pixels, two = picture(90, 110), random_logits(2, 11, 14)
    three = np.concatenate([two, np.full((1, 11, 14), -40, np.float32)])
    np.testing.assert_allclose(refine(three, pixels)[:2], refine(two, pixels), atol=2e-3)


def test_refinement__bands_are_the_whole() -> None:
    pixels, logits = picture(203, 150), random_logits(3, 25, 19)
    refinement = fit_refinement(logits, make_guide(pixels, logits.shape[1:]))
    whole = refinement.rows(slice(0, 203))
    parts = np.concatenate([refinement.rows(slice(start, min(start + 7, 203))) for start in range(0, 203, 7)], axis=1)
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    np.testing.assert_allclose(refinement.probabilities(), whole, atol=1e-6)
    np.testing.assert_array_equal(refinement.label_map(), whole.argmax(axis=0))
    np.testing.assert_array_equal(refinement.label_map([2, 0]), whole[[2, 0]].argmax(axis=0))


def test_refinement__pixels_are_those_of_the_rows() -> None:
    pixels, logits = picture(61, 83), random_logits(3, 9, 12)
    refinement = fit_refinement(logits, make_guide(pixels, logits.shape[1:]))
    places = np.array([[0, 0], [82, 60], [40, 31], [7, 55]])
    plain, refined = refinement.at(places)
    columns, rows = places.T
    np.testing.assert_allclose(refined, refinement.probabilities()[:, rows, columns].T, atol=1e-5)
    np.testing.assert_allclose(plain, upsampled_probabilities(logits, 83, 61)[:, rows, columns].T, atol=1e-5)


def test_refinement__a_large_picture_takes_little_more_than_its_guide() -> None:
    """No array of floats of the picture's size: 12 megapixels would be 48 MB for each plane."""
    import tracemalloc

    guide = make_guide(np.full((1500, 8000, 3), 90, np.uint8), (40, 128))
    tracemalloc.start()
    found = fit_refinement(random_logits(4, 40, 128), guide).label_map()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (1500, 8000)
    assert peak < found.nbytes + 40e6


@pytest.mark.parametrize("shape", [(0, 4, 4), (4, 4)])
def test_fit_refinement__refuses_what_are_no_logits(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected logits"):
        fit_refinement(np.zeros(shape, np.float32), make_guide(picture(20, 20), (4, 4)))


def test_fit_refinement__refuses_a_guide_for_another_grid() -> None:
    with pytest.raises(ValueError, match=r"guide's grid of \(4, 5\)"):
        fit_refinement(random_logits(2, 5, 4), make_guide(picture(20, 20), (4, 5)))


def test_fit_refinement__a_guide_serves_many_predictions() -> None:
    pixels = picture(90, 70)
    kept = make_guide(pixels, (12, 10))
    for seed, classes in enumerate((2, 3, 1, 2)):
        logits = random_logits(classes, 12, 10, seed)
        np.testing.assert_array_equal(fit_refinement(logits, kept).probabilities(), refine(logits, pixels))


@pytest.mark.parametrize("classes", [2, 5])
def test_refinement__without_correction_is_plain(classes: int) -> None:
    """However rows of pixels lie between rows of cells."""
    logits = random_logits(classes, 13, 10)
    refinement = fit_refinement(logits, make_guide(picture(101, 77), (13, 10)))
    refinement.correction[:, OFFSET : SLOPES.stop] = 0
    plain = upsampled_probabilities(logits, 77, 101)
    np.testing.assert_allclose(refinement.probabilities(), plain, atol=1e-5)


@pytest.mark.parametrize("side", [64, 256, 1000])
def test_refinement__bands_ask_for_products_of_one_thread(side: int) -> None:
    refinement = fit_refinement(random_logits(2, 64, 64), make_guide(picture(side, side), (64, 64)))
    bands: list[slice] = []
    refinement.each_band(lambda rows, _band: bands.append(rows))
    assert sum(band.stop - band.start for band in bands) == side
    for band in bands:
        rows = band.stop - band.start
        assert rows == 1 or rows * side * (rows * 64 / side + 2) <= PRODUCT_VALUES


def test_label_map__of_equals_the_first() -> None:
    refinement = fit_refinement(np.zeros((2, 4, 4), np.float32), make_guide(picture(20, 20), (4, 4)))
    assert not refinement.label_map().any()


def test_refine__a_grid_finer_than_the_picture_is_averaged_first() -> None:
    """In full size each pixel holds four cells; noise of single cells does not decide."""
    truth = np.zeros((64, 64), np.bool_)
    truth[:, :32] = True
    noise = np.random.default_rng(0).normal(0, 6, (128, 128))
    fine = np.kron(np.where(truth, 4.0, -4.0), np.ones((2, 2))) + noise
    pixels = np.where(truth[..., None], 60, 180).astype(np.uint8).repeat(3, axis=2)
    found = refine(np.stack([fine / 2, -fine / 2]).astype(np.float32), pixels)[0] > 0.5
    assert (found == truth).mean() > 0.99
