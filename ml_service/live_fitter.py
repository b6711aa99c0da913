"""The live head as it follows the clicks: what was computed for the labels before is used for the labels now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml_service.answer_rows import AnswerRows
from ml_service.coming_curvature import curvature_of
from ml_service.heads.exclusive import fit_kernel_head, is_for_kernel
from ml_service.heads.live import LiveHead, prepare_inputs
from ml_service.heads.repeats import counted_once
from ml_service.heads.scaler import FeatureScaler
from ml_service.heads.softmax_fit import Curvature, Problem, Solution
from ml_service.label_rows import NO_CLASS, LabelRows
from ml_service.live_learning import FittedHead
from ml_service.low_priority import give_way
from ml_service.task_factory import TaskParts
from ml_service.training_set import TrainingSet

KEPT_BYTES = 32 << 20
"""Of heads that are kept for an undo: some hundred of them."""
CURVATURE_FROM_POINTS = 200
"""With fewer, a fit is fast without."""
CURVATURE_CHANGE = 0.15
"""Share of the points that has to have come or gone before curvature is computed again."""


@dataclass(frozen=True)
class _Last:
    """What the fit before left."""

    class_ids: tuple[int, ...]
    solution: Solution
    problem: Problem | None
    n_changes: int
    """Of the rows, which `problem` reads."""


class HeadCache:
    """The heads fitted last, by what they were fitted on: equal labels find the very head that they had."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._heads: OrderedDict[object, FittedHead] = OrderedDict()

    def get(self, key: object) -> FittedHead | None:
        """The head, which now counts as used last."""
        if key in self._heads:
            self._heads.move_to_end(key)
        return self._heads.get(key)

    def put(self, key: object, fitted: FittedHead) -> None:
        """Keep a head; those unused for longest give way."""
        self._heads[key] = fitted
        self._bytes += _size(fitted)
        while self._bytes > self._limit_bytes and len(self._heads) > 1:
            self._bytes -= _size(self._heads.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget all."""
        self._heads.clear()
        self._bytes = 0


class LiveFitter:
    """Fits live heads for one training set. Use from one thread; `close` ends its helper."""

    def __init__(self, parts: TaskParts, training_set: TrainingSet) -> None:
        self._parts = parts
        self._training_set = training_set
        self._scaler: FeatureScaler | None = None
        self._rows: LabelRows | None = None
        self._n_changes = 0
        self._cache = HeadCache()
        self._answers = None if parts.is_exclusive else AnswerRows(training_set, parts.live_config)
        self._last: _Last | None = None
        self._curvature: Curvature | None = None
        self._computed_at = 0
        self._coming: Future[Curvature] | None = None
        # It computes in products and factors of matrices, without the interpreter's lock.
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="curvature", initializer=give_way)

    def fit(self, scaler: FeatureScaler, extracted_weight: float) -> FittedHead | None:
        """The live head of the labels as last read; None without any.

        The same labels get the same head, bitwise, as long as it is kept; else within 1e-4 in logits.
        """
        if self._answers is not None:
            return self._fit_answers(self._answers, scaler)
        rows = self._follow(scaler)
        present = self._training_set.class_ids
        key = (rows.content, present, extracted_weight)
        known = self._cache.get(key)
        if known is None:
            known = self._fit(scaler, rows, present, extracted_weight)
            if known is not None:
                self._cache.put(key, known)
        return known

    def _fit_answers(self, answers: AnswerRows, scaler: FeatureScaler) -> FittedHead | None:
        present = tuple(sorted(self._training_set.class_ids))
        if answers.follow(scaler):
            self._cache.clear()
        group_of = self._parts.group_of(present)
        key = (answers.content, present, tuple(group_of.tolist()))
        known = self._cache.get(key)
        if known is None:
            known = answers.fit(present, group_of)
            if known is not None:
                self._cache.put(key, known)
        return known

    def look_ahead(self) -> None:
        """Begin to compute, beside everything else, what makes the next fits fast, if that is due."""
        if self._answers is not None:
            self._answers.look_ahead(self._helper)
            return
        last, rows = self._last, self._rows
        problem = None if last is None else last.problem
        if self._coming is not None or last is None or rows is None or problem is None:
            return
        # After an undo that needed no fit the rows are those of other labels.
        if last.n_changes != rows.n_changes or rows.n_targets < CURVATURE_FROM_POINTS:
            return
        if not self._is_outdated(problem, rows):
            return
        inputs = problem.inputs.copy()  # the rows may change while the helper reads
        seen = np.flatnonzero(np.any(last.solution.weight != 0, axis=1))
        if len(seen) != problem.targets.shape[1]:
            return
        solution = Solution(last.solution.weight[seen], last.solution.bias[seen])
        self._computed_at = rows.n_changes
        self._coming = self._helper.submit(Curvature, replace(problem, inputs=inputs), solution)

    def close(self) -> None:
        """End the helper."""
        self._helper.shutdown(wait=True, cancel_futures=True)

    def _is_outdated(self, problem: Problem, rows: LabelRows) -> bool:
        if self._curvature is None or not self._curvature.matches(problem):
            return True
        return rows.n_changes - self._computed_at > CURVATURE_CHANGE * rows.n_targets

    def _follow(self, scaler: FeatureScaler) -> LabelRows:
        """The rows of all labels as they are now."""
        if self._rows is None or self._scaler is not scaler:
            self._scaler = scaler
            self._rows = LabelRows(self._preparation(scaler), len(scaler.mean))
            self._n_changes = 0
            self._cache.clear()
            self._curvature = self._coming = None
            self._last = None if self._last is None else replace(self._last, problem=None)
        for image_id, samples in self._training_set.changed_after(self._n_changes):
            if samples is None:
                self._rows.remove(image_id)
            else:
                self._rows.put(samples)
        self._n_changes = self._training_set.n_changes
        return self._rows

    def _preparation(self, scaler: FeatureScaler) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        return lambda raw: prepare_inputs(raw, scaler, self._parts.live_config)

    def _fit(
        self, scaler: FeatureScaler, rows: LabelRows, present: tuple[int, ...], extracted_weight: float
    ) -> FittedHead | None:
        weights = np.where(rows.is_extracted, np.float32(extracted_weight), np.float32(1.0)) * rows.weights
        weights[~np.isin(rows.class_ids, present) | (rows.class_ids == NO_CLASS)] = 0.0
        weights = counted_once(weights, rows.keys)
        class_ids = tuple(np.unique(rows.class_ids[weights > 0]).tolist())
        if not class_ids:
            return None
        if len(class_ids) == 1:
            # One class alone says nothing; beside the others, as yet without labels, it gets a probability below 1.
            class_ids = tuple(sorted(present))
        n_classes = len(class_ids)
        class_index = np.searchsorted(class_ids, rows.class_ids).clip(max=n_classes - 1)
        config = self._parts.live_config
        if is_for_kernel(class_index, weights, config):
            few = fit_kernel_head(rows.inputs, class_index, weights, n_classes, scaler=scaler, config=config)
            return FittedHead(few, class_ids)
        if self._coming is not None and self._coming.done():
            coming, self._coming = self._coming, None
            self._curvature = curvature_of(coming) or self._curvature
        head, solution, problem = LiveHead.fit_prepared(
            rows.inputs,
            class_index,
            weights,
            # The head wants two classes at least. A session with one class has one output, of probability 1.
            max(2, n_classes),
            scaler=scaler,
            config=config,
            start=self._start(class_ids, len(scaler.mean)),
            curvature=self._curvature,
        )
        self._last = _Last(class_ids, solution, problem, rows.n_changes)
        if n_classes == 1:
            head = replace(head, weight=head.weight[:1], bias=head.bias[:1])
        return FittedHead(head, class_ids)

    def _start(self, class_ids: tuple[int, ...], dim: int) -> Solution | None:
        """The last solution, with nothing for classes that it did not know."""
        last = self._last
        if last is None or len(class_ids) < 2 or last.solution.weight.shape[1] != dim:
            return None
        if last.class_ids == class_ids:
            return last.solution
        weight, bias = np.zeros((len(class_ids), dim)), np.zeros(len(class_ids))
        for index, class_id in enumerate(class_ids):
            if class_id in last.class_ids:
                before = last.class_ids.index(class_id)
                weight[index], bias[index] = last.solution.weight[before], last.solution.bias[before]
        return Solution(weight, bias)


def _size(fitted: FittedHead) -> int:
    return 2 * sum(value.nbytes for value in fitted.head.state().values())
