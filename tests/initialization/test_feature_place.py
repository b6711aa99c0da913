from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from db.database import Database
from db.enums import FeatureState
from db.tables.images import Image
from models.base import ExtractorInfo
from models.feature_store import FeatureStore
from tests.initialization.fakes import FakeExtractor, feature_files, init, rows, save_picture, write_config

INFO: ExtractorInfo = FakeExtractor().info


def made(folder: Path, **changes: Any) -> Path:
    """A config with three pictures, and the session made from it."""
    for number in range(3):
        save_picture(folder / "images" / f"{number}.png")
    config = write_config(folder, **changes)
    assert init(config, "--yes") == 0
    return config


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"features_form": "float16"},
        {"features_form": "pca_int8"},
        {"features_storage": "shards", "features_form": "pca_int8"},
        {"features_dir": "elsewhere", "features_storage": "shards"},
    ],
)
def test_init__form_and_place_of_the_features(tmp_path: Path, keys: dict[str, str]) -> None:
    made(tmp_path, **keys)
    store = FeatureStore(tmp_path / "session", INFO)
    assert store.form == keys.get("features_form", "int8")
    assert store.manifest.storage == keys.get("features_storage", "files")
    assert (tmp_path / "elsewhere").is_dir() == ("features_dir" in keys)
    for row in rows(tmp_path / "session"):
        assert row["features"] == "ready"
        pooled = store.read_pooled(row["content_hash"])
        np.testing.assert_allclose(store.read_patches(row["content_hash"])[0, 0], pooled, atol=0.01)


def test_init__projection_is_the_same_after_a_kill(tmp_path: Path) -> None:
    config = made(tmp_path, features_form="pca_int8")
    before = feature_files(tmp_path / "session")
    store = FeatureStore(tmp_path / "session", INFO)
    # As if killed before anything was stored, or after some of it.
    store.remove(rows(tmp_path / "session")[1]["content_hash"])
    (store.folder / "projection.npy").unlink()
    _forget(tmp_path / "session")
    assert init(config, "--yes") == 0
    assert feature_files(tmp_path / "session") == before


def test_init__sessions_with_other_projections_in_one_place(tmp_path: Path) -> None:
    made(tmp_path / "one", features_form="pca_int8", features_dir=str(tmp_path / "elsewhere"))
    # The same images, among others.
    for number in range(4):
        save_picture(tmp_path / "two" / "images" / f"a{number}.png", size=(40 + 8 * number, 48))
    made(tmp_path / "two", features_form="pca_int8", features_dir=str(tmp_path / "elsewhere"))
    for name in ("one", "two"):
        store = FeatureStore(tmp_path / name / "session", INFO)
        for row in rows(tmp_path / name / "session"):
            pooled = store.read_pooled(row["content_hash"])
            np.testing.assert_allclose(store.read_patches(row["content_hash"])[0, 0], pooled, atol=0.01)


def test_init__shards_are_finished(tmp_path: Path) -> None:
    made(tmp_path, features_storage="shards")
    folder = FeatureStore(tmp_path / "session", INFO).folder / "shards"
    assert len(list(folder.glob("*.shard"))) == len(list(folder.glob("*.shard.index.npy"))) == 2


def _forget(session_dir: Path) -> None:
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        db_session.execute(update(Image).values(features=FeatureState.PENDING, pooled_ready=False))
    database.close()


def test_init__other_form_than_the_session_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path, features_form="float16")
    before = rows(tmp_path / "session")
    assert init(write_config(tmp_path, features_form="int8"), "--yes") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "features_form: found int8" in told
    assert "have float16" in told
    assert rows(tmp_path / "session") == before
    assert init(write_config(tmp_path), "--yes") == 0, "without the key, what is there stays in force"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"features_form": "int4"}, ["features_form", "int4", "int8"]),
        ({"features_storage": "shards", "features_dir": "s3://bucket/x"}, ["features_storage", "cannot append"]),
        ({"features_dir": "nonsense://bucket"}, ["features_dir", "nonsense"]),
    ],
)
def test_init__settings_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: dict[str, str], words: list[str]
) -> None:
    save_picture(tmp_path / "images" / "a.png")
    assert init(write_config(tmp_path, **keys), "--yes") == 2
    told = capsys.readouterr().err
    assert told.count("error:") == 1
    for word in words:
        assert word in told
    assert not (tmp_path / "session").exists()
