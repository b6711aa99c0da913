from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.tasks import Task
from ml_service.checkpoint import load_head, save_checkpoint
from ml_service.checkpoint_description import (
    Description,
    checkpoint_path,
    read_description,
)
from ml_service.errors import CheckpointError
from ml_service.heads.live import SEGMENTATION, LiveHead
from ml_service.heads.scaler import FeatureScaler
from ml_service.task_factory import make_task_parts
from models.errors import FeatureMismatchError
from tests.ml_service.toy_session import EXTRACTOR

PATH = checkpoint_path("live-1")
PARTS = make_task_parts(Task.SEGMENTATION, EXTRACTOR)
FEATURES = np.random.default_rng(0).normal(size=(20, EXTRACTOR.dim)).astype(np.float32)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, LiveHead, Description]:
    """A session folder with one checkpoint."""
    scaler = FeatureScaler.fit(FEATURES)
    head = LiveHead.fit(FEATURES, np.arange(20) % 2, None, 2, scaler=scaler, config=SEGMENTATION)
    description = Description(
        head_kind="live",
        class_ids=(1, 2),
        class_names=("left", "right"),
        extractor=EXTRACTOR.to_json(),
        dataset_hash="abc",
        revisions={12: 3},
        metrics={"held_out": None},
    )
    save_checkpoint(tmp_path, PATH, head, description)
    return tmp_path, head, description


def test_load_head__gives_back_what_was_saved(saved: tuple[Path, LiveHead, Description]) -> None:
    folder, head, description = saved
    loaded, found = load_head(folder, PATH, PARTS, EXTRACTOR)
    np.testing.assert_array_equal(loaded.logits(FEATURES), head.logits(FEATURES))
    assert found.revisions == description.revisions
    assert (found.class_ids, found.class_names) == (description.class_ids, description.class_names)
    assert read_description(folder, PATH) == found


def test_load_head__of_another_extractor_says_what_to_do(saved: tuple[Path, LiveHead, Description]) -> None:
    other = replace(EXTRACTOR, name="dinov3_vits16", dim=384)
    with pytest.raises(FeatureMismatchError, match=r"D=12 \(toy, resize 64\), this session has 384 \(dinov3.*activate"):
        load_head(saved[0], PATH, PARTS, other)


def test_load_head__of_another_size_is_refused(saved: tuple[Path, LiveHead, Description]) -> None:
    with pytest.raises(FeatureMismatchError, match="they differ in resize"):
        load_head(saved[0], PATH, PARTS, replace(EXTRACTOR, resize=128))


def test_load_head__pickle_is_never_loaded(saved: tuple[Path, LiveHead, Description], tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    (saved[0] / PATH).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="damaged"):
        load_head(saved[0], PATH, PARTS, EXTRACTOR)
    assert not (tmp_path / "sprung").exists()


def test_load_head__head_of_another_kind_is_refused(saved: tuple[Path, LiveHead, Description]) -> None:
    description = (saved[0] / PATH).with_suffix(".json")
    content = json.loads(description.read_text())
    description.write_text(json.dumps(content | {"head_kind": "linear"}))
    with pytest.raises(CheckpointError, match="holds no linear head"):
        load_head(saved[0], PATH, PARTS, EXTRACTOR)


@pytest.mark.parametrize("content", ["", "[]", '{"format_version": 2}', '{"format_version": 1}', "{" * 5000])
def test_read_description__of_something_else_is_refused(
    saved: tuple[Path, LiveHead, Description], content: str
) -> None:
    (saved[0] / PATH).with_suffix(".json").write_text(content)
    with pytest.raises(CheckpointError, match="does not describe a checkpoint"):
        read_description(saved[0], PATH)
