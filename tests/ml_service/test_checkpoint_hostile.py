"""Files that were not written by this program, or were tampered with: refused with one reason, never believed."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from db.enums import Origin, Split
from db.tasks import Task
from ml_service.checkpoint import load_head, load_head_file, save_checkpoint
from ml_service.checkpoint_description import Description, read_description, read_json_file
from ml_service.data_snapshot import (
    DataSnapshot,
    SnapshotImage,
    SnapshotTarget,
    load_snapshot,
    save_snapshot,
    snapshot_path,
)
from ml_service.errors import CheckpointError
from ml_service.heads.live import CLASSIFICATION, SEGMENTATION, LiveHead
from ml_service.heads.scaler import FeatureScaler
from ml_service.task_factory import make_task_parts
from models.errors import FeatureMismatchError
from tests.ml_service.toy_session import EXTRACTOR

PATH = "checkpoints/live-1.safetensors"
PARTS = make_task_parts(Task.SEGMENTATION, EXTRACTOR)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session folder with one good checkpoint."""
    folder = tmp_path_factory.mktemp("hostile")
    features = np.random.default_rng(0).normal(size=(20, EXTRACTOR.dim)).astype(np.float32)
    head = LiveHead.fit(features, np.arange(20) % 2, None, 2, scaler=FeatureScaler.fit(features), config=SEGMENTATION)
    description = Description(
        head_kind="live",
        class_ids=(1, 2),
        class_names=("left", "right"),
        extractor=EXTRACTOR.to_json(),
        task="segmentation",
        dataset_hash="a" * 64,
        revisions={12: 3},
    )
    save_checkpoint(folder, PATH, head, description)
    return folder


def write_pair(folder: Path, arrays: bytes, content: dict[str, Any]) -> Path:
    """A pair of files whose hashes fit."""
    target = folder / "tampered.safetensors"
    target.write_bytes(arrays)
    digest = hashlib.sha256(arrays).hexdigest()
    target.with_suffix(".json").write_text(json.dumps(content | {"sha256": digest}))
    return target


def good(folder: Path) -> tuple[bytes, dict[str, Any]]:
    return (folder / PATH).read_bytes(), json.loads((folder / PATH).with_suffix(".json").read_text())


def refused(target: Path) -> str:
    """The one line with which it is refused."""
    with pytest.raises((CheckpointError, FeatureMismatchError)) as told:
        load_head_file(target, PARTS, EXTRACTOR)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 1000
    return str(told.value)


@MANY
@given(cut=st.integers(0, 400), noise=st.binary(min_size=1, max_size=40), at=st.integers(0, 400))
def test_load_head__bytes_changed_anywhere(saved: Path, tmp_path: Path, cut: int, noise: bytes, at: int) -> None:
    arrays, content = good(saved)
    changed = arrays[:at] + noise + arrays[at + cut :]
    target = write_pair(tmp_path, changed, content)
    try:
        head, description = load_head_file(target, PARTS, EXTRACTOR)
    except CheckpointError as error:
        told = str(error)
    else:
        told = ""
        # Only values changed: it is still a head, of finite numbers.
        assert np.isfinite(head.logits(np.zeros((1, EXTRACTOR.dim), np.float32))).all()
        assert description.class_ids == (1, 2)
    assert "\n" not in told


@MANY
@given(key=st.sampled_from(sorted(Description.model_fields)), value=ANY_JSON)
def test_read_description__any_value_in_any_field(saved: Path, tmp_path: Path, key: str, value: Any) -> None:
    arrays, content = good(saved)
    target = write_pair(tmp_path, arrays, content | {key: value})
    try:
        read = read_json_file(target.with_suffix(".json")).description
    except CheckpointError as error:
        told = str(error)
    else:
        told = ""
        assert json.loads(json.dumps(read.model_dump(mode="json"), allow_nan=False))
    assert "\n" not in told


