"""Run lengths: the text of COCO's own tools, both ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from models.errors import ShapeError
from models.region_shapes import mask_of
from models.run_lengths import cut_runs, decode_runs, encode_runs

SIDES = st.integers(1, 40)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(SIDES), draw(SIDES)
    density = draw(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 1000))).random((height, width)) < density


@given(masks())
def test_encode_runs__as_pycocotools(pixels: np.ndarray) -> None:
    expected = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    assert encode_runs(pixels) == expected["counts"].decode()


@given(masks())
def test_decode_runs__is_the_way_back(pixels: np.ndarray) -> None:
    assert (decode_runs(encode_runs(pixels), *pixels.shape) == pixels).all()


@given(st.text(alphabet=[chr(code) for code in range(48, 112)], max_size=40), SIDES, SIDES)
def test_decode_runs__anything_else_is_refused(text: str, height: int, width: int) -> None:
    try:
        pixels = decode_runs(text, height, width)
    except ShapeError:
        return
    assert pixels.shape == (height, width)


def test_decode_runs__long_runs() -> None:
    pixels = np.zeros((3000, 2000), dtype=bool)
    pixels[100:2900, 50:1900] = True
    expected = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    assert encode_runs(pixels) == expected
    assert (decode_runs(expected, 3000, 2000) == pixels).all()


@given(masks())
def test_cut_runs__as_the_pixels_say(pixels: np.ndarray) -> None:
    cut = cut_runs(encode_runs(pixels), *pixels.shape)
    expected = mask_of(pixels)
    if expected is None:
        assert cut is None
    else:
        assert cut == (expected.y, expected.x, expected.height, expected.width, expected.counts)


@given(st.text(alphabet=[chr(code) for code in range(48, 112)], max_size=40), SIDES, SIDES)
def test_cut_runs__refuses_what_decode_runs_refuses(text: str, height: int, width: int) -> None:
    try:
        pixels = decode_runs(text, height, width)
    except ShapeError:
        with pytest.raises(ShapeError):
            cut_runs(text, height, width)
        return
    cut, expected = cut_runs(text, height, width), mask_of(pixels)
    assert (cut is None) == (expected is None)
    if expected is not None:
        assert cut == (expected.y, expected.x, expected.height, expected.width, expected.counts)
