"""Weighted, regularised softmax regression: the convex problem behind the live head. NumPy and SciPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize


def content_order(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Permutation that sorts rows (N, M) by their bytes: floating-point sums then do not depend on the order given."""
    contents = [row.tobytes() for row in rows]
    return np.array(sorted(range(len(rows)), key=contents.__getitem__), dtype=np.intp)


def balanced(
    weights: npt.NDArray[np.float64], class_index: npt.NDArray[np.int64], n_classes: int, balance: float
) -> npt.NDArray[np.float64]:
    """Point weights (N,) moved towards equal totals per class; the grand total stays."""
    totals = np.bincount(class_index, weights, minlength=n_classes)
    balanced = weights * (totals.mean() / totals[class_index]) ** balance
    return np.asarray(balanced * (weights.sum() / balanced.sum()), dtype=np.float64)


def fit_softmax(
    inputs: npt.NDArray[np.float64],
    class_index: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    n_classes: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights (K, D) and zero-mean biases (K,) that minimise weighted log loss + half the squared norm of the weights.

    The biases are free in the loss; fixing their mean at zero, which no probability sees, keeps the largest logit of
    every input at zero or above, so a class of constant negative logit never wins.
    """
    # The best weights lie in the span of the points: with fewer points than channels, solve in that smaller space.
    basis, coordinates = None, inputs
    if len(inputs) < inputs.shape[1]:
        basis, triangle = np.linalg.qr(inputs.T)
        coordinates = np.ascontiguousarray(triangle.T)
    n_points, dim = coordinates.shape
    rows = np.arange(n_points)

    def loss_and_gradient(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weight, bias = parameters[:-n_classes].reshape(dim, n_classes), parameters[-n_classes:]
        # By hand: on arrays as small as these, SciPy's log_softmax takes about half the time of the whole function.
        logits = coordinates @ weight + bias
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        totals = exponentials.sum(axis=1, keepdims=True)
        log_p = logits[rows, class_index] - np.log(totals[:, 0])
        error = exponentials / totals
        error[rows, class_index] -= 1.0
        error *= weights[:, None]
        penalty = 0.5 * float(np.vdot(weight, weight))
        loss = penalty - float(weights @ log_p)
        return loss, np.concatenate([(coordinates.T @ error + weight).ravel(), error.sum(axis=0)])

    solution = minimize(
        loss_and_gradient,
        np.zeros((dim + 1) * n_classes),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-8, "gtol": 1e-4},
    ).x
    weight, bias = solution[:-n_classes].reshape(dim, n_classes), solution[-n_classes:]
    weight = weight if basis is None else basis @ weight
    return weight.T, bias - bias.mean()