@MANY
@given(text=st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_read_description__any_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "any.json"
    path.write_bytes(text)
    with pytest.raises(CheckpointError, match="does not describe a checkpoint"):
        read_json_file(path)


def _nan(arrays: Arrays) -> None:
    arrays["weight"][0, 0] = np.nan


def _infinite(arrays: Arrays) -> None:
    arrays["scaler_mean"][0] = np.inf


def _double(arrays: Arrays) -> None:
    arrays["weight"] = arrays["weight"].astype(np.float64)


def _integers(arrays: Arrays) -> None:
    arrays["bias"] = arrays["bias"].astype(np.int64)


def _third_class(arrays: Arrays) -> None:
    arrays["weight"], arrays["bias"] = np.zeros((3, EXTRACTOR.dim), np.float32), np.zeros(3, np.float32)


def _fewer_channels(arrays: Arrays) -> None:
    arrays["weight"] = np.ascontiguousarray(arrays["weight"][:, :-1])


def _flat(arrays: Arrays) -> None:
    arrays["weight"] = arrays["weight"].ravel()


def _one_more(arrays: Arrays) -> None:
    arrays["surprise"] = np.zeros(3, np.float32)


def _missing(arrays: Arrays) -> None:
    del arrays["bias"]


def _empty(arrays: Arrays) -> None:
    arrays.clear()


def _groups_that_do_not_fit(arrays: Arrays) -> None:
    arrays["scaler_group_sizes"] = np.array([2**40, -5], np.int64)


@pytest.mark.parametrize(
    "tamper",
    [_nan, _infinite, _double, _integers, _third_class, _fewer_channels, _flat, _one_more, _missing, _empty],
)
def test_load_head__arrays_that_are_not_those_of_a_head(
    saved: Path, tmp_path: Path, tamper: Callable[[Arrays], None]
) -> None:
    arrays, content = good(saved)
    state = {name: np.array(value) for name, value in load(arrays).items()}
    tamper(state)
    assert "holds no live head of this program" in refused(write_pair(tmp_path, save(state), content))


def test_load_head__unknown_groups_of_a_head_that_needs_them(tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(20, EXTRACTOR.pooled_dim)).astype(np.float32)
    head = LiveHead.fit(features, np.arange(20) % 2, None, 2, scaler=FeatureScaler.fit(features), config=CLASSIFICATION)
    state = {name: np.array(value) for name, value in head.state().items()}
    _groups_that_do_not_fit(state)
    content = {
        "format_version": 2, "head_kind": "live", "class_ids": [1, 2], "class_names": ["a", "b"], "revisions": {},
        "extractor": EXTRACTOR.to_json(), "dataset_hash": "a" * 64,
    }  # fmt: skip
    target = write_pair(tmp_path, save(state), content)
    with pytest.raises(CheckpointError):
        load_head_file(target, make_task_parts(Task.CLASSIFICATION, EXTRACTOR), EXTRACTOR)


def test_load_head__of_another_task(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="of the task segmentation, expected classification"):
        load_head(saved, PATH, make_task_parts(Task.CLASSIFICATION, EXTRACTOR), EXTRACTOR, Task.CLASSIFICATION)


def test_load_head__huge_header(saved: Path, tmp_path: Path) -> None:
    _, content = good(saved)
    for length in (2**20 + 1, 2**40, 2**64 - 1):
        target = write_pair(tmp_path, struct.pack("<Q", length) + b"{}", content)
        assert f"announces a header of {length:,} bytes" in refused(target)


def test_load_head__huge_file_is_not_read(saved: Path, tmp_path: Path) -> None:
    _, content = good(saved)
    target = write_pair(tmp_path, b"", content)
    with target.open("r+b") as stream:
        stream.truncate(2 << 30)  # sparse
    assert "a head at most" in refused(target)


@pytest.mark.parametrize(
    "path",
    ["../outside.safetensors", "/etc/passwd", "checkpoints/../../x.safetensors", "checkpoints/a/b.safetensors",
     "checkpoints/x.json", "x.safetensors", ""],
)  # fmt: skip
def test_read_description__path_out_of_the_folder(saved: Path, path: str) -> None:
    with pytest.raises(CheckpointError, match=r"expected checkpoints/NAME\.safetensors"):
        read_description(saved, path)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "a" * 63, "A" * 64, "", "a" * 64 + "\n", "/" + "a" * 63])
def test_snapshot_path__is_a_hash_and_nothing_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="expected 64 hex digits"):
        snapshot_path(tmp_path, name)


targets = st.builds(
    SnapshotTarget,
    class_id=st.integers(1, 9),
    origin=st.sampled_from(Origin),
    x=st.floats(0, 500),
    y=st.floats(0, 500),
)
images = st.builds(
    SnapshotImage,
    id=st.integers(1, 10**9),
    content_hash=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    width=st.integers(0, 9999),
    height=st.integers(0, 9999),
    split=st.sampled_from([None, *Split]),
    targets=st.lists(targets, max_size=4).map(tuple),
)


@MANY
@given(st.lists(images, max_size=5))
def test_snapshot__round_trip(tmp_path: Path, found: list[SnapshotImage]) -> None:
    snapshot = DataSnapshot(images=tuple(found))
    snapshot_path(tmp_path, snapshot.hash).unlink(missing_ok=True)
    dataset_hash = save_snapshot(tmp_path, snapshot)
    assert load_snapshot(tmp_path, dataset_hash) == snapshot
    assert sum(sum(by.values()) for by in snapshot.counts().values()) == snapshot.n_labels


@MANY
@given(st.binary(max_size=300))
def test_snapshot__any_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = snapshot_path(tmp_path, "b" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    with pytest.raises(CheckpointError):
        load_snapshot(tmp_path, "b" * 64)


def test_snapshot__changed_content_and_bombs(tmp_path: Path) -> None:
    import zlib

    one = SnapshotTarget(class_id=1, origin=Origin.HUMAN, x=1.0, y=2.0)
    image = SnapshotImage(id=1, content_hash=None, width=4, height=4, split=None, targets=(one,))
    first, second = (DataSnapshot(images=images) for images in ((image,), (image, image)))
    save_snapshot(tmp_path, first)
    save_snapshot(tmp_path, second)
    snapshot_path(tmp_path, first.hash).write_bytes(snapshot_path(tmp_path, second.hash).read_bytes())
    with pytest.raises(CheckpointError, match="not those of its name"):
        load_snapshot(tmp_path, first.hash)
    snapshot_path(tmp_path, first.hash).write_bytes(zlib.compress(b" " * (65 << 20), 1))
    with pytest.raises(CheckpointError, match="inflates to more than"):
        load_snapshot(tmp_path, first.hash)


def test_read_description__format_1_is_read(saved: Path, tmp_path: Path) -> None:
    arrays, content = good(saved)
    old = ("head_kind", "class_ids", "class_names", "extractor", "dataset_hash", "revisions", "metrics", "run_id",
           "parent_id")  # fmt: skip
    target = write_pair(tmp_path, arrays, {key: content[key] for key in old} | {"format_version": 1})
    _, description = load_head_file(target, PARTS, EXTRACTOR)
    assert (description.code, description.label_sequence, description.config) == (None, None, {})
