"""The live head: a linear softmax classifier on frozen features, refitted after every annotation.

Linear, because logits then commute with bilinear upsampling and a whole grid costs one matrix product. The problem is
convex and is solved to a tight tolerance: equal annotations give equal logits, bitwise from nothing, and within 1e-4
from the solution before (decision 15).
NumPy and SciPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ml_service.heads.kernel_fit import KernelConfig
from ml_service.heads.scaler import FeatureScaler, FloatArray
from ml_service.heads.softmax_fit import Curvature, Problem, Solution, balanced, content_order, fit_softmax

UNSEEN_MASS = float(np.exp(-1.0))
"""Odds of all classes without a label together against the mean logit of those with one: a single class gets 0.73."""

CONVERTED_ROWS = 512


@dataclass(frozen=True)
class LiveHeadConfig:
    """How a live head learns."""

    data_weight: float
    """Weight of the log loss of one point against the squared norm of the weights; larger fits the labels closer."""
    balance: float
    """0 takes classes as they come, 1 gives every labelled class the same total weight."""
    unit_norm: bool
    """Divide each channel group of each vector by its norm. The head is then no longer linear in the raw features,
    and its logits must not be upsampled: for pooled vectors only."""
    bias_penalty: float = 0.0
    """What a squared bias costs against a squared weight. The features are centred by those of unlabelled images: there
    is little for a bias to explain, and from few labels it takes chance for it."""
    kernel: KernelConfig | None = None
    """How few points are learned from; None for the linear head from the first point on."""


SEGMENTATION = LiveHeadConfig(
    data_weight=1.0,
    balance=0.5,
    unit_norm=False,
    kernel=KernelConfig(
        width=1.5, linear=1.0, penalty=0.6, bias_variance=0.1, group_freedom=1.0, sharpness=4.0, max_points=64
    ),
)
CLASSIFICATION = LiveHeadConfig(data_weight=10.0, balance=0.5, unit_norm=True, bias_penalty=10.0)
MULTILABEL = LiveHeadConfig(
    data_weight=3.0,
    # Each class against its absence: without full balance the few images that have a rare one are outvoted.
    balance=1.0,
    unit_norm=True,
)


@dataclass(frozen=True)
class LiveHead:
    """A fitted head; takes raw features, the scaling is part of it."""

    weight: FloatArray
    """(K, D), for scaled features."""
    bias: FloatArray
    """(K,), for scaled features."""
    scaler: FeatureScaler
    unit_norm: bool
    raw_weight: FloatArray = field(init=False, repr=False)
    """(K, D), for raw features; of use only without `unit_norm`."""
    raw_bias: FloatArray = field(init=False, repr=False)
    """(K,), for raw features; of use only without `unit_norm`."""

    def __post_init__(self) -> None:
        # Folding the scaling into the weights spares a pass over the whole grid at every prediction.
        raw_weight = self.weight.astype(np.float64) * self.scaler.scale
        raw_bias = self.bias - raw_weight @ self.scaler.mean.astype(np.float64)
        object.__setattr__(self, "raw_weight", raw_weight.astype(np.float32))
        object.__setattr__(self, "raw_bias", raw_bias.astype(np.float32))

    @property
    def n_classes(self) -> int:
        """K"""
        return len(self.bias)

    @classmethod
    def fit(
        cls,
        features: npt.NDArray[np.floating],
        class_index: npt.NDArray[np.integer],
        weights: npt.NDArray[np.floating] | None,
        n_classes: int,
        *,
        scaler: FeatureScaler,
        config: LiveHeadConfig,
        give_up: Callable[[], bool] = lambda: False,
    ) -> LiveHead:
        """The head that explains labelled points best. The order of the points does not matter.

        Classes without a point are never the most probable one, unless no class has a point.

        Args:
            features: Raw features (N, D); N may be 0.
            class_index: (N,), each in [0, n_classes).
            weights: (N,), not negative; None means all ones.
            scaler: Fitted on unlabelled features of the same extractor.
            give_up: See `fit_softmax`.
        """
        dim = len(scaler.mean)
        weights = np.ones(len(features)) if weights is None else weights
        check_points(features, class_index, weights, n_classes, dim)
        used = weights > 0
        inputs = prepare_inputs(features[used], scaler, config)
        y, w = class_index[used].astype(np.int64), weights[used].astype(np.float32)
        order = content_order(np.column_stack([y, w, inputs]))
        fitted = cls.fit_prepared(
            inputs[order], y[order], w[order], n_classes, scaler=scaler, config=config, give_up=give_up
        )
        return fitted[0]

    @classmethod
    def fit_prepared(
        cls,
        inputs: FloatArray,
        class_index: npt.NDArray[np.int64],
        weights: FloatArray,
        n_classes: int,
        *,
        scaler: FeatureScaler,
        config: LiveHeadConfig,
        start: Solution | None = None,
        curvature: Curvature | None = None,
        give_up: Callable[[], bool] = lambda: False,
    ) -> tuple[LiveHead, Solution, Problem | None]:
        """As `fit`, on inputs (N, D) made by `prepare_inputs`; their order shows within the solver's tolerance only.

        Args:
            weights: (N,); zero for what is to be left out.
            start: For all classes, as returned by an earlier call: the faster, the less has changed since.
            curvature: Of an earlier problem.
            give_up: See `fit_softmax`.

        Returns:
            The head; its solution for all classes; and what was solved, where there were two classes to tell apart.
        """
        seen = np.flatnonzero(np.bincount(class_index, weights, minlength=n_classes))
        weight, bias = np.zeros((n_classes, len(scaler.mean))), np.zeros(n_classes)
        if 0 < len(seen) < n_classes:
            bias[:] = np.log(UNSEEN_MASS / (n_classes - len(seen)))
            bias[seen] = 0.0
        solution, problem = Solution(weight, bias), None
        if len(seen) > 1:
            targets = (class_index[:, None] == seen).astype(np.float32)
            moved = config.data_weight * balanced(weights, targets, config.balance)
            problem = Problem(inputs, targets, moved.astype(np.float32), config.bias_penalty)
            first = None if start is None else Solution(start.weight[seen], start.bias[seen], memory=start.memory)
            found = fit_softmax(problem, start=first, curvature=curvature, give_up=give_up)
            weight[seen], bias[seen] = found.weight, found.bias
            solution = replace(found, weight=weight, bias=bias)
        head = cls(weight.astype(np.float32), bias.astype(np.float32), scaler, config.unit_norm)
        return head, solution, problem

    def logits(self, features: npt.NDArray[np.floating]) -> FloatArray:
        """Logits (..., K) of raw features (..., D); float32 features are fastest, float16 are converted first."""
        dim = len(self.scaler.mean)
        if features.shape[-1] != dim:
            raise ValueError(f"the features have D={features.shape[-1]}, this head expects {dim}")
        rows = features.reshape(-1, dim)
        if rows.dtype == np.float32:
            values = self._logits(rows)
        else:
            # Block by block, the converted rows stay in the processor's cache.
            starts = range(0, len(rows), CONVERTED_ROWS)
            blocks = [self._logits(rows[start : start + CONVERTED_ROWS].astype(np.float32)) for start in starts]
            values = np.concatenate(blocks) if blocks else np.empty((0, self.n_classes), np.float32)
        return values.reshape(*features.shape[:-1], self.n_classes)

    def _logits(self, rows: FloatArray) -> FloatArray:
        if self.unit_norm:
            values = self.scaler.unit_norm(self.scaler.transform(rows)) @ self.weight.T + self.bias
        else:
            values = rows @ self.raw_weight.T + self.raw_bias
        return np.asarray(values, dtype=np.float32)

    def probabilities(self, features: npt.NDArray[np.floating]) -> FloatArray:
        """Class probabilities (..., K) of raw features (..., D)."""
        return np.asarray(softmax(self.logits(features), axis=-1), dtype=np.float32)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Named arrays that hold the whole head, for safetensors."""
        return {
            "weight": self.weight,
            "bias": self.bias,
            "unit_norm": np.array([self.unit_norm], dtype=np.uint8),
            **self.scaler.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[np.generic]]) -> LiveHead:
        """Inverse of `state`."""
        scaler = FeatureScaler.from_state(state)
        weight = np.asarray(state["weight"], dtype=np.float32)
        bias = np.asarray(state["bias"], dtype=np.float32)
        return cls(weight, bias, scaler, bool(np.asarray(state["unit_norm"], dtype=np.uint8)[0]))


