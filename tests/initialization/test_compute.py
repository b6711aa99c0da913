"""One image file in, features and facts out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from initialization.compute import Tiers, compute_image, finish, prepare
from initialization.inspection import inspect_file
from models.base import Features
from models.feature_store import FeatureStore
from models.images import read_image
from tests.initialization.fakes import FakeExtractor, save_picture

BOTH = Tiers(patches=True, pooled=True)


class Recording(FakeExtractor):
    """Notes what is asked for, and fails where a list holds a picture of one of the given widths."""

    def __init__(self, *, failing: Iterable[int] = ()) -> None:
        super().__init__()
        self.calls: list[tuple[int, bool, bool]] = []
        self._failing = set(failing)

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        self.calls.append((len(images), patches, pooled))
        if self._failing & {image.shape[1] for image in images}:
            raise RuntimeError("cannot")
        return super().extract(images, patches=patches, pooled=pooled)


@pytest.fixture
def extractor() -> Recording:
    return Recording()


@pytest.fixture
def store(tmp_path: Path, extractor: Recording) -> FeatureStore:
    return FeatureStore(tmp_path / "session", extractor.info)


def test_compute_image__stores_what_is_asked_for(tmp_path: Path, store: FeatureStore, extractor: Recording) -> None:
    path = save_picture(tmp_path / "a.png", size=(24, 16))
    pooled = compute_image(path, store, extractor, Tiers(patches=False, pooled=True))
    assert pooled.failure is None
    assert (pooled.facts.width, pooled.facts.height, pooled.facts.file_size) == (24, 16, path.stat().st_size)
    assert pooled.facts.content_hash is not None
    assert not store.has(pooled.facts.content_hash)
    assert compute_image(path, store, extractor, BOTH, known=pooled.facts) == pooled
    assert store.has(pooled.facts.content_hash)
    assert extractor.calls == [(1, False, True), (1, True, False)], "nothing is computed twice"
    compute_image(path, store, extractor, BOTH, known=pooled.facts)
    assert len(extractor.calls) == 2
    compute_image(path, store, extractor, BOTH, known=pooled.facts, anew=True)
    assert extractor.calls[2:] == [(1, True, True)]


def test_compute_image__file_that_changed_is_read_anew(
    tmp_path: Path, store: FeatureStore, extractor: Recording
) -> None:
    path = save_picture(tmp_path / "a.png", seed=1)
    before = inspect_file(path)
    save_picture(path, seed=2)
    os.utime(path, ns=(0, 1))
    after = compute_image(path, store, extractor, BOTH, known=before)
    assert after.facts.content_hash not in (None, before.content_hash)
    assert after.facts.file_mtime_ns == 1
    assert before.content_hash is not None
    assert not store.has(before.content_hash)


def test_compute_image__failures_are_facts(tmp_path: Path, store: FeatureStore, extractor: Recording) -> None:
    broken = tmp_path / "a.png"
    assert "a.png" in str(compute_image(broken, store, extractor, BOTH).failure)
    broken.write_bytes(b"no picture")
    found = compute_image(broken, store, extractor, BOTH)
    assert found.failure is not None
    assert found.facts.content_hash is not None
    assert found.facts.width is None
    assert extractor.calls == []
    wide = save_picture(tmp_path / "wide.png", size=(40, 16))
    assert compute_image(wide, store, Recording(failing=[40]), BOTH).failure == "wide.png: fake failed: cannot"


def test_finish__neighbours_go_together_and_one_at_fault_fails_alone(tmp_path: Path, store: FeatureStore) -> None:
    sizes = [(24, 16)] * 5 + [(40, 16)] * 2
    paths = [save_picture(tmp_path / f"{n}.png", size=size) for n, size in enumerate(sizes)]
    missing = tmp_path / "missing.png"
    extractor = Recording(failing=[40])
    prepared = [prepare(path, store, BOTH) for path in (*paths, missing)]
    done = finish(prepared, store, extractor)
    assert [bool(each.failure) for each in done] == [False] * 5 + [True] * 3
    assert extractor.calls == [(4, True, True), (3, True, True), *[(1, True, True)] * 3]
    for path, each in zip(paths[:5], done[:5], strict=True):
        assert each.facts.content_hash is not None
        mean = read_image(path).mean(axis=(0, 1), dtype=np.float32) / 255
        np.testing.assert_allclose(store.read_pooled(each.facts.content_hash), mean, rtol=1e-6)
