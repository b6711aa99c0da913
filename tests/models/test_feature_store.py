from __future__ import annotations

import gc
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.base import ChannelGroup, ExtractorInfo, Features
from models.errors import FeatureMismatchError
from models.feature_forms import FormName
from models.feature_storage import Pruned, StorageKind, Tier
from models.feature_store import FeatureStore, StoreSettings, check_store, open_store, write_atomically

INFO = ExtractorInfo(
    "toy", "abc", 8, 8, dim=4, pooled_dim=3, resize=64, groups=(ChannelGroup("a", 4),), options={"recipe": 1}
)
HASH = "ab" + "0" * 62
FEATURES = Features(
    np.random.default_rng(0).standard_normal((5, 7, 4), dtype=np.float32), np.arange(3, dtype=np.float32)
)


def float16_store(folder: Path) -> FeatureStore:
    return open_store(folder, INFO, StoreSettings(form=FormName.FLOAT16))


def test_write__read_back_within_float16(tmp_path: Path) -> None:
    store = float16_store(tmp_path)
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
    with pytest.raises(FeatureMismatchError, match=r"differs .* in .*layout_version.*: found .*3.*, expected .*2.*"):
        FeatureStore(tmp_path, INFO)
    manifest.write_text("{")
    with pytest.raises(FeatureMismatchError, match="is no JSON file"):
        FeatureStore(tmp_path, INFO)


def test_open__features_of_the_first_layout_are_read_as_they_are(tmp_path: Path) -> None:
    folder = float16_store(tmp_path).folder
    old = {"layout_version": 1, "dtype": "float16", "extractor": INFO.to_json()}
    (folder / "manifest.json").write_text(json.dumps(old))
    (folder / HASH[:2]).mkdir()
    np.save(folder / HASH[:2] / f"{HASH}.npy", FEATURES.patches.astype(np.float16))
    store = open_store(tmp_path, INFO, StoreSettings())
    assert store.form is FormName.FLOAT16
    np.testing.assert_array_equal(store.read_patches(HASH), FEATURES.patches.astype(np.float16))


def test_open_store__other_settings_than_the_manifest_are_refused(tmp_path: Path) -> None:
    float16_store(tmp_path)
    assert FeatureStore(tmp_path, INFO).form is FormName.FLOAT16
    with pytest.raises(FeatureMismatchError, match=r"^features_form: found int8, but .* have float16: put it back"):
        open_store(tmp_path, INFO, StoreSettings(form=FormName.INT8))
    with pytest.raises(FeatureMismatchError, match="features_storage: found shards with features_dir s3://a/b"):
        check_store(None, INFO, StoreSettings(storage=StorageKind.SHARDS, place="s3://a/b"))


def test_open_store__place_outside_is_found_again_by_the_manifest(tmp_path: Path) -> None:
    place = tmp_path / "features elsewhere"
    open_store(tmp_path / "one", INFO, StoreSettings(place=str(place))).write(HASH, FEATURES)
    assert FeatureStore(tmp_path / "one", INFO).has(HASH)
    # Another session finds there what is made already.
    assert open_store(tmp_path / "two", INFO, StoreSettings(place=str(place))).has(HASH)


@pytest.mark.parametrize("storage", list(StorageKind))
def test_open_store__place_is_shared_by_sessions_with_the_same_projection_only(
    tmp_path: Path, storage: StorageKind
) -> None:
    settings = StoreSettings(form=FormName.PCA_INT8, storage=storage, place=str(tmp_path / "elsewhere"))

    def fitted(session: str, patches: npt.NDArray[np.float32]) -> FeatureStore:
        store = open_store(tmp_path / session, INFO, settings)
        store.fit([patches])
        return store

    one = fitted("one", FEATURES.patches)
    one.write(HASH, FEATURES)
    other = fitted("other", FEATURES.patches[..., ::-1] * 3 + 1)
    assert not other.has(HASH), "bytes of another projection"
    other.write(HASH, FEATURES)
    np.testing.assert_allclose(other.read_patches(HASH), FEATURES.patches, atol=0.1)
    assert fitted("same", FEATURES.patches).has(HASH)
    # The folder in the session is moved aside, and fitted on other images than before.
    one.folder.rename(tmp_path / "aside")
    assert not fitted("one", FEATURES.patches + FEATURES.patches**2).has(HASH)
    assert fitted("same", FEATURES.patches).has(HASH)


def test_open_patches__opened_before_the_projection_was_there(tmp_path: Path) -> None:
    settings = StoreSettings(form=FormName.PCA_INT8, place=str(tmp_path / "elsewhere"))
    store = open_store(tmp_path, INFO, settings)
    early = FeatureStore(tmp_path, INFO)
    assert not early.has(HASH)
    store.fit([FEATURES.patches])
    store.write(HASH, FEATURES)
    np.testing.assert_allclose(early.read_patches(HASH), FEATURES.patches, atol=0.03)


@pytest.mark.parametrize("storage", list(StorageKind))
def test_close__can_be_used_again(tmp_path: Path, storage: StorageKind) -> None:
    with open_store(tmp_path, INFO, StoreSettings(storage=storage)) as store:
        store.write(HASH, FEATURES)
    assert store.has(HASH)
    store.write(HASH[::-1], FEATURES)
    store.close()
    store.close()
    assert FeatureStore(tmp_path, INFO).has(HASH[::-1])