def prepare_inputs(features: npt.NDArray[np.floating], scaler: FeatureScaler, config: LiveHeadConfig) -> FloatArray:
    """What the solver sees of raw features (N, D)."""
    scaled = scaler.transform(features)
    return scaler.unit_norm(scaled) if config.unit_norm else scaled


def check_points(
    features: npt.NDArray[np.floating],
    class_index: npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating],
    n_classes: int,
    dim: int,
) -> None:
    """Refuse what no head can be fitted to.

    Raises:
        ValueError: shapes that do not go together, classes out of range, values that are not finite.
    """
    if n_classes < 2:
        raise ValueError(f"a head needs at least 2 classes, found {n_classes}")
    if features.ndim != 2 or features.shape[1] != dim:
        raise ValueError(f"the features have shape {features.shape}, expected (N, {dim})")
    if not len(features) == len(class_index) == len(weights):
        raise ValueError(f"found {len(features)} points, {len(class_index)} classes and {len(weights)} weights")
    if len(class_index) and not 0 <= class_index.min() <= class_index.max() < n_classes:
        raise ValueError(f"class indices run {class_index.min()}..{class_index.max()}, expected 0..{n_classes - 1}")
    if not (np.isfinite(features).all() and np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("features and weights of points must be finite, and weights not negative")
