"""Points of different classes in one feature cell: one sample that says how much of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml_service.data_loaders.base import Samples


def soften_conflicts(samples: Samples, cells: npt.NDArray[np.integer]) -> Samples:
    """Samples of one cell whose classes differ become one, in the place of the first of them.

    Its target is the share of each class by weight, its input the mean of theirs by weight, and it weighs as much as
    the heaviest of them: a cell over which people disagree says one thing, and says it once. Others stay as they are.

    Args:
        samples: of classes that exclude each other, each sample of one class.
        cells: (N,), number of each sample's cell in its image.
    """
    places = np.stack([samples.image_ids, np.asarray(cells, dtype=np.intp)], axis=1)
    _, group = np.unique(places, axis=0, return_inverse=True)
    group = group.reshape(-1)
    has_class = np.zeros((int(group.max()) + 1, samples.targets.shape[1]), dtype=bool)
    has_class[group, samples.class_index] = True
    disputed = np.flatnonzero(has_class.sum(axis=1) > 1)
    if not len(disputed):
        return samples

    inputs, targets, weights = samples.inputs.copy(), samples.targets.copy(), samples.weights.copy()
    is_kept = np.ones(len(samples), dtype=bool)
    for place in disputed:
        members = np.flatnonzero(group == place)
        first, shares = members[0], weights[members] / weights[members].sum()
        inputs[first] = np.tensordot(shares, inputs[members], axes=1)
        targets[first] = shares @ targets[members]
        weights[first] = weights[members].max()
        is_kept[members[1:]] = False
    return Samples(inputs[is_kept], targets[is_kept], weights[is_kept], samples.image_ids[is_kept])
