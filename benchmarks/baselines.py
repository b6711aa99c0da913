"""What the same clicks give without pretrained features: a random forest on colour and filters, and the majority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.color import rgb2hsv
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from benchmarks.annotator import Click, Mask, iou

TREES = 100
SEGMENTATION_SIDE_PX = 512
CLASSIFICATION_SIDE_PX = 256
HISTOGRAM_BINS = 16
FOREST = f"random forest ({TREES} trees) on skimage multiscale_basic_features"


def read_rgb(path: Path, longest_side_px: int) -> npt.NDArray[np.float32]:
    """(H, W, 3), 0..1, longest side as given (never enlarged)."""
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    rgb.thumbnail((longest_side_px, longest_side_px), Image.Resampling.BILINEAR)
    return np.asarray(rgb, dtype=np.float32) / np.float32(255)


@lru_cache(maxsize=32)
def _pixel_features(path: Path) -> npt.NDArray[np.float16]:
    """(H, W, C) as float16, since many are kept."""
    return _filters(read_rgb(path, SEGMENTATION_SIDE_PX)).astype(np.float16)


def _filters(rgb: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(H, W, C) smoothed colour, gradient magnitude and Hessian eigenvalues at scales of 0.5 to 16 px."""
    responses = multiscale_basic_features(rgb, channel_axis=-1)  # type: ignore[no-untyped-call]
    return np.asarray(responses, dtype=np.float32)


def segmentation_forest_iou(
    clicks: Sequence[tuple[Path, Mask, Click]], held_out: Sequence[tuple[Path, Mask]], seed: int
) -> float:
    """Mean IoU on the held-out images of a forest that learned from the pixels clicked.

    Features and prediction have a longest side of 512 px; the prediction is compared at the truth's size.
    """
    samples = [_at_click(path, truth, click) for path, truth, click in clicks]
    forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=-1)
    forest.fit(np.stack(samples).astype(np.float32), [click.foreground for _, _, click in clicks])
    return float(np.mean([iou(truth, _predict(forest, path, truth.shape)) for path, truth in held_out]))


def _at_click(path: Path, truth: Mask, click: Click) -> npt.NDArray[np.float16]:
    features = _pixel_features(path)
    row = int(click.y / truth.shape[0] * features.shape[0])
    column = int(click.x / truth.shape[1] * features.shape[1])
    return np.asarray(features[row, column])


def _predict(forest: RandomForestClassifier, path: Path, shape: tuple[int, ...]) -> Mask:
    features = _pixel_features(path)
    rows = features.reshape(-1, features.shape[2]).astype(np.float32)
    classes = list(forest.classes_)
    if True not in classes:
        return np.zeros(shape, dtype=np.bool_)
    probability = forest.predict_proba(rows)[:, classes.index(True)].reshape(features.shape[:2])
    picture = Image.fromarray(probability.astype(np.float32))
    height, width = shape
    return np.asarray(np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)) > 0.5)


def all_foreground_iou(truths: Sequence[Mask]) -> float:
    """Mean IoU of calling every pixel foreground; calling every pixel background gives 0."""
    return float(np.mean([truth.mean() for truth in truths]))


def majority_pixel_share(truths: Sequence[Mask]) -> float:
    """Share of the pixels that belong to the more frequent of foreground and background."""
    foreground = float(np.mean([truth.mean() for truth in truths]))
    return max(foreground, 1 - foreground)


@lru_cache(maxsize=2048)
def image_features(path: Path) -> npt.NDArray[np.float32]:
    """Colour histograms (HSV, one per channel), then mean and standard deviation of each filter response."""
    rgb = read_rgb(path, CLASSIFICATION_SIDE_PX)
    hsv = rgb2hsv(rgb)
    histograms = [
        np.histogram(hsv[..., channel], HISTOGRAM_BINS, (0, 1))[0] / hsv[..., channel].size for channel in range(3)
    ]
    filters = _filters(rgb)
    statistics = [filters.mean(axis=(0, 1)), filters.std(axis=(0, 1))]
    return np.concatenate([*histograms, *statistics]).astype(np.float32)


def classification_forest_accuracy(
    labelled: Sequence[tuple[Path, str]], held_out: Sequence[tuple[Path, str]], seed: int
) -> float:
    """Accuracy on the held-out images of a forest on colour histograms and filter statistics."""
    forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=-1)
    forest.fit(np.stack([image_features(path) for path, _ in labelled]), [name for _, name in labelled])
    predicted = forest.predict(np.stack([image_features(path) for path, _ in held_out]))
    return float(np.mean([guess == name for guess, (_, name) in zip(predicted, held_out, strict=True)]))


def majority_class_share(names: Sequence[str]) -> float:
    """Share of the most frequent class."""
    return Counter(names).most_common(1)[0][1] / len(names)


def forget() -> None:
    """Release the cached features."""
    _pixel_features.cache_clear()
    image_features.cache_clear()
