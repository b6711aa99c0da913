"""The live head of few points: every cell is compared with every labelled point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ml_service.heads.helpers import Helpers
from ml_service.heads.kernel_fit import Doubles, KernelConfig, group_weights, similarity, solve
from ml_service.heads.live import UNSEEN_MASS
from ml_service.heads.scaler import FeatureScaler, FloatArray
from ml_service.heads.softmax_fit import balanced, content_order

ROWS_AT_ONCE = 512
"""Few enough to stay in the processor's cache from one step to the next."""
_CONFIG_FIELDS = (
    "width", "linear", "penalty", "bias_variance", "group_freedom", "sharpness", "max_points"
)  # fmt: skip


@dataclass(frozen=True)
class KernelHead:
    """A fitted head; takes raw features, the scaling is part of it."""

    points: FloatArray
    """(M, D), scaled and weighted."""
    coefficients: FloatArray
    """(M, K)"""
    weight: FloatArray
    """(K, D) of the linear part, for scaled and weighted features."""
    bias: FloatArray
    """(K,)"""
    scaler: FeatureScaler
    channel_weight: FloatArray
    """(D,), what a scaled channel is multiplied by."""
    config: KernelConfig

    @property
    def n_classes(self) -> int:
        """K"""
        return len(self.bias)

    @classmethod
    def fit(
        cls,
        inputs: FloatArray,
        class_index: npt.NDArray[np.int64],
        weights: FloatArray,
        n_classes: int,
        *,
        scaler: FeatureScaler,
        config: KernelConfig,
        balance: float,
    ) -> KernelHead:
        """The head of at least two classes with points; the others are never the most probable. Order does not matter.

        Args:
            inputs: Scaled features (N, D).
            class_index: (N,), each in [0, n_classes).
            weights: (N,), positive.
            balance: See `LiveHeadConfig`.
        """
        order = content_order(np.column_stack([class_index, weights, inputs]))
        inputs, class_index, weights = inputs[order], class_index[order], weights[order]
        seen = np.unique(class_index)
        belongs = (class_index[:, None] == seen).astype(np.float64)
        channel_weight = _channel_weights(inputs, 2 * belongs - 1, scaler, config)
        inputs = inputs * channel_weight
        # Sums of zero over the classes: then the logits have them too, and one is at least zero in every cell.
        targets = config.sharpness * (belongs - 1 / len(seen))
        moved = balanced(weights, belongs.astype(np.float32), balance).astype(np.float64)
        coefficients, bias = np.zeros((len(inputs), n_classes)), np.zeros(n_classes)
        if len(seen) < n_classes:
            bias[:] = np.log(UNSEEN_MASS / (n_classes - len(seen)))
        n_groups = len(scaler.group_sizes)
        coefficients[:, seen], bias[seen] = solve(inputs, targets, moved, n_groups, config)
        linear = config.linear / n_groups * (coefficients.T @ inputs)
        return cls(
            points=inputs,
            coefficients=coefficients.astype(np.float32),
            weight=linear.astype(np.float32),
            bias=bias.astype(np.float32),
            scaler=scaler,
            channel_weight=channel_weight,
            config=config,
        )

    def logits(self, features: npt.NDArray[np.floating], helpers: Helpers | None = None) -> FloatArray:
        """Logits (..., K) of raw features (..., D).

        Args:
            helpers: Share the rows in blocks, where the answer is wanted at once; the values stay the same, bitwise.
        """
        dim = len(self.scaler.mean)
        if features.shape[-1] != dim:
            raise ValueError(f"the features have D={features.shape[-1]}, this head expects {dim}")
        rows = features.reshape(-1, dim)
        scale = self.scaler.scale * self.channel_weight
        n_groups = len(self.scaler.group_sizes)
        values = np.empty((len(rows), self.n_classes), np.float32)

        def fill(starts: Iterator[int]) -> None:
            room = np.empty((ROWS_AT_ONCE, dim), np.float32)
            for start in starts:
                part = rows[start : start + ROWS_AT_ONCE]
                inputs = np.subtract(part, self.scaler.mean, out=room[: len(part)])
                inputs *= scale
                near = similarity(inputs, self.points, n_groups, self.config)
                values[start : start + ROWS_AT_ONCE] = near @ self.coefficients + inputs @ self.weight.T + self.bias

        starts = iter(range(0, len(rows), ROWS_AT_ONCE))
        if helpers is None:
            fill(starts)
        else:
            helpers.share(fill, starts)
        return values.reshape(*features.shape[:-1], self.n_classes)

    def probabilities(self, features: npt.NDArray[np.floating]) -> FloatArray:
        """Class probabilities (..., K) of raw features (..., D)."""
        return np.asarray(softmax(self.logits(features), axis=-1), dtype=np.float32)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Named arrays that hold the whole head, for safetensors."""
        return {
            "kernel_points": self.points,
            "kernel_coefficients": self.coefficients,
            "kernel_config": np.array([getattr(self.config, name) for name in _CONFIG_FIELDS], dtype=np.float64),
            "channel_weight": self.channel_weight,
            "weight": self.weight,
            "bias": self.bias,
            **self.scaler.state(),
        }

    @classmethod
    def is_state(cls, state: Mapping[str, npt.NDArray[np.generic]]) -> bool:
        """Whether a checkpoint of a live head holds one of this kind."""
        return "kernel_points" in state

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[np.generic]]) -> KernelHead:
        """Inverse of `state`."""
        values = np.asarray(state["kernel_config"], dtype=np.float64).tolist()
        settings = dict(zip(_CONFIG_FIELDS, values, strict=True))
        config = KernelConfig(**{**settings, "max_points": int(settings["max_points"])})
        return cls(
            points=np.asarray(state["kernel_points"], dtype=np.float32),
            coefficients=np.asarray(state["kernel_coefficients"], dtype=np.float32),
            weight=np.asarray(state["weight"], dtype=np.float32),
            bias=np.asarray(state["bias"], dtype=np.float32),
            scaler=FeatureScaler.from_state(state),
            channel_weight=np.asarray(state["channel_weight"], dtype=np.float32),
            config=config,
        )


def _channel_weights(inputs: FloatArray, targets: Doubles, scaler: FeatureScaler, config: KernelConfig) -> FloatArray:
    weights = group_weights(inputs, targets, scaler.slices, config)
    return np.repeat(weights, scaler.group_sizes).astype(np.float32)
