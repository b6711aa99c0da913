"""The comparison of embedded features, on made images: discs to find, and colours to tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from benchmarks.datasets import Dataset, find_datasets
from benchmarks.features_embedded import classification_scores, compare, segmentation_scores, tables
from benchmarks.features_embedded_recipes import Recipe, dense_recipes, pooled_recipes
from models.base import ChannelGroup
from models.efficientnet_lite import GROUPS

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
COLOUR = (ChannelGroup("colour", 3),)


def cells(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return image[2::4, 2::4].astype(np.float32) / 255


def mean_colour(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return image.mean(axis=(0, 1), dtype=np.float32)


def noise(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(image.shape[0]).normal(size=(16, 24, 3)).astype(np.float32)


@pytest.fixture
def discs(tmp_path: Path) -> Dataset:
    for name in ("images", "masks"):
        (tmp_path / "seg" / "discs" / name).mkdir(parents=True)
    rows, columns = np.ogrid[:64, :96]
    for index in range(12):
        truth = (rows - 20 - 2 * index) ** 2 + (columns - 30 - 3 * index) ** 2 < 14**2
        pixels = np.where(truth[..., None], (220, 40, 40), (30, 60, 200)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "seg" / "discs" / "images" / f"{index}.png")
        Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "seg" / "discs" / "masks" / f"{index}.png")
    [dataset] = find_datasets(tmp_path)
    return dataset


@pytest.fixture
def colours(tmp_path: Path) -> Dataset:
    for name, colour in (("red", (200, 20, 20)), ("blue", (20, 20, 200))):
        (tmp_path / "cls" / "colours" / name).mkdir(parents=True)
        for index in range(8):
            pixels = np.full((8, 8, 3), colour, dtype=np.uint8) + np.uint8(index)
            Image.fromarray(pixels).save(tmp_path / "cls" / "colours" / name / f"{index}.png")
    [dataset] = find_datasets(tmp_path)
    return dataset


def test_segmentation_scores__colour_finds_coloured_discs(discs: Dataset) -> None:
    scores = segmentation_scores(discs, Recipe("colour", COLOUR, cells), seeds=(0, 1), max_images=12)
    assert len(scores) == 2
    assert min(scores) > 0.8


def test_classification_scores__colour_tells_colours(colours: Dataset) -> None:
    assert classification_scores(colours, Recipe("colour", COLOUR, mean_colour), (0,), max_images=16) == [1.0]


def test_compare__difference_is_paired_with_the_first(discs: Dataset) -> None:
    recipes = [Recipe("colour", COLOUR, cells), Recipe("noise", COLOUR, noise)]
    (first, *_, same), (second, *_, gain) = compare(segmentation_scores, [discs], recipes, (0, 1), 12)
    assert (first, same) == ("colour", "+0.000 (0.000)")
    assert second == "noise"
    assert float(gain.split()[0]) < -0.3


@pytest.mark.parametrize("name", ["delivered", "without block4", "mean with the mirror image", "plus ridges"])
def test_dense_recipes__groups_partition_the_channels(name: str) -> None:
    [recipe] = [recipe for recipe in dense_recipes() if recipe.name == name]
    patches = recipe.compute(IMAGE)
    assert patches.shape == (96, 128, sum(group.size for group in recipe.groups))
    assert np.isfinite(patches).all()


def test_dense_recipes__a_block_at_another_size_leaves_the_others_alone() -> None:
    recipe_of = {recipe.name: recipe for recipe in dense_recipes()}
    delivered, changed = recipe_of["delivered"].compute(IMAGE), recipe_of["block 15 at 384 px"].compute(IMAGE)
    same = (delivered == changed).all(axis=(0, 1))
    ends = dict(zip([g.name for g in GROUPS], np.cumsum([g.size for g in GROUPS]), strict=True))
    assert same[: ends["block10"]].all()
    assert not same[ends["block10"] : ends["block15_further"]].any()
    assert same[ends["block15_further"] :].all()


@pytest.mark.parametrize("recipe", pooled_recipes(), ids=lambda recipe: recipe.name)
def test_pooled_recipes__groups_partition_the_channels(recipe: Recipe) -> None:
    assert recipe.compute(IMAGE).shape == (sum(group.size for group in recipe.groups),)


def test_tables__no_sets_no_tables() -> None:
    assert tables([], seeds=(0,), max_images=1) == []
