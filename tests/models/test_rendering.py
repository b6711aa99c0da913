"""Values of any type to 8-bit RGB: contrast, bands, crop and orientation on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.preprocessing import DEFAULT, Contrast, Crop, Percentiles, Preprocessing, ValueRange
from models.rendering import TABLE_FROM_VALUES, RawPicture, RenderError, render, to_8_bits, upright_size
from tests.models.test_preprocessing import preprocessings

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
RNG = np.random.default_rng(5)


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data(), preprocessing=preprocessings)
@settings(max_examples=25)
def test_render__any_values_give_a_picture_or_a_reason(dtype: str, data: Any, preprocessing: Preprocessing) -> None:
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)))
    raw = RawPicture(data.draw(arrays.arrays(dtype, shape)), orientation=data.draw(st.integers(1, 8)))
    try:
        picture = render(raw, preprocessing)
    except RenderError:
        return
    width, height = upright_size(shape[1], shape[0], raw.orientation)
    crop = preprocessing.crop
    assert picture.shape == (height - crop.top - crop.bottom, width - crop.left - crop.right, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("contrast", ["auto", "none", Percentiles(5, 95), ValueRange(10, 90)])
def test_to_8_bits__is_monotonous(dtype: str, contrast: Contrast) -> None:
    values = np.sort((RNG.random(200) * 100).astype(dtype))
    assert (np.diff(to_8_bits(values, contrast).astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("values", "contrast", "expected"),
    [
        (np.array([0, 128, 255], np.uint8), "auto", [0, 128, 255]),
        (np.array([0, 128, 255], np.uint8), "none", [0, 128, 255]),
        (np.array([0, 51, 255], np.uint8), ValueRange(0, 51), [0, 255, 255]),
        (np.array([0, 257, 65535], np.uint16), "none", [0, 1, 255]),
        (np.array([0, 7, 200], np.uint16), "auto", [0, 7, 200]),
        (np.array([-5, 0, 32767], np.int16), "none", [0, 0, 255]),
        (np.array([0, 2**32 - 1], np.uint32), "none", [0, 255]),
        (np.array([2**31, 2**31 + 2, 2**31 + 4], np.uint32), Percentiles(0, 100), [0, 128, 255]),
        (np.array([-1, 0.5, 2], np.float32), "none", [0, 128, 255]),
        (np.array([np.nan, -1, 3, np.inf], np.float32), ValueRange(-1, 3), [0, 0, 255, 0]),
        (np.array([1e9, 1e9 + 1, 1e9 + 2], np.float64), Percentiles(0, 100), [0, 128, 255]),
        (np.array([-1.7e308, 1.7e308]), "auto", [0, 0]),
        (np.array([7, 7], np.float64) * 1e6, "auto", [0, 0]),
        (np.full(3, np.nan, np.float32), "auto", [0, 0, 0]),
    ],
)
def test_to_8_bits__values(values: np.ndarray[Any, Any], contrast: Contrast, expected: list[int]) -> None:
    assert to_8_bits(values, contrast).tolist() == expected


def test_render__bands_are_stretched_apart_colors_together() -> None:
    values = np.stack([np.linspace(0, top, 64).reshape(8, 8) for top in (1000, 60_000, 300)], axis=2).astype(np.uint16)
    together = render(RawPicture(values), DEFAULT)
    assert together[:, :, 1].max() == 255
    assert together[:, :, 0].max() < 10
    apart = render(RawPicture(values), Preprocessing(bands=(1, 2, 3)))
    assert apart.max(axis=(0, 1)).tolist() == [255, 255, 255]
    one_scale = render(RawPicture(values), Preprocessing(bands=(3, 1, 2), contrast=ValueRange(0, 1000)))
    assert one_scale.max(axis=(0, 1)).tolist() == [76, 255, 255]
    grey = render(RawPicture(values), Preprocessing(bands=(2,)))
    assert (grey == grey[:, :, :1]).all()


def test_render__crop_is_of_the_upright_picture_and_comes_before_contrast() -> None:
    values = np.full((10, 6, 1), 1000, np.uint16)
    values[:, 0] = 65_535  # once upright this is the upper row: an information bar
    values[5, 3] = 1200
    picture = render(RawPicture(values, orientation=6), Preprocessing(crop=Crop(top=1), contrast=Percentiles(0, 100)))
    assert picture.shape == (5, 10, 3)
    assert sorted(np.unique(picture)) == [0, 255], "the bar has no say in the contrast"


def test_render__crop_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(RenderError, match=r"has 6 x 4 pixels, of which preprocessing.crop leaves none"):
        render(RawPicture(np.zeros((4, 6, 3), np.uint8)), Preprocessing(crop=Crop(top=2, bottom=2)))


@pytest.mark.parametrize("channels", [2, 5, 12])
def test_render__channels_without_bands_are_refused_with_the_key(channels: int) -> None:
    with pytest.raises(RenderError, match=rf"has {channels} channels, .* preprocessing\.bands"):
        render(RawPicture(np.zeros((4, 6, channels), np.uint16)), DEFAULT)


def test_render__band_that_is_not_there_is_refused() -> None:
    with pytest.raises(RenderError, match=r"has 3 bands, preprocessing\.bands names band 4: choose from 1 to 3"):
        render(RawPicture(np.zeros((4, 6, 3), np.uint8)), Preprocessing(bands=(4,)))


@pytest.mark.parametrize(("dtype", "opaque"), [("uint8", 255), ("uint16", 65535), ("float32", 1.0)])
def test_render__alpha_is_laid_over_white(dtype: str, opaque: float) -> None:
    values = np.zeros((1, 2, 2), dtype)
    values[0, 0, 1] = opaque
    assert render(RawPicture(values, has_alpha=True), DEFAULT)[0, :, 0].tolist() == [0, 255]


def test_render__fourth_channel_that_is_no_alpha_is_left_out() -> None:
    values = RNG.integers(0, 256, (4, 5, 4), dtype=np.uint8)
    np.testing.assert_array_equal(render(RawPicture(values), DEFAULT), values[:, :, :3])


@pytest.mark.parametrize("contrast", ["auto", "none", Percentiles(2, 90), ValueRange(100, 9_000)])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16, ">u2"])
def test_to_8_bits__large_pictures_look_like_small_ones(dtype: str, contrast: Contrast) -> None:
    random = np.random.default_rng(0)
    small = random.gamma(2, 1_500, (40, 50, 3)).clip(0, 30_000).astype(dtype)
    large = np.tile(small, (40, 40, 1))
    assert large.size >= TABLE_FROM_VALUES
    np.testing.assert_allclose(to_8_bits(large, contrast), np.tile(to_8_bits(small, contrast), (40, 40, 1)), atol=1)
