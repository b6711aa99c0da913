"""What few clicks and few labels reach on variants of the embedded features: `python -m benchmarks.features_embedded`.

No server: the annotator of the robot clicks, the live head learns, and images never clicked are scored. All variants
see the same images and seeds, so their differences are paired: one seed alone is worth little, the mean of ten is
known to about 0.01. Variants are functions of the image here, so that each can be computed and compared anew;
docs/decisions/0014-embedded-recipe.md says what was found.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console

from benchmarks.annotator import Click, Mask, iou, next_click, plan_classification, plan_segmentation
from benchmarks.datasets import Dataset, find_datasets
from benchmarks.features_embedded_recipes import Recipe, dense_recipes, pooled_recipes
from benchmarks.tables import Section, show
from ml_service.heads.live import CLASSIFICATION, SEGMENTATION, LiveHead
from ml_service.heads.scaler import FeatureScaler
from models.images import read_image

FloatArray = npt.NDArray[np.float32]

LABELLED_IMAGES, CLICKS_PER_IMAGE, HELD_OUT_IMAGES, LABELS_PER_CLASS = 8, 4, 15, 5
SCALER_CELLS = 64
"""Cells of each image from which the statistics of the channels are taken."""


@dataclass(frozen=True)
class DenseSet:
    """Features and truth of the images of one segmentation set, and the scaler that the live head would have."""

    patches: dict[str, npt.NDArray[np.float16]]
    """(Hp, Wp, D) by image name."""
    masks: dict[str, Mask]
    scaler: FeatureScaler

    @classmethod
    def compute(cls, dataset: Dataset, names: Sequence[str], recipe: Recipe) -> DenseSet:
        """Run the recipe on every image named."""
        patches = {name: recipe.compute(read_image(dataset.image_dir / name)).astype(np.float16) for name in names}
        rng = np.random.default_rng(0)
        sample = [rng.choice(grid.reshape(-1, grid.shape[2]), SCALER_CELLS) for grid in patches.values()]
        scaler = FeatureScaler.fit(np.concatenate(sample), recipe.groups)
        return cls(patches, {name: dataset.truth_mask(name) for name in names}, scaler)

    def at(self, name: str, click: Click) -> FloatArray:
        """Features (D,) at a click, bilinear between cells."""
        grid, (height, width) = self.patches[name], self.masks[name].shape
        u = click.x * grid.shape[1] / width - 0.5
        v = click.y * grid.shape[0] / height - 0.5
        left, top = (max(0, min(int(np.floor(at)), size - 2)) for at, size in ((u, grid.shape[1]), (v, grid.shape[0])))
        right, down = np.clip(u - left, 0, 1), np.clip(v - top, 0, 1)
        corners = grid[top : top + 2, left : left + 2].astype(np.float32)
        rows = corners[0] * (1 - down) + corners[1] * down
        return np.asarray(rows[0] * (1 - right) + rows[1] * right, dtype=np.float32)

    def predict(self, name: str, head: LiveHead) -> Mask:
        """(H, W) foreground, from logits upsampled to the image."""
        logits = head.logits(self.patches[name])
        height, width = self.masks[name].shape
        margin = np.ascontiguousarray(logits[..., 1] - logits[..., 0])
        return np.asarray(cv2.resize(margin, (width, height), interpolation=cv2.INTER_LINEAR) > 0)


def click_through(data: DenseSet, seed: int) -> float:
    """Mean IoU on held-out images after a few clicks on each of a few images."""
    plan = plan_segmentation(list(data.masks), seed, LABELLED_IMAGES, HELD_OUT_IMAGES)
    points: list[FloatArray] = []
    classes: list[int] = []
    head: LiveHead | None = None
    for name in plan.labelled:
        clicks: list[Click] = []
        for _ in range(CLICKS_PER_IMAGE):
            predicted = None if head is None else data.predict(name, head)
            click = next_click(data.masks[name], predicted, clicks)
            if click is None:
                break
            clicks.append(click)
            points.append(data.at(name, click))
            classes.append(int(click.foreground))
            if len(set(classes)) > 1:
                head = LiveHead.fit(
                    np.stack(points), np.array(classes), None, 2, scaler=data.scaler, config=SEGMENTATION
                )
    if head is None:
        return 0.0
    return float(np.mean([iou(data.masks[name], data.predict(name, head)) for name in plan.held_out]))


def segmentation_scores(dataset: Dataset, recipe: Recipe, seeds: Sequence[int], max_images: int) -> list[float]:
    """Held-out IoU of each seed."""
    data = DenseSet.compute(dataset, dataset.image_names()[:max_images], recipe)
    return [click_through(data, seed) for seed in seeds]


def classification_scores(dataset: Dataset, recipe: Recipe, seeds: Sequence[int], max_images: int) -> list[float]:
    """Held-out accuracy of each seed. Every n-th image where there are more than `max_images` of them."""
    names = dataset.image_names()
    names = names[:: max(1, len(names) // max_images)]
    vectors = np.stack([recipe.compute(read_image(dataset.image_dir / name)) for name in names])
    class_of = {name: dataset.truth_class(name) for name in names}
    row_of = {name: row for row, name in enumerate(names)}
    truth = np.array([dataset.class_names.index(class_of[name]) for name in names])
    scaler = FeatureScaler.fit(vectors, recipe.groups)
    scores = []
    for seed in seeds:
        plan = plan_classification(class_of, seed, LABELS_PER_CLASS)
        labelled, held_out = ([row_of[name] for name in part] for part in (plan.labelled, plan.held_out))
        head = LiveHead.fit(
            vectors[labelled],
            truth[labelled],
            None,
            len(dataset.class_names),
            scaler=scaler,
            config=CLASSIFICATION,
        )
        scores.append(float((head.logits(vectors[held_out]).argmax(axis=1) == truth[held_out]).mean()))
    return scores


def compare(
    score: Callable[[Dataset, Recipe, Sequence[int], int], list[float]],
    datasets: Sequence[Dataset],
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    max_images: int,
) -> tuple[tuple[str, ...], ...]:
    """Rows: recipe, mean score of each set, mean over sets, and the paired difference from the first recipe.

    The standard error in brackets is over seeds, of the mean over sets; the sets themselves count as fixed.
    """
    rows = []
    first: npt.NDArray[np.float64] | None = None
    for recipe in recipes:
        scores = np.array([score(dataset, recipe, seeds, max_images) for dataset in datasets])
        first = scores if first is None else first
        gain = (scores - first).mean(axis=0)
        error = gain.std(ddof=1) / np.sqrt(len(seeds)) if len(seeds) > 1 else float("nan")
        rows.append(
            (
                recipe.name,
                *(f"{value:.3f}" for value in scores.mean(axis=1)),
                f"{scores.mean():.3f}",
                f"{gain.mean():+.3f} ({error:.3f})",
            )
        )
    return tuple(rows)


def tables(
    datasets: Sequence[Dataset], seeds: Sequence[int], max_images: int, wanted: Sequence[str] = ()
) -> list[Section]:
    """One table for segmentation sets and one for classification sets, where there are any."""
    sections = []
    parts = (
        ("segmentation", "IoU on held-out images after 8 images x 4 clicks", segmentation_scores, dense_recipes()),
        ("classification", "Accuracy after 5 labels a class", classification_scores, pooled_recipes()),
    )
    for task, title, score, recipes in parts:
        chosen = [dataset for dataset in datasets if dataset.task == task]
        recipes = [recipe for recipe in recipes if not wanted or recipe.name in ("delivered", *wanted)]
        if chosen:
            columns = ("features", *(dataset.name for dataset in chosen), "mean", "paired gain (standard error)")
            rows = compare(score, chosen, recipes, seeds, max_images)
            sections.append(Section(f"{title}, {len(seeds)} seeds", columns, rows))
    return sections


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with seg/ and cls/")
    parser.add_argument("--sets", nargs="*", help="names; by default all")
    parser.add_argument("--recipes", nargs="*", default=(), help="names beside 'delivered'; by default all")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 10), metavar=("FROM", "TO"), help="TO is left out")
    parser.add_argument("--images", type=int, default=360, help="at most so many of each set")
    arguments = parser.parse_args()
    datasets = [d for d in find_datasets(arguments.data) if not arguments.sets or d.name in arguments.sets]
    if not datasets:
        parser.error(
            f"no set {' '.join(arguments.sets or ['at all'])} in {arguments.data}, expected seg/NAME or cls/NAME"
        )
    cv2.setNumThreads(1)
    show(Console(), tables(datasets, range(*arguments.seeds), arguments.images, arguments.recipes))


if __name__ == "__main__":
    main()