@pytest.mark.parametrize("closed", [True, False])
def test_close__no_descriptors_stay_open(tmp_path: Path, closed: bool) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not list the open files of a process")
    settings = StoreSettings(storage=StorageKind.SHARDS)
    gc.collect()  # what other tests left open must not close in between
    before = len(list(descriptors.iterdir()))
    for number in range(5):
        store = open_store(tmp_path, INFO, settings)
        store.write(f"{number:064x}", FEATURES)
        if closed:
            store.close()
    folder = store.folder / "shards"
    del store
    gc.collect()
    assert len(list(descriptors.iterdir())) <= before
    shards = list(folder.glob("*.shard"))
    assert len(shards) == 10
    assert all(path.with_name(f"{path.name}.index.npy").is_file() == closed for path in shards)


@pytest.mark.parametrize("form", list(FormName))
@pytest.mark.parametrize("storage", list(StorageKind))
def test_write__every_form_in_every_storage(tmp_path: Path, form: FormName, storage: StorageKind) -> None:
    store = open_store(tmp_path, INFO, StoreSettings(form=form, storage=storage))
    if store.lacks_projection:
        with pytest.raises(FeatureMismatchError, match=r"has no projection\.npy yet"):
            store.write(HASH, FEATURES)
        store.fit([FEATURES.patches])
    store.write(HASH, FEATURES)
    for reader in (store, FeatureStore(tmp_path, INFO)):
        whole = reader.read_patches(HASH)
        np.testing.assert_allclose(whole, FEATURES.patches, atol=0.03)
        cells = np.array([0, 4, 2]), np.array([6, 0, 3])
        np.testing.assert_allclose(reader.open_patches(HASH)[cells], whole[cells], atol=1e-5)
        np.testing.assert_array_equal(reader.read_pooled_many([HASH, HASH]), [FEATURES.pooled] * 2)
        reader.check(Tier.PATCHES, HASH, (5, 7))
        with pytest.raises(FeatureMismatchError, match="has 5 x 7 cells, the image asks for 7 x 5"):
            reader.check(Tier.PATCHES, HASH, (7, 5))
    store.remove(HASH)
    assert not FeatureStore(tmp_path, INFO).has(HASH, patches=False)
    with pytest.raises(FeatureMismatchError, match="is missing"):
        store.read_pooled_many([HASH])


def test_fit__the_first_result_counts(tmp_path: Path) -> None:
    settings = StoreSettings(form=FormName.PCA_INT8)
    one, other = open_store(tmp_path, INFO, settings), open_store(tmp_path, INFO, settings)
    one.fit([FEATURES.patches])
    kept = (one.folder / "projection.npy").read_bytes()
    other.fit([2 * FEATURES.patches + 1])
    assert (one.folder / "projection.npy").read_bytes() == kept
    other.write(HASH, FEATURES)
    np.testing.assert_allclose(one.read_patches(HASH), FEATURES.patches, atol=0.03)
    assert sorted(path.name for path in one.folder.iterdir() if path.is_file()) == ["manifest.json", "projection.npy"]


def test_fit__nothing_to_fit_on(tmp_path: Path) -> None:
    store = open_store(tmp_path, INFO, StoreSettings(form=FormName.PCA_INT8))
    store.fit([])
    assert store.lacks_projection


@pytest.mark.parametrize("storage", list(StorageKind))
def test_prune__keeps_what_is_used(tmp_path: Path, storage: StorageKind) -> None:
    store = open_store(tmp_path, INFO, StoreSettings(storage=storage))
    used, unused = [f"{number:064x}" for number in range(3)], [f"{number:064x}" for number in range(3, 7)]
    for key in [*used, *unused, used[0]]:
        store.write(key, FEATURES)
    assert store.prune(lambda entry: entry.content_hash in used, dry=True).arrays == 2 * len(unused)
    assert all(store.has(key) for key in used + unused)
    assert store.prune(lambda entry: entry.content_hash in used).arrays == 2 * len(unused)
    for reader in (store, FeatureStore(tmp_path, INFO)):
        assert all(reader.has(key) for key in used)
        assert not any(reader.has(key, patches=False) for key in unused)
        np.testing.assert_allclose(reader.read_patches(used[2]), FEATURES.patches, atol=0.03)
        assert {entry.content_hash for entry in reader.entries()} == set(used)
    assert store.prune(lambda entry: entry.content_hash in used) == Pruned()


def test_prune__temporary_files_of_the_past_only(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, INFO)
    store.write(HASH, FEATURES)
    folder = store.patches_path(HASH).parent
    old, young = folder / f".{HASH}.abc.tmp", folder / f".{HASH}.def.tmp"
    old.write_bytes(b"12345")
    young.write_bytes(b"1")
    os.utime(old, (0, 0))
    assert store.prune(lambda _: True) == Pruned(0, 1, 5)
    assert young.exists()


def test_read_patches__missing_and_misshapen_say_what_to_do(tmp_path: Path) -> None:
    store = float16_store(tmp_path)
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
    store = float16_store(tmp_path)
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
