from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.geometry import resample
from models.prediction_store import logits_at, map_path, read_map, softmax, upsampled_probabilities, write_map


def test_write_map__read_back_within_float16(tmp_path: Path) -> None:
    logits = np.random.default_rng(0).standard_normal((3, 5, 7)) * 10
    relative = write_map(tmp_path, 1234, 5, logits)
    assert relative == map_path(1234, 5)
    np.testing.assert_allclose(read_map(tmp_path, relative), logits, rtol=1e-3, atol=1e-2)


def test_map_path__each_version_has_its_own() -> None:
    assert len({map_path(image, version) for image in (1, 12, 112) for version in (1, 2, 12)}) == 9


def test_read_map__replaced_by_a_newer_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_map(tmp_path, map_path(1, 1))


@pytest.mark.parametrize("kept", [0, 5, 100, 140])
def test_read_map__a_damaged_file_is_as_good_as_none(tmp_path: Path, kept: int) -> None:
    relative = write_map(tmp_path, 1, 1, np.zeros((2, 3, 4)))
    path = tmp_path / relative
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(FileNotFoundError, match="is damaged"):
        read_map(tmp_path, relative)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=6))
def test_softmax__sums_to_one_and_keeps_the_order(logits: list[float]) -> None:
    array = np.array(logits, dtype=np.float32)
    p = softmax(array, axis=0)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert p[np.argmax(array)] == p.max()


def test_upsampled_probabilities__of_logits_not_of_probabilities() -> None:
    logits = np.array([[[8.0, -2.0]], [[0.0, 0.0]]], dtype=np.float32)
    probabilities = upsampled_probabilities(logits, 4, 1)
    assert probabilities.shape == (2, 1, 4)
    # A quarter of the way from 8 to -2 lies 5.5.
    np.testing.assert_allclose(probabilities[0, 0, 1], 1 / (1 + np.exp(-5.5)), rtol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, rtol=1e-6)


def test_logits_at__as_the_upsampled_map_says(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(3, 6, 8)).astype(np.float16).astype(np.float32)
    relative = write_map(tmp_path, 1, 1, logits)
    width, height = 64, 48
    xy = np.array([[0.5, 0.5], [31.5, 20.5], [63.5, 47.5], [10.5, 40.5]])
    found = logits_at(tmp_path, relative, (width, height), xy)
    whole = np.stack([resample(plane, width, height) for plane in logits], axis=-1)
    columns, rows = xy.astype(int).T
    assert found == pytest.approx(whole[rows, columns], abs=1e-4)


def test_logits_at__a_map_that_is_gone_or_damaged(tmp_path: Path) -> None:
    (tmp_path / "map.npy").write_bytes(b"no array")
    for name in ("map.npy", "missing.npy"):
        with pytest.raises(FileNotFoundError):
            logits_at(tmp_path, name, (8, 8), np.ones((1, 2)))
