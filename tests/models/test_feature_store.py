from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.base import ChannelGroup, ExtractorInfo, Features
from models.errors import FeatureMismatchError
from models.feature_store import FeatureStore, write_atomically

INFO = ExtractorInfo(
    "toy", "abc", 8, 8, dim=4, pooled_dim=3, resize=64, groups=(ChannelGroup("a", 4),), options={"recipe": 1}
)
HASH = "ab" + "0" * 62
FEATURES = Features(
    np.random.default_rng(0).standard_normal((5, 7, 4), dtype=np.float32), np.arange(3, dtype=np.float32)
)


def test_write__read_back_within_float16(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, INFO)
    assert not store.has(HASH)
    store.write(HASH, FEATURES)
    assert store.has(HASH)
    for patches in (store.read_patches(HASH), store.open_patches(HASH).whole()):
        assert patches.dtype == np.float16
        np.testing.assert_allclose(patches, FEATURES.patches, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(store.read_pooled(HASH), FEATURES.pooled)


def test_write__pooled_vector_alone(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, INFO)
    store.write(HASH, Features(None, FEATURES.pooled))
    assert store.has(HASH, patches=False)
    assert not store.has(HASH)
    np.testing.assert_array_equal(store.read_pooled(HASH), FEATURES.pooled)
    with pytest.raises(FeatureMismatchError, match="is missing"):
        store.read_patches(HASH)


def test_open__another_identity_gets_its_own_folder(tmp_path: Path) -> None:
    one, other = FeatureStore(tmp_path, INFO), FeatureStore(tmp_path, replace(INFO, resize=96))
    assert one.folder != other.folder
    assert FeatureStore(tmp_path, INFO).folder == one.folder


def test_open__changed_manifest_is_refused(tmp_path: Path) -> None:
    manifest = FeatureStore(tmp_path, INFO).folder / "manifest.json"
    data = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**data, "layout_version": 3}))
    with pytest.raises(FeatureMismatchError, match=r"differs .* in layout_version: found \[3\], expected \[2\]"):
        FeatureStore(tmp_path, INFO)


def test_read_patches__missing_and_misshapen_say_what_to_do(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, INFO)
    with pytest.raises(FeatureMismatchError, match="--append to compute"):
        store.read_patches(HASH)
    store.write(HASH, FEATURES)
    np.save(store.patches_path(HASH), np.zeros((5, 7, 9), np.float16))
    with pytest.raises(FeatureMismatchError, match="expected 3 axes with 4 channels"):
        store.read_patches(HASH)


@pytest.mark.parametrize(
    "features",
    [
        Features(np.full((1, 1, 4), np.nan, np.float32), FEATURES.pooled),
        Features(np.full((1, 1, 4), 1e5, np.float32), FEATURES.pooled),
        Features(None, np.full(3, np.inf, np.float32)),
    ],
)
def test_write__values_that_are_not_finite_are_refused(tmp_path: Path, features: Features) -> None:
    store = FeatureStore(tmp_path, INFO)
    with pytest.raises(ValueError, match="not finite"):
        store.write(HASH, features)
    assert not store.has(HASH, patches=False)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("kept_bytes", [0, 5, 150])
def test_read_patches__damaged_file_is_named_within_the_session(tmp_path: Path, kept_bytes: int, mapped: bool) -> None:
    store = FeatureStore(tmp_path, INFO)
    store.write(HASH, FEATURES)
    path = store.patches_path(HASH)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(FeatureMismatchError, match=r"^features/toy-\w+/ab/ab0+\.npy is damaged") as caught:
        store.open_patches(HASH) if mapped else store.read_patches(HASH)
    assert str(tmp_path) not in str(caught.value)


def test_write_atomically__failure_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text is no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_extractor_info__json_round_trip() -> None:
    assert ExtractorInfo.from_json(json.loads(json.dumps(INFO.to_json()))) == INFO
