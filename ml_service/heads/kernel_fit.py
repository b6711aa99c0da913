"""Kernel regression on a few labelled points, and how much each channel group counts in it.

The similarity of two vectors is 1 / (1 + width d^2 / 2) + linear <a, b>, the squared distance d^2 and the product being
means over channel groups: the rational quadratic kernel (Rasmussen and Williams 2006, section 4.2), whose long tails
reach far from the labels, and a linear part. Regression on it is one linear system: exact, without iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from ml_service.heads.scaler import FloatArray

Doubles = npt.NDArray[np.float64]

EVIDENCE_STEPS = 15
LOG_WEIGHT_LIMIT = 2.0
"""No group counts more than e^2 times what it would count by itself, or less than e^-2 times."""


@dataclass(frozen=True)
class KernelConfig:
    """How alike two points are, and how closely the labels are followed."""

    width: float
    """The larger, the nearer two points have to be to count as alike."""
    linear: float
    """Weight of the linear part."""
    penalty: float
    """Variance of the noise of one label, where a point's similarity with itself is about 1."""
    bias_variance: float
    group_freedom: float
    """Deviation, before any label, of the logarithm of the variance that a channel group explains."""
    sharpness: float
    """Difference of the logits where the regression meets both of two classes exactly."""
    max_points: int
    """What is to be learned from more goes to the linear head."""


def similarity(a: FloatArray, b: FloatArray, n_groups: int, config: KernelConfig) -> FloatArray:
    """The part that fades with distance, (N, M) of weighted inputs (N, D) and (M, D)."""
    near = a @ (b.T * np.float32(-2))
    near += np.einsum("nd,nd->n", a, a)[:, None]
    near += np.einsum("md,md->m", b, b)
    np.maximum(near, 0, out=near)
    near *= np.float32(config.width / (2 * n_groups))
    near += np.float32(1)
    return np.reciprocal(near, out=near)


def solve(
    inputs: FloatArray, targets: Doubles, weights: Doubles, n_groups: int, config: KernelConfig
) -> tuple[Doubles, Doubles]:
    """Coefficients (N, K) of the points and bias (K,) that explain targets (N, K).

    Args:
        inputs: (N, D), weighted by group.
        weights: (N,), positive; the noise of a point is inverse to it.
    """
    products = inputs.astype(np.float64) @ inputs.T.astype(np.float64)
    covariance = similarity(inputs, inputs, n_groups, config) + config.linear / n_groups * products
    system = covariance + config.bias_variance + np.diag(config.penalty / weights)
    coefficients = np.asarray(cho_solve(cho_factor(system, lower=True), targets))
    return coefficients, config.bias_variance * coefficients.sum(axis=0)


def group_weights(inputs: FloatArray, targets: Doubles, slices: Sequence[slice], config: KernelConfig) -> Doubles:
    """What each channel group is multiplied by (G,): squares have the mean one.

    Those that make the labels most probable under a Gaussian process, linear in each group, each variance with a prior
    around one (automatic relevance determination by group: MacKay 1994, Neal 1996). A smooth choice: one more label
    moves it a little, where the choice of the best of several would jump.

    Args:
        targets: (N, K), 1 for the class of a point and -1 for others.
    """
    kernels = np.stack([_gram(inputs[:, part]) for part in slices])
    n_groups, n_points = len(kernels), len(inputs)
    identity = np.eye(n_points)
    prior_noise = np.log(0.5)

    def loss_and_gradient(parameters: Doubles) -> tuple[float, Doubles]:
        variances, noise = np.exp(parameters[:-1]), np.exp(parameters[-1])
        covariance = np.tensordot(variances, kernels, 1) + 1.0 + noise * identity
        factor = cho_factor(covariance, lower=True)
        inverse = cho_solve(factor, identity)
        explained = inverse @ targets
        # The mean over classes, not the sum: the prior counts as much with many of them.
        pull = inverse - explained @ explained.T / targets.shape[1]
        away = parameters[:-1] / config.group_freedom**2
        loss = 0.5 * float(np.vdot(targets, explained)) / targets.shape[1] + float(np.log(np.diag(factor[0])).sum())
        loss += 0.5 * float(away @ parameters[:-1]) + 0.5 * float(parameters[-1] - prior_noise) ** 2
        gradient = 0.5 * variances * np.tensordot(kernels, pull, 2) + away
        noise_gradient = 0.5 * noise * np.trace(pull) + parameters[-1] - prior_noise
        return loss, np.append(gradient, noise_gradient)

    limits = [(-2 * LOG_WEIGHT_LIMIT, 2 * LOG_WEIGHT_LIMIT)] * n_groups + [(-4.0, 2.0)]
    start = np.append(np.zeros(n_groups), prior_noise)
    options = {"maxiter": EVIDENCE_STEPS}
    found = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", bounds=limits, options=options).x
    weights = np.exp(0.5 * found[:-1])
    return np.asarray(weights / np.sqrt(np.mean(weights**2)))


def _gram(rows: FloatArray) -> Doubles:
    doubles = rows.astype(np.float64)
    return doubles @ doubles.T
