"""The quality of the live head, measured while nobody waits: one fit a step, so that a click never waits for more."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from db.enums import Split
from db.queries.events import add_event
from db.queries.measurements import confirm_measurement, newest_measurement, save_measurement
from db.queries.session_info import get_session_info, training_settings
from ml_service.adapter_past import NO_ADAPTER, AdapterPast, read_past
from ml_service.beside_clicks import BesideClicks
from ml_service.confidence_intervals import clustered_share
from ml_service.context import Context
from ml_service.cross_validation import VARIANCE_FACTOR, Labelled, fold_of, nested_order
from ml_service.data_loaders.base import ImageSamples, in_split, said_by_people
from ml_service.finetuning.adoption import adopted_path
from ml_service.heads.scaler import FeatureScaler
from ml_service.judging import Judged, figures_of, is_right, judge, pool, quality_of
from ml_service.leading_figure import CROSS_VALIDATION, HELD_OUT, Method, leading_method
from ml_service.learning_curve import MIN_IMAGES, SHARES, CurvePoint, Outlook, judge_gain
from ml_service.metrics import Quality
from ml_service.quality_figures import Figures, describe
from ml_service.quality_subject import QualitySubject

ENOUGH_HELD_OUT_IMAGES = 50
"""From so many on the held-out images tell enough, and nothing else is measured."""
MAX_CROSS_VALIDATED = 2000
"""Labels up to which a fit is so fast that a score of them may run unnoticed."""
INLINE_LABELS = 200
"""Labels up to which a fit is so short that it needs no thread of its own."""


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
        self._steps: Generator[bool, None, None] | None = None
        self._identity = QualitySubject(context)
        self._past: tuple[str | None, AdapterPast] = (None, NO_ADAPTER)
        self._helper = BesideClicks("quality")
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
        """Let go of the thread; a fit that is at work is given up."""
        self._end_steps()
        self._helper.close()

    def interrupt(self) -> None:
        """Give up the fit that is at work beside the clicks, as one came; it begins again with the next step."""
        self._helper.interrupt()

    def step(self, scaler: FeatureScaler | None) -> bool:
        """Do the next fit, if one is due; False if there is nothing to do here for now.

        Args:
            scaler: Of the live head; None while something else predicts, which is not measured here.
        """
        if scaler is None:
            return False
        subject = (self._context.training_set.sequence, id(scaler))
        if subject != self._subject:
            self._end_steps()
            self._subject = subject
            self._due_at = time.monotonic() + self._context.settings.live_checkpoint_delay_s
        if self._due_at is None or time.monotonic() < self._due_at:
            return False
        if self._steps is None:
            self._steps = self._measure(scaler)
        for has_worked in self._steps:
            return has_worked
        self._steps = self._due_at = None
        return True

    def _end_steps(self) -> None:
        if self._steps is not None:
            self._steps.close()
        self._steps = None

    def _read_past(self) -> AdapterPast:
        """Read again only where another adapter came into force."""
        with self._context.db.read() as db_session:
            path = adopted_path(get_session_info(db_session))
            if path != self._past[0]:
                self._past = (path, read_past(db_session, self._context.session_dir, path))
        return self._past[1]

    def _measure(self, scaler: FeatureScaler) -> Generator[bool, None, None]:
        """Yields between two steps: whether something was done, or a fit in the other thread is waited for."""
        training_set, parts = self._context.training_set, self._context.parts
        images, sequence, present = training_set.images, training_set.sequence, training_set.class_ids
        with self._context.db.read() as db_session:
            extracted_weight = training_settings(get_session_info(db_session)).extracted_weight
            newest = newest_measurement(db_session)
        past = self._read_past()
        content_hash = yield from self._identity.content_hash(scaler, images, present, extracted_weight, past)
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
            asked = said_by_people(test, parts.guesses)
            if n_labels <= INLINE_LABELS:
                yield True
                return judge(parts, scaler, training, asked, present, extracted_weight)
            return (
                yield from self._helper.run(
                    lambda give_up: judge(parts, scaler, training, asked, present, extracted_weight, give_up)
                )
            )

        unseen = [samples for samples in images if not past.has_learned_from(samples.image)]
        training, validation = in_split(images, Split.TRAIN), in_split(unseen, Split.VALIDATION)
        n_seen = len(images) - len(unseen)
        held_out = yield from told(training, validation)
        self._held_out = (content_hash, None if held_out is None else quality_of(parts, held_out))
        if is_known:
            return
        folds: list[tuple[list[ImageSamples], list[ImageSamples]]] = []
        method: Method = HELD_OUT
        n_held_out = 0 if held_out is None else held_out.n_images
        if n_held_out < ENOUGH_HELD_OUT_IMAGES and n_labels <= MAX_CROSS_VALIDATED:
            folds, method = _folds(images, unseen), CROSS_VALIDATION
        elif held_out is not None:
            folds = [(training, validation)]
        by_share: dict[float, list[Judged]] = {share: [] for share in SHARES}
        sizes: dict[float, list[tuple[int, int]]] = {share: [] for share in SHARES}
        # Features that know the labels know all of them: there is no head of a part.
        shares = SHARES if len(images) >= MIN_IMAGES and not n_seen else SHARES[-1:]
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
        estimate = None if method != CROSS_VALIDATION else self._estimate(whole, present, n_seen, len(images))
        chosen_on = any(past.was_chosen_on(samples.image) for samples in validation)
        self._record(
            sequence=sequence,
            content_hash=content_hash,
            n_labels=n_labels,
            n_images=len(images),
            n_picked=sum(samples.image.picked_by_model for samples in images),
            held_out=None if held_out is None else replace(figures_of(parts, held_out), selected_on_these=chosen_on),
            cross_validated=estimate,
            curve=None if n_seen else self._curve(method, pooled, sizes),
            curve_unknown=_adapter_knows(n_seen, len(images)) if n_seen else None,
        )

    def _estimate(self, whole: Judged | None, present: Sequence[int], n_seen: int, n_images: int) -> Figures | None:
        parts = self._context.parts
        if whole is not None:
            figures = figures_of(parts, whole, VARIANCE_FACTOR)
        elif n_seen:
            nothing = np.empty((0, len(present)), np.float32)
            figures = describe(nothing, nothing, np.empty(0, np.intp), present, parts.output)
        else:
            return None
        if not n_seen or figures.unknown is None:
            return figures
        return replace(figures, unknown=f"{figures.unknown} ({_adapter_knows(n_seen, n_images)})")

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
        n_picked: int,
        held_out: Figures | None,
        cross_validated: Figures | None,
        curve: _Curve | None,
        curve_unknown: str | None,
    ) -> None:
        held_out_share = None if held_out is None else held_out.accuracy
        estimate = None if cross_validated is None else cross_validated.accuracy
        n_held_out = None if held_out is None or held_out_share is None else held_out.n_images
        method = leading_method(n_held_out, has_estimate=estimate is not None)
        leading = held_out_share if method == HELD_OUT else estimate
        values: dict[str, Any] = {
            "label_sequence": sequence,
            "content_hash": content_hash,
            "n_labels": n_labels,
            "n_images": n_images,
            "details": {
                HELD_OUT: None if held_out is None else held_out.to_json(),
                CROSS_VALIDATION: None if cross_validated is None else cross_validated.to_json(),
                "curve": None if curve is None else curve.to_json(),
                "curve_unknown": curve_unknown,
                "n_picked_images": n_picked,
            },
        }
        if leading is not None:
            values |= {"method": method, **leading.to_json()}
        with self._context.db.write() as db_session:
            measurement = save_measurement(db_session, values)
            add_event(db_session, "training", measurement_id=measurement.id)


def _labelled(samples: ImageSamples) -> Labelled:
    image = samples.image
    return Labelled(image.id, frozenset(target.class_id for target in image.targets), image.picked_by_model)


def _adapter_knows(n_seen: int, n_images: int) -> str:
    return (
        f"the adapter of the extractor has learned from {n_seen} of the {n_images} labelled images, "
        "whose features know their labels"
    )


def _folds(
    images: Sequence[ImageSamples], unseen: Sequence[ImageSamples]
) -> list[tuple[list[ImageSamples], list[ImageSamples]]]:
    """(learned from, held back), one pair a fold that holds an image; only those in `unseen` are held back."""
    fold = fold_of(_labelled(samples) for samples in unseen)
    return [
        (
            [samples for samples in images if fold.get(samples.image.id) != number],
            [samples for samples in images if fold.get(samples.image.id) == number],
        )
        for number in sorted(set(fold.values()))
    ]
