"""Ways to learn from clicks, for `benchmarks.learning_quality`: the default, what it was, and what others use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.learning_sets import Channels, FloatArray
from ml_service.heads.exclusive import fit_exclusive_head
from ml_service.heads.live import CLASSIFICATION, SEGMENTATION, LiveHeadConfig

TREES = 100
LINEAR = replace(SEGMENTATION, kernel=None)
CATBOOST_ROUNDS = 100
NEIGHBOURS = 3

DEFAULT, DEFAULT_SHOWN = "live head (default)", "live head, as shown (refined masks)"
COLOUR, COLOUR_SHOWN = "plain colour: the default on Lab and gradients", "plain colour, refined"
SHOWN = (DEFAULT_SHOWN, COLOUR_SHOWN)
FILTER_FOREST, DEEP_FOREST = "forest on filter features (ilastik)", "forest on deep features"
CATBOOST = "CatBoost on deep features (napari-convpaint)"

Scores = Callable[[FloatArray], FloatArray]
"""Raw features (..., D) -> scores (..., K); the largest wins."""


@dataclass(frozen=True)
class Points:
    """What was labelled so far: at least two classes."""

    rows: FloatArray
    """(N, D), raw features."""
    classes: npt.NDArray[np.int64]
    """(N,)"""


@dataclass(frozen=True)
class Peer:
    """One way to learn."""

    name: str
    channels: str
    """Which of `LearningSet.channels`."""
    fit: Callable[[Points, Channels, int, int], Scores]
    """points, their channels, number of classes, seed -> the head."""
    is_refined: bool = False
    """Whether its masks follow the edges of the picture, as on the page, or are plainly upsampled."""


def segmentation_peers() -> list[Peer]:
    """Rows of the table for sets with masks; the first is the default."""
    return [
        Peer(DEFAULT, "deep", _live(SEGMENTATION)),
        Peer(DEFAULT_SHOWN, "deep", _live(SEGMENTATION), is_refined=True),
        Peer("linear softmax head (former default)", "deep", _live(LINEAR)),
        *_common_peers(),
        Peer(COLOUR, "colour", _live(SEGMENTATION)),
        Peer(COLOUR_SHOWN, "colour", _live(SEGMENTATION), is_refined=True),
        Peer("RBF kernel ridge", "deep", _rbf_ridge),
    ]


def classification_peers() -> list[Peer]:
    """Rows of the table for sets with a class an image; the first is the default."""
    return [
        Peer(DEFAULT, "deep", _live(CLASSIFICATION)),
        *_common_peers(),
        Peer("nearest class mean", "deep", _nearest_mean),
        Peer(f"{NEIGHBOURS} nearest neighbours", "deep", _nearest_neighbours),
        Peer("RBF kernel ridge", "deep", _rbf_ridge),
    ]


def robustness_peers() -> list[Peer]:
    """Rows of the table of disturbed labels; the first is the default."""
    names = ("linear", "forest on deep", "logistic")
    peers = segmentation_peers()
    return [peers[0], *(peer for name in names for peer in peers if peer.name.startswith(name))]


def _common_peers() -> list[Peer]:
    return [
        Peer(FILTER_FOREST, "filters", _forest),
        Peer(DEEP_FOREST, "deep", _forest),
        Peer(CATBOOST, "deep", _catboost),
        Peer("logistic regression, plain concatenation", "deep", _logistic),
        Peer("ridge classifier, scaled groups", "deep", _ridge),
    ]


def _live(config: LiveHeadConfig) -> Callable[[Points, Channels, int, int], Scores]:
    def fit(points: Points, channels: Channels, n_classes: int, _seed: int) -> Scores:
        scaler = channels.scaler
        return fit_exclusive_head(points.rows, points.classes, None, n_classes, scaler=scaler, config=config).logits

    return fit


def _spread(scores: npt.NDArray[np.floating], classes: npt.NDArray[np.integer], n_classes: int) -> FloatArray:
    """Scores (M, classes seen) as (M, K); a class not seen never wins."""
    full = np.full((len(scores), n_classes), -np.inf, dtype=np.float32)
    full[:, classes] = scores
    return full


def _by_rows(score: Callable[[FloatArray], FloatArray]) -> Scores:
    """A function of rows (M, D) as one of grids."""

    def scores(features: FloatArray) -> FloatArray:
        found = score(features.reshape(-1, features.shape[-1]))
        return found.reshape(*features.shape[:-1], found.shape[1])

    return scores


def _forest(points: Points, _channels: Channels, n_classes: int, seed: int) -> Scores:
    forest = RandomForestClassifier(TREES, random_state=seed).fit(points.rows, points.classes)

    def score(rows: FloatArray) -> FloatArray:
        # What predict_proba computes, without checking all rows again for each of the trees.
        values = np.zeros((len(rows), len(forest.classes_)))
        contiguous = np.ascontiguousarray(rows, dtype=np.float32)
        for tree in forest.estimators_:
            leaves = tree.tree_.value[:, 0]
            values += (leaves / leaves.sum(axis=1, keepdims=True))[tree.tree_.apply(contiguous)]
        return _spread(values / TREES, forest.classes_, n_classes)

    return _by_rows(score)


def _catboost(points: Points, _channels: Channels, n_classes: int, seed: int) -> Scores:
    # Only here: the extra `bench` brings it, and the other peers do without.
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        iterations=CATBOOST_ROUNDS, random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False
    ).fit(points.rows, points.classes)
    seen = np.unique(points.classes)
    return _by_rows(lambda rows: _spread(model.predict_proba(rows), seen, n_classes))


def _logistic(points: Points, _channels: Channels, n_classes: int, _seed: int) -> Scores:
    """scikit-learn's defaults on standardised labelled points."""
    mean, deviation = points.rows.mean(axis=0), points.rows.std(axis=0) + 1e-6
    model = LogisticRegression(max_iter=300).fit((points.rows - mean) / deviation, points.classes)
    return _by_rows(lambda rows: _decision(model, (rows - mean) / deviation, n_classes))


