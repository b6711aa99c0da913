"""The live head of a task where exactly one class holds: of few points by kernel regression, of many a linear one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from ml_service.heads.kernel_head import KernelHead
from ml_service.heads.live import LiveHead, LiveHeadConfig, check_points, prepare_inputs
from ml_service.heads.repeats import counted_once, row_keys
from ml_service.heads.scaler import FeatureScaler, FloatArray

ExclusiveHead = LiveHead | KernelHead


def fit_exclusive_head(
    features: npt.NDArray[np.floating],
    class_index: npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating] | None,
    n_classes: int,
    *,
    scaler: FeatureScaler,
    config: LiveHeadConfig,
    give_up: Callable[[], bool] = lambda: False,
) -> ExclusiveHead:
    """The head that explains labelled points best; arguments as those of `LiveHead.fit`. Equal points count once."""
    used = np.ones(len(features), np.float32) if weights is None else weights.astype(np.float32)
    check_points(features, class_index, used, n_classes, len(scaler.mean))
    used = counted_once(used, row_keys(features, class_index))
    if is_for_kernel(class_index, used, config):
        inputs = prepare_inputs(features, scaler, config)
        return fit_kernel_head(inputs, class_index, used, n_classes, scaler=scaler, config=config)
    return LiveHead.fit(features, class_index, used, n_classes, scaler=scaler, config=config, give_up=give_up)


def is_for_kernel(class_index: npt.NDArray[np.integer], weights: FloatArray, config: LiveHeadConfig) -> bool:
    """Whether there are few points, and two classes among them to tell apart."""
    used = class_index[weights > 0]
    return config.kernel is not None and len(used) <= config.kernel.max_points and len(np.unique(used)) > 1


def fit_kernel_head(
    inputs: FloatArray,
    class_index: npt.NDArray[np.integer],
    weights: FloatArray,
    n_classes: int,
    *,
    scaler: FeatureScaler,
    config: LiveHeadConfig,
) -> KernelHead:
    """Of inputs (N, D) made by `prepare_inputs`, for which `is_for_kernel`."""
    assert config.kernel is not None
    used = weights > 0
    return KernelHead.fit(
        inputs[used],
        class_index[used].astype(np.int64),
        weights[used],
        n_classes,
        scaler=scaler,
        config=config.kernel,
        balance=config.balance,
    )


def restore_exclusive_head(state: Mapping[str, npt.NDArray[np.generic]]) -> ExclusiveHead:
    """The head that gave `state`."""
    return KernelHead.from_state(state) if KernelHead.is_state(state) else LiveHead.from_state(state)
