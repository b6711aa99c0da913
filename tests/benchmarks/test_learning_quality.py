"""The learning benchmark, on made features: discs to find, and clouds of vectors to tell apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.learning_outcomes import CHECKPOINTS
from benchmarks.learning_peers import (
    DEFAULT,
    DEFAULT_SHOWN,
    Peer,
    classification_peers,
    robustness_peers,
    segmentation_peers,
)
from benchmarks.learning_quality import simulate
from benchmarks.learning_robustness import disturbances, disturbed_section
from benchmarks.learning_sets import Channels, LearningSet, shipped_sets
from ml_service.heads.scaler import FeatureScaler
from models.base import ChannelGroup

GROUPS = (ChannelGroup("telling", 2), ChannelGroup("noise", 4))


def channels_of(rows: dict[str, np.ndarray]) -> Channels:
    sample = np.concatenate([vectors.reshape(-1, 6) for vectors in rows.values()])
    return Channels(rows, FeatureScaler.fit(sample, GROUPS), GROUPS)


@pytest.fixture(scope="module")
def discs() -> LearningSet:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :80]
    masks = {str(index): (y - 20 - index) ** 2 + (x - 20 - 3 * index) ** 2 < 15**2 for index in range(12)}
    rows = {}
    for name, mask in masks.items():
        cells = mask[2::4, 2::4]
        rows[name] = rng.normal(0, 0.3, (*cells.shape, 6)).astype(np.float32)
        rows[name][..., :2] += cells[..., None]
    kinds = {kind: channels_of(rows) for kind in ("deep", "filters", "colour")}
    # Three pixels of the picture for two of the truth, as where a truth was reduced.
    pictures = {
        name: cv2.resize(mask * np.uint8(120), (120, 96))[..., None].repeat(3, axis=2) for name, mask in masks.items()
    }
    return LearningSet("discs", ("foreground", "background"), masks, {}, kinds, pictures)


@pytest.fixture(scope="module")
def clouds() -> LearningSet:
    rng = np.random.default_rng(0)
    class_of = {str(index): "abc"[index % 3] for index in range(60)}
    centres = {name: rng.normal(0, 2, 6) for name in "abc"}
    rows = {image: (centres[name] + rng.normal(0, 0.5, 6)).astype(np.float32) for image, name in class_of.items()}
    kinds = {kind: channels_of(rows) for kind in ("deep", "filters")}
    return LearningSet("clouds", ("a", "b", "c"), {}, class_of, kinds)


def test_simulate__default_finds_discs(discs: LearningSet) -> None:
    curve = simulate(discs, segmentation_peers()[0], 0)
    assert len(curve) == len(CHECKPOINTS)
    assert curve[-1] > 0.7


@pytest.mark.parametrize("peer", classification_peers(), ids=lambda peer: peer.name)
def test_simulate__every_peer_tells_clouds_apart(peer: Peer, clouds: LearningSet) -> None:
    if "CatBoost" in peer.name:
        pytest.importorskip("catboost", reason="it needs the extra `bench`: pip install fewclick[bench]")
    curve = simulate(clouds, peer, 0)
    assert len(curve) == len(CHECKPOINTS) + 1
    assert curve[-1] > 0.9


def test_simulate__refined_masks_show_what_cells_cannot(discs: LearningSet) -> None:
    plain, shown = (
        simulate(discs, next(peer for peer in segmentation_peers() if peer.name == name), 0)
        for name in (DEFAULT, DEFAULT_SHOWN)
    )
    assert shown[-1] > plain[-1] + 0.02


def test_disturbed_section__names_all_heads(discs: LearningSet) -> None:
    section = disturbed_section([discs], [0])
    assert section.columns == ("clicks", *(peer.name for peer in robustness_peers()))
    assert [row[0] for row in section.rows] == list(disturbances())


def test_shipped_sets__truths_are_neither_empty_nor_full(tmp_path: Path) -> None:
    sets = {dataset.name: dataset for dataset in shipped_sets(tmp_path)}
    assert set(sets) == {"skimage_coins", "skimage_page", "skimage_textures", "skimage_faces"}
    for name in ("skimage_coins", "skimage_page", "skimage_textures"):
        shares = [sets[name].truth_mask(image).mean() for image in sets[name].image_names()]
        assert len(shares) >= 15
        assert 0.05 < np.mean(shares) < 0.6
    assert len(sets["skimage_faces"].image_names()) == 200
