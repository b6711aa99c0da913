"""Preprocessing as settings: what is written, what is refused, and that it becomes part of the features' identity."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.preprocessing import (
    DEFAULT,
    Crop,
    Percentiles,
    Preprocessing,
    ValueRange,
    preprocessing_of,
    with_preprocessing,
)
from tests.initialization.fakes import FakeExtractor

_numbers = st.floats(-1e9, 1e9)
_contrasts = st.one_of(
    st.sampled_from(["auto", "none"]),
    st.builds(Percentiles, st.floats(0, 49), st.floats(50, 100)),
    st.builds(lambda low, span: ValueRange(low, low + span), _numbers, st.floats(1e-3, 1e9)),
)
_crops = st.builds(Crop, *[st.integers(0, 1000)] * 4)
_bands = st.one_of(st.none(), *[st.tuples(*[st.integers(1, 300)] * count) for count in (1, 3)])
preprocessings = st.builds(Preprocessing, crop=_crops, bands=_bands, contrast=_contrasts, page=st.integers(1, 99))


@given(preprocessings)
def test_from_json__round_trip_through_text(preprocessing: Preprocessing) -> None:
    assert Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json()))) == preprocessing
    assert bool(preprocessing.key) == (preprocessing != DEFAULT)


def test_to_json__default_says_nothing() -> None:
    assert DEFAULT.to_json() == {}
    assert Preprocessing.from_json(None) == Preprocessing.from_json({}) == DEFAULT
    assert Preprocessing.from_json({"crop": None, "bands": None, "contrast": None}) == DEFAULT


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ([1], ["preprocessing: found [1]", "crop, bands, contrast, page"]),
        ({"crops": {}}, ["unknown key 'preprocessing.crops'", "did you mean 'crop'?"]),
        ({"crop": {"botom": 3}}, ["unknown key 'preprocessing.crop.botom'", "did you mean 'bottom'?"]),
        ({"crop": {"left": -1}}, ["preprocessing.crop.left: found -1", "whole number from 0"]),
        ({"crop": {"left": True}}, ["preprocessing.crop.left: found True"]),
        ({"crop": 5}, ["preprocessing.crop: found 5"]),
        ({"bands": [1, 2]}, ["preprocessing.bands: found [1, 2]", "one band (grey) or three"]),
        ({"bands": 4}, ["preprocessing.bands: found 4"]),
        ({"bands": [0]}, ["preprocessing.bands: found 0", "from 1"]),
        ({"contrast": "automatic"}, ["preprocessing.contrast: found 'automatic'", "auto, none"]),
        ({"contrast": [99, 1]}, ["0 <= low < high <= 100"]),
        ({"contrast": [1, 2, 3]}, ["preprocessing.contrast: found [1, 2, 3]"]),
        ({"contrast": {"min": 3}}, ["{min: VALUE, max: VALUE}"]),
        ({"contrast": {"min": 3, "max": 3}}, ["min below max"]),
        ({"contrast": {"min": "a", "max": 3}}, ["found 'a', expected a number"]),
        ({"contrast": {"min": 0, "max": float("nan")}}, ["expected a number"]),
        ({"page": 0}, ["preprocessing.page: found 0"]),
    ],
)
def test_from_json__says_what_is_wrong(data: Any, parts: list[str]) -> None:
    with pytest.raises(ValueError, match="preprocessing") as caught:
        Preprocessing.from_json(data)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_with_preprocessing__is_part_of_the_identity() -> None:
    extractor = FakeExtractor()
    assert with_preprocessing(extractor, DEFAULT) is extractor
    cropped = with_preprocessing(extractor, Preprocessing(crop=Crop(bottom=8)))
    assert cropped.info != extractor.info
    assert preprocessing_of(cropped.info.options) == Preprocessing(crop=Crop(bottom=8))
    assert preprocessing_of(extractor.info.options) == DEFAULT
    assert json.loads(json.dumps(cropped.info.to_json()))["options"]["preprocessing"] == {"crop": {"bottom": 8}}
