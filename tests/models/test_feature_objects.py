from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest

from models.base import Features
from models.errors import FeatureMismatchError
from models.feature_forms import FormName
from models.feature_objects import ObjectStorage
from models.feature_storage import Tier
from models.feature_store import FeatureStore, StoreSettings, check_store, open_store
from tests.models.test_feature_store import FEATURES, HASH, INFO

pytest.importorskip("fsspec", reason="the extra object-storage is not installed")


@pytest.fixture
def url() -> str:
    """A bucket of its own: the memory of fsspec is one for the whole process."""
    return f"memory://{uuid.uuid4().hex}/features"


def test_open_store__url_is_found_again_by_the_manifest(tmp_path: Path, url: str) -> None:
    store = open_store(tmp_path, INFO, StoreSettings(place=url))
    assert not store.has(HASH)
    store.write(HASH, FEATURES)
    reader = FeatureStore(tmp_path, INFO)
    assert reader.has(HASH)
    np.testing.assert_allclose(reader.read_patches(HASH), FEATURES.patches, atol=0.03)
    np.testing.assert_array_equal(reader.read_pooled_many([HASH]), [FEATURES.pooled])
    assert {entry.tier for entry in reader.entries()} == set(Tier)
    with pytest.raises(FeatureMismatchError, match=r"^memory://.* is missing"):
        reader.read_patches("cd" + HASH)
    reader.remove(HASH)
    assert not store.has(HASH, patches=False)


def test_open_store__another_projection_has_other_objects(tmp_path: Path, url: str) -> None:
    settings = StoreSettings(form=FormName.PCA_INT8, place=url)
    one, other = (open_store(tmp_path / name, INFO, settings) for name in ("one", "other"))
    one.fit([FEATURES.patches])
    other.fit([FEATURES.patches[..., ::-1] * 3 + 1])
    one.write(HASH, FEATURES)
    assert not other.has(HASH)
    same = open_store(tmp_path / "same", INFO, settings)
    same.fit([FEATURES.patches])
    np.testing.assert_allclose(same.read_patches(HASH), FEATURES.patches, atol=0.03)


def test_map__second_read_needs_no_network(tmp_path: Path, url: str) -> None:
    store = open_store(tmp_path, INFO, StoreSettings(place=url))
    store.write(HASH, FEATURES)
    first = store.open_patches(HASH)[np.array([1]), np.array([2])]
    storage = store.storage
    assert isinstance(storage, ObjectStorage)
    storage._filesystem.rm(storage._root, recursive=True)
    np.testing.assert_array_equal(FeatureStore(tmp_path, INFO).open_patches(HASH)[np.array([1]), np.array([2])], first)


def test_write__replaced_object_is_not_read_from_the_cache(tmp_path: Path, url: str) -> None:
    store = open_store(tmp_path, INFO, StoreSettings(place=url))
    store.write(HASH, FEATURES)
    store.read_pooled(HASH)
    store.write(HASH, Features(None, FEATURES.pooled + 1))
    np.testing.assert_array_equal(store.read_pooled(HASH), FEATURES.pooled + 1)


def test_read__cache_is_bounded(tmp_path: Path, url: str) -> None:
    storage = ObjectStorage(url, tmp_path, cache_bytes=3500)
    for number in range(8):
        storage.write(Tier.POOLED, f"{number:064x}", bytes(1000))
    for number in range(8):
        assert len(storage.read(Tier.POOLED, f"{number:064x}")) == 1000
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.npy")) <= 3500


def test_prune__objects_and_their_copies(tmp_path: Path, url: str) -> None:
    store = open_store(tmp_path, INFO, StoreSettings(place=url))
    store.write(HASH, FEATURES)
    store.read_patches(HASH)
    assert store.prune(lambda _: False).arrays == 2
    assert not list(store.folder.rglob("*.pooled.npy"))
    assert not store.has(HASH, patches=False)


def test_check_store__unknown_kind_of_url() -> None:
    with pytest.raises(FeatureMismatchError, match="features_dir: nonsense://x cannot be opened"):
        check_store(None, INFO, StoreSettings(place="nonsense://x"))
