"""Do the figures of quality tell the truth? Estimates from few labels against the accuracy on everything else.

`python benchmarks/learning_figures.py [--trials N] [--first-seed S]`: handwritten digits (scikit-learn ships them),
labelled at random; the live head of a classification. What the product would tell of a head is compared with how often
the head of all labels is right on the images that are left, which nobody sees in real life.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from sklearn.datasets import load_digits

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tables import Section, show
from db.enums import Origin, Split
from db.queries.splits import VALIDATION_SHARE
from db.queries.training_data import LabelledImage, Target
from db.tasks import Task
from ml_service.confidence_intervals import Share
from ml_service.cross_validation import VARIANCE_FACTOR, Labelled, fold_of, nested_order
from ml_service.data_loaders.base import ImageSamples
from ml_service.heads.scaler import FeatureScaler
from ml_service.judging import Judged, figures_of, is_right, judge, pool
from ml_service.learning_curve import Verdict, judge_gain
from ml_service.task_factory import TaskParts, make_task_parts
from models.base import ExtractorInfo

LABELS = (10, 20, 40, 80, 160)
TRIALS = 60
CLASS_IDS = tuple(range(1, 11))


@dataclass(frozen=True)
class Told:
    """What is told of one head, and the truth."""

    truth: float
    held_out: Share | None
    estimate: Share | None
    seconds: float
    longest_fit_s: float
    verdict: Verdict | None
    true_gain: float
    """Of twice the labels, on the images that are left."""


def tables(trials: int = TRIALS, first_seed: int = 0) -> list[Section]:
    """Bias and coverage of both figures, and what came true of the outlook."""
    features, digits = load_digits(return_X_y=True)
    parts = make_task_parts(Task.CLASSIFICATION, _extractor(features.shape[1]))
    scaler = FeatureScaler.fit(features.astype(np.float32))
    seeds = range(first_seed, first_seed + trials)
    told = {n: [_trial(parts, scaler, features, digits, n, seed) for seed in seeds] for n in LABELS}
    return [_figures_section(told, trials), _outlook_section(told), _cost_section(told)]


def _figures_section(told: dict[int, list[Told]], trials: int) -> Section:
    rows = []
    for n_labels, trial in told.items():
        for name in ("held_out", "estimate"):
            known = [(share, one.truth) for one in trial if (share := getattr(one, name)) is not None]
            if not known:
                rows.append((str(n_labels), name, f"{trials} of {trials}", "-", "-", "-", "-"))
                continue
            errors = np.array([share.value - truth for share, truth in known])
            width = np.mean([share.high - share.low for share, _ in known])
            inside = np.mean([share.low <= truth <= share.high for share, truth in known])
            unknown = f"{trials - len(known)} of {trials}"
            values = (f"{errors.mean():+.3f}", f"{np.abs(errors).mean():.3f}", f"{width:.2f}", f"{inside:.0%}")
            rows.append((str(n_labels), name, unknown, *values))
    columns = ("labels", "figure", "unknown", "bias", "mean error", "width of the interval", "truth inside")
    return Section(f"Figures against the truth: digits, {trials} random labellings", columns, tuple(rows))


def _outlook_section(told: dict[int, list[Told]]) -> Section:
    rows = []
    for n_labels, trial in told.items():
        for verdict in Verdict:
            gains = [one.true_gain for one in trial if one.verdict is verdict]
            gain = f"{np.mean(gains):+.3f}" if gains else "-"
            rows.append((str(n_labels), verdict.value, str(len(gains)), gain))
    return Section(
        "Outlook against what came true", ("labels", "told", "times", "gain of twice the labels, in truth"), tuple(rows)
    )


def _cost_section(told: dict[int, list[Told]]) -> Section:
    rows = [
        (
            str(n_labels),
            f"{1000 * np.median([one.seconds for one in trial]):.0f} ms",
            f"{1000 * np.median([one.longest_fit_s for one in trial]):.1f} ms",
        )
        for n_labels, trial in told.items()
    ]
    return Section(
        "What a measurement costs", ("labels", "all fits", "longest fit, which a click may wait for"), tuple(rows)
    )


def _trial(
    parts: TaskParts,
    scaler: FeatureScaler,
    features: npt.NDArray[np.float64],
    digits: npt.NDArray[np.intp],
    n_labels: int,
    seed: int,
) -> Told:
    order = np.random.default_rng(seed).permutation(len(digits))
    split = _split(digits[order[: 2 * n_labels]], seed)
    images = [
        _image(int(i), features, digits, held_out=held_out)
        for i, held_out in zip(order[: 2 * n_labels], split, strict=True)
    ]
    labelled, rest = images[:n_labels], [_image(int(i), features, digits) for i in order[2 * n_labels :]]
    truth = _share(parts, judge(parts, scaler, labelled, rest, CLASS_IDS, 1.0))
    twice = _share(parts, judge(parts, scaler, images, rest, CLASS_IDS, 1.0))
    training = [one for one in labelled if one.image.split is Split.TRAIN]
    validation = [one for one in labelled if one.image.split is Split.VALIDATION]
    held_out = judge(parts, scaler, training, validation, CLASS_IDS, 1.0)
    durations: list[float] = []
    by_share: dict[float, list[Judged]] = {0.5: [], 1.0: []}
    for learned_from, held_back in _folds(labelled):
        nested = nested_order([_labelled(one) for one in learned_from])
        for share, judged in by_share.items():
            chosen = set(nested[: int(np.ceil(share * len(nested)))])
            started = time.perf_counter()
            found = judge(
                parts, scaler, [one for one in learned_from if one.image.id in chosen], held_back, CLASS_IDS, 1.0
            )
            durations.append(time.perf_counter() - started)
            if found is not None:
                judged.append(found)
    pooled = {share: pool(judged) for share, judged in by_share.items() if judged}
    verdict = None
    if len(pooled) == 2 and len(pooled[0.5].image_ids) == len(pooled[1.0].image_ids):
        right = [is_right(parts, pooled[share]) for share in (0.5, 1.0)]
        verdict = judge_gain(right[0], right[1], pooled[1.0].image_ids).verdict
    return Told(
        truth=truth,
        held_out=None if held_out is None else figures_of(parts, held_out).accuracy,
        estimate=None if 1.0 not in pooled else figures_of(parts, pooled[1.0], VARIANCE_FACTOR).accuracy,
        seconds=sum(durations) * 2,  # The product fits four shares a fold, here it is two.
        longest_fit_s=max(durations, default=0.0),
        verdict=verdict,
        true_gain=twice - truth,
    )


def _split(digits: npt.NDArray[np.intp], seed: int) -> list[bool]:
    """Which images are held out, one after the other as `db.queries.splits.draw_split` does it."""
    generator = np.random.default_rng(seed)
    total, held_out = np.zeros(10), np.zeros(10)
    split = []
    for digit in digits:
        lag = (total[digit] + 1) * VALIDATION_SHARE - held_out[digit]
        is_held_out = bool(total[digit] > 0 and generator.random() < lag)
        total[digit] += 1
        held_out[digit] += is_held_out
        split.append(is_held_out)
    return split


def _share(parts: TaskParts, judged: Judged | None) -> float:
    assert judged is not None
    return float(is_right(parts, judged).mean())


def _folds(images: Sequence[ImageSamples]) -> Iterator[tuple[list[ImageSamples], list[ImageSamples]]]:
    fold = fold_of(_labelled(one) for one in images)
    for number in sorted(set(fold.values())):
        yield (
            [one for one in images if fold.get(one.image.id) != number],
            [one for one in images if fold.get(one.image.id) == number],
        )


def _labelled(samples: ImageSamples) -> Labelled:
    return Labelled(samples.image.id, frozenset(target.class_id for target in samples.image.targets))


def _image(
    index: int, features: npt.NDArray[np.float64], digits: npt.NDArray[np.intp], *, held_out: bool = False
) -> ImageSamples:
    image = LabelledImage(
        id=index + 1,
        content_hash=None,
        width=8,
        height=8,
        revision=1,
        label_sequence=1,
        split=Split.VALIDATION if held_out else Split.TRAIN,
        features_ready=True,
        targets=(Target(int(digits[index]) + 1, Origin.HUMAN),),
    )
    return ImageSamples(image, features[index : index + 1].astype(np.float32))


def _extractor(dim: int) -> ExtractorInfo:
    return ExtractorInfo(
        name="pixels", weights_hash="0" * 16, patch_size=8, size_multiple=8, dim=dim, pooled_dim=dim, resize=8
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Do the figures of quality tell the truth?")
    parser.add_argument("--trials", type=int, default=TRIALS, help="random labellings for each number of labels")
    parser.add_argument("--first-seed", type=int, default=0, help="of the labellings; the design was chosen on 0 to 59")
    chosen = parser.parse_args(arguments)
    show(Console(width=140), tables(chosen.trials, chosen.first_seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