def _ridge(points: Points, channels: Channels, n_classes: int, _seed: int) -> Scores:
    model = RidgeClassifier(alpha=1.0, class_weight="balanced")
    model.fit(channels.scaler.transform(points.rows), points.classes)
    return _by_rows(lambda rows: _decision(model, channels.scaler.transform(rows), n_classes))


def _decision(model: LogisticRegression | RidgeClassifier, rows: FloatArray, n_classes: int) -> FloatArray:
    margins = np.asarray(model.decision_function(rows), dtype=np.float32)
    if margins.ndim == 1:
        margins = np.stack([-margins, margins], axis=1)
    return _spread(margins, model.classes_, n_classes)


def _nearest_mean(points: Points, channels: Channels, n_classes: int, _seed: int) -> Scores:
    rows = _unit(channels, points.rows)
    seen = np.unique(points.classes)
    means = np.stack([rows[points.classes == index].mean(axis=0) for index in seen])

    def score(features: FloatArray) -> FloatArray:
        inputs = _unit(channels, features)
        distances = (inputs**2).sum(axis=1)[:, None] + (means**2).sum(axis=1) - 2 * inputs @ means.T
        return _spread(-distances, seen, n_classes)

    return _by_rows(score)


def _nearest_neighbours(points: Points, channels: Channels, n_classes: int, _seed: int) -> Scores:
    count = min(NEIGHBOURS, len(points.rows))
    model = KNeighborsClassifier(count, weights="distance").fit(_unit(channels, points.rows), points.classes)
    return _by_rows(lambda rows: _spread(model.predict_proba(_unit(channels, rows)), model.classes_, n_classes))


def _unit(channels: Channels, rows: FloatArray) -> FloatArray:
    return channels.scaler.unit_norm(channels.scaler.transform(rows))


def _rbf_ridge(points: Points, channels: Channels, n_classes: int, _seed: int) -> Scores:
    """Kernel regression on +-1 targets, the width of the kernel a fixed share of the mean squared distance."""
    gamma, penalty = 0.15 / len(channels.groups), 0.3
    rows = channels.scaler.transform(points.rows)
    targets = np.where(points.classes[:, None] == np.unique(points.classes), 1.0, -1.0)

    def kernel(a: FloatArray, b: FloatArray) -> FloatArray:
        distances = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
        return np.asarray(np.exp(-gamma * distances), dtype=np.float32)

    gram = kernel(rows, rows) + 0.1 + penalty * np.eye(len(rows))
    weights = np.linalg.solve(gram, targets).astype(np.float32)
    seen = np.unique(points.classes)
    return _by_rows(
        lambda features: _spread((kernel(channels.scaler.transform(features), rows) + 0.1) @ weights, seen, n_classes)
    )
