"""Inputs of all labels in growing arrays, so that a click costs what it changed and not what was labelled before."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from db.enums import Split
from db.queries.training_data import Target
from ml_service.data_loaders.base import ImageSamples
from ml_service.heads.repeats import row_keys

FloatArray = npt.NDArray[np.float32]
Prepare = Callable[[FloatArray], FloatArray]
"""Rows (n, D) as the head reads them, of raw ones."""
FIRST_CAPACITY = 256
NO_CLASS = -1
"""Class id of a row that is free."""


class LabelRows:
    """One row for each target of each image that was put; order and gaps mean nothing."""

    def __init__(self, prepare: Prepare, dim: int) -> None:
        self._prepare = prepare
        self._inputs = np.zeros((FIRST_CAPACITY, dim), dtype=np.float32)
        self._class_ids = np.full(FIRST_CAPACITY, NO_CLASS, dtype=np.int64)
        self._is_extracted = np.zeros(FIRST_CAPACITY, dtype=bool)
        self._is_held_out = np.zeros(FIRST_CAPACITY, dtype=bool)
        self._weights = np.ones(FIRST_CAPACITY, dtype=np.float32)
        self._keys = np.zeros(FIRST_CAPACITY, dtype=np.int64)
        self._used = 0
        self._free: list[int] = []
        self._rows: dict[int, dict[Target, list[int]]] = {}
        self._origins: dict[int, tuple[str | None, bool]] = {}
        self._content = 0
        self._n_changes = 0

    @property
    def inputs(self) -> FloatArray:
        """(N, D), prepared."""
        return self._inputs[: self._used]

    @property
    def class_ids(self) -> npt.NDArray[np.int64]:
        """(N,), `NO_CLASS` where a row is free."""
        return self._class_ids[: self._used]

    @property
    def is_extracted(self) -> npt.NDArray[np.bool_]:
        """(N,), whether the target came from a prediction."""
        return self._is_extracted[: self._used]

    @property
    def weights(self) -> FloatArray:
        """(N,), what a target counts, against 1 for a click."""
        return self._weights[: self._used]

    @property
    def keys(self) -> npt.NDArray[np.int64]:
        """(N,), as of `row_keys`: equal where a class was said of equal features; free rows mean nothing."""
        return self._keys[: self._used]

    @property
    def is_held_out(self) -> npt.NDArray[np.bool_]:
        """(N,), whether it lies on a validation image."""
        return self._is_held_out[: self._used]

    @property
    def content(self) -> int:
        """Tells two contents apart, whatever came in between: equal targets on equal pictures have an equal number."""
        return self._content

    @property
    def n_targets(self) -> int:
        """Rows that are not free."""
        return self._used - len(self._free)

    @property
    def n_changes(self) -> int:
        """Number of targets that came or went so far."""
        return self._n_changes

    def put(self, samples: ImageSamples) -> None:
        """Take the targets of an image in place of those it had; only what is new of them is prepared."""
        image = samples.image
        origin = (image.content_hash, image.split is Split.VALIDATION)
        if self._origins.get(image.id, origin) != origin:
            self.remove(image.id)
        before = self._rows.get(image.id, {})
        now: dict[Target, list[int]] = defaultdict(list)
        new: list[int] = []
        for position, target in enumerate(image.targets):
            rows = before.get(target)
            if rows:
                now[target].append(rows.pop())
            else:
                new.append(position)
        self._release(image.content_hash, before)
        for position, row in zip(new, self._add(samples, new), strict=True):
            now[image.targets[position]].append(row)
        self._rows[image.id], self._origins[image.id] = dict(now), origin
        self._compact()

    def remove(self, image_id: int) -> None:
        """Forget an image."""
        content_hash, _ = self._origins.pop(image_id, (None, False))
        self._release(content_hash, self._rows.pop(image_id, {}))
        self._compact()

    def _add(self, samples: ImageSamples, positions: Sequence[int]) -> list[int]:
        if not positions:
            return []
        rows = [self._take_free() for _ in positions]
        targets = [samples.image.targets[position] for position in positions]
        raw = samples.inputs[list(positions)]
        self._inputs[rows] = self._prepare(raw)
        self._class_ids[rows] = [target.class_id for target in targets]
        self._keys[rows] = row_keys(raw, self._class_ids[rows])
        self._is_extracted[rows] = [target.is_guess for target in targets]
        self._weights[rows] = [target.weight for target in targets]
        self._is_held_out[rows] = samples.image.split is Split.VALIDATION
        self._n_changes += len(rows)
        for target in targets:
            self._content += _digest(samples.image.content_hash, target)
        return rows

    def _release(self, content_hash: str | None, rows_of: dict[Target, list[int]]) -> None:
        for target, rows in rows_of.items():
            for row in rows:
                self._class_ids[row] = NO_CLASS
                self._free.append(row)
                self._n_changes += 1
                self._content -= _digest(content_hash, target)

    def _take_free(self) -> int:
        if self._free:
            return self._free.pop()
        if self._used == len(self._inputs):
            self._grow()
        self._used += 1
        return self._used - 1

    def _grow(self) -> None:
        self._move(np.arange(self._used), 2 * len(self._inputs))

    def _compact(self) -> None:
        """Drop the free rows where they are the most: every fit passes over them."""
        if self._used <= FIRST_CAPACITY or 2 * len(self._free) <= self._used:
            return
        kept = np.flatnonzero(self.class_ids != NO_CLASS)
        place = dict(zip(kept.tolist(), range(len(kept)), strict=True))
        for rows_of in self._rows.values():
            for target, rows in rows_of.items():
                rows_of[target] = [place[row] for row in rows]
        self._move(kept, max(FIRST_CAPACITY, 2 * len(kept)))
        self._used, self._free = len(kept), []

    def _move(self, rows: npt.NDArray[np.intp], capacity: int) -> None:
        """To new arrays, these rows alone: who still reads the old ones finds them as they were."""
        more = capacity - len(rows)
        dim = self._inputs.shape[1]
        self._inputs = np.concatenate([self._inputs[rows], np.zeros((more, dim), dtype=np.float32)])
        self._class_ids = np.concatenate([self._class_ids[rows], np.full(more, NO_CLASS, dtype=np.int64)])
        self._is_extracted = np.concatenate([self._is_extracted[rows], np.zeros(more, dtype=bool)])
        self._is_held_out = np.concatenate([self._is_held_out[rows], np.zeros(more, dtype=bool)])
        self._weights = np.concatenate([self._weights[rows], np.ones(more, dtype=np.float32)])
        self._keys = np.concatenate([self._keys[rows], np.zeros(more, dtype=np.int64)])


def _digest(content_hash: str | None, target: Target) -> int:
    text = f"{content_hash} {target.class_id} {target.is_guess} {target.x!r} {target.y!r} {target.weight!r}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
