"""One seed of one set: label as the plan says, wait for each prediction, look at the images never labelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import baselines
from benchmarks.annotator import Click, ImagePlan, Mask, iou, next_click, plan_classification, plan_segmentation
from benchmarks.client import Client, PredictionEvents, ProductError
from benchmarks.datasets import Dataset

THRESHOLD = 0.5
PREDICTION_LIMIT_S = 120.0
CLASSIFICATION_ROUNDS = (1, 2, 3, 5)
SWEEP_POLL_INTERVAL_S = 0.05

Body = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """How much the robot does, and how it waits."""

    images: int = 8
    clicks: int = 4
    per_class: int = 5
    held_out: int = 20
    poll_interval_s: float = 0.002
    pause_s: float = 0.0
    """Time between two clicks; 0 means that the next comes while the service still predicts the other images."""
    use_events: bool = False


@dataclass(frozen=True)
class Score:
    """Held-out IoU or accuracy after so many annotations."""

    annotations: int
    product: float
    forest: float


@dataclass
class SeedResult:
    """What one seed gave. Times in milliseconds, one for each click."""

    seed: int
    held_out: int
    scores: list[Score] = field(default_factory=list)
    prediction_ms: list[float] = field(default_factory=list)
    """From just before PUT annotations is sent to the answer of GET prediction that has learned from it."""
    mask_ms: list[float] = field(default_factory=list)
    """The same, to the full-size map in hand (segmentation)."""
    open_ms: list[float] = field(default_factory=list)
    """From GET image to its prediction, stale or not, for images opened after the first."""
    all_foreground: float = 0.0
    """IoU of calling every pixel foreground (segmentation); calling every pixel background gives 0."""
    majority_share: float = 0.0
    """Share of the most frequent class among the held-out images, or among their pixels."""


class Session:
    """The session under test: image ids by name, class ids by name, and the way to wait."""

    def __init__(self, client: Client, dataset: Dataset, options: Options, events: PredictionEvents | None) -> None:
        self.client = client
        self.dataset = dataset
        self.options = options
        self.events = events
        known = set(dataset.image_names())
        images = client.images()
        failed = [image["path"] for image in images if image["features"] == "failed"]
        self.image_ids: dict[str, int] = {i["path"]: i["id"] for i in images if i["path"] in known}
        if failed or len(self.image_ids) < len(known):
            missing = sorted(known - set(self.image_ids))
            raise ProductError(f"{dataset.name}: failed images {failed[:5]}, images not registered {missing[:5]}")
        self.class_ids: dict[str, int] = {c["name"]: c["id"] for c in client.json("GET", "config")["classes"]}

    def reset(self) -> None:
        """Remove all annotations and wait until no prediction remains, so that a seed learns nothing from another."""
        for image in self.client.images():
            if image["status"] != "unlabeled":
                self.client.clear_annotations(image["id"])
        for image_id in self.image_ids.values():
            self.client.wait_for_prediction(
                image_id, lambda prediction: prediction is None, poll_interval_s=0.02, limit_s=PREDICTION_LIMIT_S
            )

    def open(self, image_id: int) -> tuple[Body | None, float]:
        """The prediction that is there when a person opens the image, and how long the two requests took (ms)."""
        start = time.perf_counter()
        self.client.json("GET", f"images/{image_id}")
        prediction = self.client.prediction(image_id)
        return prediction, 1000 * (time.perf_counter() - start)

    def annotate(self, image_id: int, body: Body) -> tuple[int, float]:
        """PUT, then wait for the prediction that has learned from it; the new revision and the time in ms."""
        start = time.perf_counter()
        revision = int(self.client.put_annotations(image_id, body)["revision"])
        if self.events is not None:
            self.events.wait(image_id, revision, PREDICTION_LIMIT_S)
        self.client.wait_for_prediction(
            image_id,
            lambda prediction: prediction is not None and int(prediction["annotation_revision"]) >= revision,
            poll_interval_s=self.options.poll_interval_s,
            limit_s=PREDICTION_LIMIT_S,
        )
        return revision, 1000 * (time.perf_counter() - start)

    def fresh_prediction(self, image_id: int) -> Body:
        """The prediction of the newest head."""
        prediction = self.client.wait_for_prediction(
            image_id,
            lambda found: found is not None and not found["stale"],
            poll_interval_s=SWEEP_POLL_INTERVAL_S,
            limit_s=PREDICTION_LIMIT_S,
        )
        assert prediction is not None
        return prediction

    def mask(self, image_id: int) -> Mask:
        """Foreground as the page shows it: full size, P > 0.5."""
        return self.client.probability_map(image_id, self.class_ids["foreground"], "image") > THRESHOLD


Progress = Callable[[str], None]


def run_segmentation(session: Session, seed: int, progress: Progress) -> SeedResult:
    """`clicks` corrections in each of `images` images, scored on images never labelled."""
    options, dataset = session.options, session.dataset
    plan = plan_segmentation(dataset.image_names(), seed, options.images, options.held_out)
    truths = {name: dataset.truth_mask(name) for name in plan.held_out}
    held_out = [(dataset.image_dir / name, truth) for name, truth in truths.items()]
    result = SeedResult(seed, len(held_out))
    result.all_foreground = baselines.all_foreground_iou(list(truths.values()))
    result.majority_share = baselines.majority_pixel_share(list(truths.values()))
    given: list[tuple[Path, Mask, Click]] = []
    looks = {max(1, options.images // 4), max(1, options.images // 2), options.images}
    for count, name in enumerate(plan.labelled, start=1):
        truth = dataset.truth_mask(name)
        clicks = _correct_image(session, name, truth, result, first=count == 1)
        given += [(dataset.image_dir / name, truth, click) for click in clicks]
        if count in looks:
            product = float(np.mean(_held_out_iou(session, truths)))
            forest = baselines.segmentation_forest_iou(given, held_out, seed)
            result.scores.append(Score(len(given), product, forest))
            progress(f"{dataset.name} seed {seed}: {len(given)} clicks, IoU {product:.3f}, forest {forest:.3f}")
    return result


def _correct_image(session: Session, name: str, truth: Mask, result: SeedResult, *, first: bool) -> list[Click]:
    image_id = session.image_ids[name]
    prediction, open_ms = session.open(image_id)
    if not first:
        result.open_ms.append(open_ms)
        prediction = session.fresh_prediction(image_id)
    predicted = None if prediction is None else session.mask(image_id)
    revision = int(session.client.annotations(image_id)["revision"])
    clicks: list[Click] = []
    for _ in range(session.options.clicks):
        click = next_click(truth, predicted, clicks)
        if click is None:
            break
        clicks.append(click)
        points = [{"x": c.x, "y": c.y, "class_id": _class_id(session, c)} for c in clicks]
        start = time.perf_counter()
        revision, prediction_ms = session.annotate(image_id, {"revision": revision, "points": points})
        predicted = session.mask(image_id)
        result.prediction_ms.append(prediction_ms)
        result.mask_ms.append(1000 * (time.perf_counter() - start))
        time.sleep(session.options.pause_s)
    return clicks


def _class_id(session: Session, click: Click) -> int:
    return session.class_ids["foreground" if click.foreground else "background"]


def _held_out_iou(session: Session, truths: Mapping[str, Mask]) -> list[float]:
    values = []
    for name, truth in truths.items():
        image_id = session.image_ids[name]
        session.fresh_prediction(image_id)
        values.append(iou(truth, session.mask(image_id)))
    return values


def run_classification(session: Session, seed: int, progress: Progress) -> SeedResult:
    """The true class of `per_class` images of each class, in rounds, scored on all images never labelled."""
    dataset, class_count = session.dataset, len(session.dataset.class_names)
    class_of = {name: dataset.truth_class(name) for name in dataset.image_names()}
    plan = plan_classification(class_of, seed, session.options.per_class)
    result = SeedResult(seed, len(plan.held_out))
    result.majority_share = baselines.majority_class_share([class_of[name] for name in plan.held_out])
    looks = {n * class_count for n in (*CLASSIFICATION_ROUNDS, session.options.per_class)}
    for count, name in enumerate(plan.labelled, start=1):
        image_id = session.image_ids[name]
        _, open_ms = session.open(image_id)
        if count > 1:
            result.open_ms.append(open_ms)
        revision = int(session.client.annotations(image_id)["revision"])
        body = {"revision": revision, "class_id": session.class_ids[class_of[name]]}
        result.prediction_ms.append(session.annotate(image_id, body)[1])
        time.sleep(session.options.pause_s)
        if count in looks:
            product = _held_out_accuracy(session, plan, class_of)
            forest = baselines.classification_forest_accuracy(
                _with_classes(dataset, plan.labelled[:count]), _with_classes(dataset, plan.held_out), seed
            )
            result.scores.append(Score(count, product, forest))
            progress(f"{dataset.name} seed {seed}: {count} labels, accuracy {product:.3f}, forest {forest:.3f}")
    return result


def _held_out_accuracy(session: Session, plan: ImagePlan, class_of: Mapping[str, str]) -> float:
    right = 0
    for name in plan.held_out:
        prediction = session.fresh_prediction(session.image_ids[name])
        best = max(prediction["probabilities"], key=lambda entry: entry["p"])
        right += best["class_id"] == session.class_ids[class_of[name]]
    return right / len(plan.held_out)


def _with_classes(dataset: Dataset, names: Sequence[str]) -> list[tuple[Path, str]]:
    return [(dataset.image_dir / name, dataset.truth_class(name)) for name in names]
