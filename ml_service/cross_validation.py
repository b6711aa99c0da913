"""Which labelled images are held out together, and in which order they would have been labelled: always the same."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

N_FOLDS = 5
VARIANCE_FACTOR = 1 + N_FOLDS / (N_FOLDS - 1)
"""Of accuracy over folds, as their heads share most of what they learned from (Nadeau and Bengio 2003)."""


@dataclass(frozen=True)
class Labelled:
    """A labelled image, as far as it matters for dividing images up."""

    image_id: int
    class_ids: frozenset[int]
    """That occur on it."""
    picked_by_model: bool = False


def fold_of(images: Iterable[Labelled], n_folds: int = N_FOLDS) -> dict[int, int]:
    """The fold of each image that may be held out, by id.

    An image that the model picked always trains (decision 7). Nothing else is arranged: folds that leave every class
    something to learn from tell of well-known classes alone, and tell too much of them where a class has few images
    (0.1 at two labels a class). A head that has never seen a class is wrong there, as the head of all labels is on the
    classes that nobody has labelled yet.
    """
    ordered = sorted((image.image_id for image in images if not image.picked_by_model), key=_digest)
    return {image_id: position % n_folds for position, image_id in enumerate(ordered)}


def nested_order(images: Sequence[Labelled]) -> list[int]:
    """Ids in an order of which every beginning has about the mixture of classes of the whole."""
    strata: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for image in images:
        strata[tuple(sorted(image.class_ids))].append(image.image_id)
    keyed = []
    for members in strata.values():
        ordered = sorted(members, key=_digest)
        keyed += [((rank + 0.5) / len(ordered), _digest(image_id), image_id) for rank, image_id in enumerate(ordered)]
    return [image_id for _, _, image_id in sorted(keyed)]


def _digest(image_id: int) -> bytes:
    # Not the number itself: ids follow the names of files, which often follow what is on them.
    return hashlib.sha256(f"fold {image_id}".encode()).digest()
