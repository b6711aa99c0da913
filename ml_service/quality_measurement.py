"""The quality of the live head, measured while nobody waits: one fit a step, so that a click never waits for more."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from db.models import Split
from db.queries.events import add_event
from db.queries.measurements import confirm_measurement, newest_measurement, save_measurement
from db.queries.session_info import get_session_info, training_settings
from db.queries.training_data import LabelledImage
from ml_service.confidence_intervals import clustered_share
from ml_service.context import Context
from ml_service.cross_validation import VARIANCE_FACTOR, Labelled, fold_of, nested_order
from ml_service.data_loaders.base import ImageSamples, in_split, said_by_people
from ml_service.heads.scaler import FeatureScaler
from ml_service.judging import Judged, figures_of, is_right, judge, pool, quality_of
from ml_service.learning_curve import MIN_IMAGES, SHARES, CurvePoint, Outlook, judge_gain
from ml_service.metrics import Quality
from ml_service.quality_figures import Figures

ENOUGH_HELD_OUT_IMAGES = 50
"""From so many on the held-out images tell enough, and nothing else is measured."""
MAX_CROSS_VALIDATED = 2000
"""Labels up to which a fit is so fast that a score of them may run unnoticed."""
INLINE_LABELS = 200
"""Labels up to which a fit is so short that it needs no thread of its own."""
DIGESTS_PER_STEP = 200
HELD_OUT, CROSS_VALIDATION = "held_out", "cross_validation"


@dataclass(frozen=True)
class _Curve:
    """Heads of nested parts of the labels, all told on the same samples."""

    method: str
    points: tuple[CurvePoint, ...]
    outlook: Outlook

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "method": self.method,
            "points": [asdict(point) for point in self.points],
            "outlook": self.outlook.to_json(),
        }


class QualityMeasurement:
    """Measures the live head once the labels have rested for a while. Use from one thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._subject: tuple[int, int] | None = None
        self._due_at: float | None = None
        self._steps: Iterator[bool] | None = None
        self._digests: dict[int, tuple[ImageSamples, str]] = {}
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="quality")
        self._held_out: tuple[str, Quality | None] | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the labels of now are still to be measured."""
        return self._due_at is not None

    @property
    def held_out(self) -> Quality | None:
        """What was measured last on the held-out images; None where none has a label."""
        return None if self._held_out is None else self._held_out[1]

    def close(self) -> None:
        """Let go of the thread; a fit that is at work ends by itself."""
        self._helper.shutdown(wait=False, cancel_futures=True)

    def step(self, scaler: FeatureScaler | None) -> bool:
        """Do the next fit, if one is due; False if there is nothing to do here for now.

        Args:
            scaler: Of the live head; None while something else predicts, which is not measured here.
        """
        if scaler is None:
            return False
        subject = (self._context.training_set.sequence, id(scaler))
        if subject != self._subject:
            self._subject, self._steps = subject, None
            self._due_at = time.monotonic() + self._context.settings.live_checkpoint_delay_s
        if self._due_at is None or time.monotonic() < self._due_at:
            return False
        if self._steps is None:
            self._steps = self._measure(scaler)
        for has_worked in self._steps:
            return has_worked
        self._steps = self._due_at = None
        return True

    def _measure(self, scaler: FeatureScaler) -> Iterator[bool]:
        """Yields between two steps: whether something was done, or a fit in the other thread is waited for."""
        training_set, parts = self._context.training_set, self._context.parts
        images, sequence, present = training_set.images, training_set.sequence, training_set.class_ids
        with self._context.db.read() as db_session:
            extracted_weight = training_settings(get_session_info(db_session)).extracted_weight
            newest = newest_measurement(db_session)
        content_hash = yield from self._content_hash(images, present, extracted_weight)
        is_known = newest is not None and newest.content_hash == content_hash
        if newest is not None and is_known:
            with self._context.db.write() as db_session:
                confirm_measurement(db_session, newest.id, sequence)
            if self._held_out is not None and self._held_out[0] == content_hash:
                return
        n_labels = sum(len(samples.inputs) for samples in images)

        def told(
            training: Sequence[ImageSamples], test: Sequence[ImageSamples]
        ) -> Generator[bool, None, Judged | None]:
            def fit() -> Judged | None:
                return judge(parts, scaler, training, said_by_people(test, parts.guesses), present, extracted_weight)

            if n_labels <= INLINE_LABELS:
                yield True
                return fit()
            future = self._helper.submit(fit)
            while not future.done():
                yield False
            return future.result()

        training, validation = in_split(images, Split.TRAIN), in_split(images, Split.VALIDATION)
        held_out = yield from told(training, validation)
        self._held_out = (content_hash, None if held_out is None else quality_of(parts, held_out))
        if is_known:
            return
        folds: list[tuple[list[ImageSamples], list[ImageSamples]]] = []
        method = HELD_OUT
        n_held_out = 0 if held_out is None else held_out.n_images
        if n_held_out < ENOUGH_HELD_OUT_IMAGES and n_labels <= MAX_CROSS_VALIDATED:
            folds, method = _folds(images), CROSS_VALIDATION
        elif held_out is not None:
            folds = [(training, validation)]
        by_share: dict[float, list[Judged]] = {share: [] for share in SHARES}
        sizes: dict[float, list[tuple[int, int]]] = {share: [] for share in SHARES}
        shares = SHARES if len(images) >= MIN_IMAGES else SHARES[-1:]
        for learned_from, held_back in folds:
            order = nested_order([_labelled(samples) for samples in learned_from])
            by_id = {samples.image.id: samples for samples in learned_from}
            for share in shares:
                part = [by_id[image_id] for image_id in sorted(order[: int(np.ceil(share * len(order)))])]
                judged = yield from told(part, held_back)
                if judged is not None:
                    by_share[share].append(judged)
                    sizes[share].append((sum(len(one.inputs) for one in part), len(part)))
        pooled = {share: pool(judged) for share, judged in by_share.items() if judged}
        whole = pooled.get(1.0)
        self._record(
            sequence=sequence,
            content_hash=content_hash,
            n_labels=n_labels,
            n_images=len(images),
            held_out=None if held_out is None else figures_of(parts, held_out),
            cross_validated=None
            if method != CROSS_VALIDATION or whole is None
            else figures_of(parts, whole, VARIANCE_FACTOR),
            curve=self._curve(method, pooled, sizes),
        )

    def _curve(
        self, method: str, pooled: dict[float, Judged], sizes: dict[float, list[tuple[int, int]]]
    ) -> _Curve | None:
        parts = self._context.parts
        if set(pooled) != set(SHARES) or len({len(judged.image_ids) for judged in pooled.values()}) > 1:
            # A quarter of the labels has no two classes yet, or the like: there is no curve of the same samples.
            return None
        right = {share: is_right(parts, judged) for share, judged in pooled.items()}
        image_ids = pooled[1.0].image_ids
        factor = VARIANCE_FACTOR if method == CROSS_VALIDATION else 1.0
        points = []
        for share in SHARES:
            n_labels, n_images = np.mean(sizes[share], axis=0).round().astype(int).tolist()
            points.append(CurvePoint(n_labels, n_images, clustered_share(right[share], image_ids, factor)))
        return _Curve(method, tuple(points), judge_gain(right[0.5], right[1.0], image_ids))

    def _record(
        self,
        *,
        sequence: int,
        content_hash: str,
        n_labels: int,
        n_images: int,
        held_out: Figures | None,
        cross_validated: Figures | None,
        curve: _Curve | None,
    ) -> None:
        leading = None
        for method, figures in ((CROSS_VALIDATION, cross_validated), (HELD_OUT, held_out)):
            if leading is None and figures is not None and figures.accuracy is not None:
                leading = (method, figures.accuracy)
        values: dict[str, Any] = {
            "label_sequence": sequence,
            "content_hash": content_hash,
            "n_labels": n_labels,
            "n_images": n_images,
            "details": {
                HELD_OUT: None if held_out is None else held_out.to_json(),
                CROSS_VALIDATION: None if cross_validated is None else cross_validated.to_json(),
                "curve": None if curve is None else curve.to_json(),
            },
        }
        if leading is not None:
            values |= {"method": leading[0], **leading[1].to_json()}
        with self._context.db.write() as db_session:
            measurement = save_measurement(db_session, values)
            add_event(db_session, "training", measurement_id=measurement.id)

    def _content_hash(
        self, images: Sequence[ImageSamples], present: Sequence[int], extracted_weight: float
    ) -> Generator[bool, None, str]:
        """Equal where measuring again would say the same."""
        known, self._digests = self._digests, {}
        for position, samples in enumerate(images):
            found = known.get(samples.image.id)
            # The samples of an image are made anew when its annotation changes, and only then.
            digest = found[1] if found is not None and found[0] is samples else _digest(samples.image)
            self._digests[samples.image.id] = (samples, digest)
            if position % DIGESTS_PER_STEP == DIGESTS_PER_STEP - 1:
                yield True
        digests = [self._digests[samples.image.id][1] for samples in images]
        subject = [digests, list(present), extracted_weight, repr(self._context.parts.live_config)]
        content = json.dumps([subject, self._context.extractor.to_json()])
        return hashlib.sha256(content.encode()).hexdigest()


def _digest(image: LabelledImage) -> str:
    targets = [[target.class_id, target.origin, target.x, target.y] for target in image.targets]
    content = [image.id, image.content_hash, image.split, image.picked_by_model, image.answered, targets]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _labelled(samples: ImageSamples) -> Labelled:
    image = samples.image
    return Labelled(image.id, frozenset(target.class_id for target in image.targets), image.picked_by_model)


def _folds(images: Sequence[ImageSamples]) -> list[tuple[list[ImageSamples], list[ImageSamples]]]:
    """(learned from, held back), one pair a fold that holds an image."""
    fold = fold_of(_labelled(samples) for samples in images)
    return [
        (
            [samples for samples in images if fold.get(samples.image.id) != number],
            [samples for samples in images if fold.get(samples.image.id) == number],
        )
        for number in sorted(set(fold.values()))
    ]
