from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from db.queries.training_data import ImageRef
from ml_service.feature_reader import ByteLimitedCache, FeatureReader
from models.feature_forms import FormName
from models.feature_store import FeatureStore, StoreSettings, open_store
from models.geometry import make_grid, sample_bilinear
from tests.ml_service.toy_session import EXTRACTOR, HEIGHT, WIDTH, content_hash, toy_features


def _reader(folder: Path, form: FormName | None = None) -> FeatureReader:
    store = open_store(folder, EXTRACTOR, StoreSettings(form=form))
    if store.lacks_projection:
        store.fit([toy_features(1).patches])
    store.write(content_hash(1), toy_features(1))
    return FeatureReader(store, map_cache_bytes=1 << 20, pooled_cache_bytes=1 << 20)


@pytest.mark.parametrize("form", list(FormName))
def test_at_points__equals_sampling_the_whole_map(tmp_path: Path, form: FormName) -> None:
    reader = _reader(tmp_path, form)
    xy = [(0.0, 0.0), (12.3, 40.1), (WIDTH, HEIGHT)]
    whole = FeatureStore(tmp_path, EXTRACTOR).read_patches(content_hash(1)).astype(np.float32)
    np.testing.assert_allclose(whole, toy_features(1).patches, atol=0.05)
    expected = sample_bilinear(whole, make_grid(WIDTH, HEIGHT, EXTRACTOR).to_grid(xy))
    found = reader.at_points(content_hash(1), (WIDTH, HEIGHT), xy)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


def test_at_points__none(tmp_path: Path) -> None:
    assert _reader(tmp_path).at_points(content_hash(1), (WIDTH, HEIGHT), []).shape == (0, 1, EXTRACTOR.dim)


def test_cells__spread_evenly_and_bounded(tmp_path: Path) -> None:
    reader = _reader(tmp_path)
    assert reader.cells(content_hash(1), 10).shape == (10, EXTRACTOR.dim)
    assert reader.cells(content_hash(1), 1000).shape == (48, EXTRACTOR.dim)


def test_feature_map__kept_one_is_not_read_again(tmp_path: Path) -> None:
    reader = _reader(tmp_path)
    image = ImageRef(1, content_hash(1), WIDTH, HEIGHT, 0)
    first = reader.feature_map(image, keep=True)
    FeatureStore(tmp_path, EXTRACTOR).patches_path(content_hash(1)).unlink()
    assert reader.feature_map(image, keep=False) is first


def test_byte_limited_cache__drops_what_was_unused_longest() -> None:
    array = np.zeros(100, dtype=np.float32)
    cache = ByteLimitedCache(2 * array.nbytes)
    cache.put("a", array)
    cache.put("b", array)
    cache.get("a")
    cache.put("c", array)
    assert [name for name in "abc" if cache.get(name) is not None] == ["a", "c"]
