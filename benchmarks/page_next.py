"""From a key to the frame with the next image, fetched ahead or not, measured inside the page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.page_session import Opened, percentiles
from benchmarks.report import verdict
from benchmarks.tables import Section, section_of

IMAGES = 40
PAUSE_S = (0.8, 1.5)
"""Between a click and the key for the next image, shortest and longest."""
AHEAD_TARGET_MS = 50.0
COLD_TARGET_MS = 200.0
LIMIT_MS = 10_000


@dataclass(frozen=True)
class Opening:
    """A row; milliseconds from the key to the frame after the one that painted it."""

    how: str
    images: int
    p50: float
    p95: float
    worst: float
    with_prediction: str
    """How many had their prediction in the same frame."""
    prediction_p50: float
    prediction_p95: float
    verdict: str


def tables(here: Opened, *, images: int = IMAGES, pause_s: tuple[float, float] = PAUSE_S) -> list[Section]:
    """Next after work on an image; next pressed as soon as an image is there; a jump to one far away."""
    here.open()
    here.wait_for_prediction()
    ahead = _after_a_click(here, images, pause_s)
    jumps, cold = _far_away(here, images)
    rows = [
        _row("next, after a click and a pause: fetched ahead", ahead, AHEAD_TARGET_MS),
        _row("next, pressed as soon as an image far away is there: not fetched", cold, COLD_TARGET_MS),
        _row("jump to an image far away, by id: not fetched", jumps, COLD_TARGET_MS),
    ]
    names = {
        "how": "how", "images": "images", "p50": "picture p50 ms", "p95": "p95 ms", "worst": "worst ms",
        "with_prediction": "prediction in the same frame", "prediction_p50": "prediction p50 ms",
        "prediction_p95": "prediction p95 ms", "verdict": "verdict of the picture",
    }  # fmt: skip
    return [section_of(f"From the key to the frame that shows the image ({here.size.n_images:,} images)", rows, names)]


def _after_a_click(here: Opened, count: int, pause_s: tuple[float, float]) -> list[Mapping[str, Any]]:
    generator = np.random.default_rng(0)
    records = []
    for _ in range(count):
        box = here.page.get_by_test_id("image-canvas").bounding_box()
        assert box is not None
        x, y = generator.uniform(0.1, 0.9, 2).tolist()
        here.probe("arm", "pointerdown", ["overlay"])
        here.page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        here.probe("finished", LIMIT_MS)
        time.sleep(generator.uniform(*pause_s))
        here.probe("arm", "keydown", ["picture", "prediction"])
        here.page.keyboard.press("f")
        records.append(here.probe("finished", LIMIT_MS))
    return records


def _far_away(here: Opened, count: int) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The jumps, and what came of `next` in the first task after each."""
    jumps, nexts = [], []
    # Every few images one, in no order: nothing of it was fetched before.
    ids = np.linspace(here.size.n_images // 4, here.size.n_images // 2, 2 * count).astype(int)
    for index, image_id in enumerate(np.random.default_rng(1).permutation(ids).tolist()):
        here.page.get_by_test_id("jump-to-image").fill(str(image_id))
        if index % 2 == 0:
            here.probe("arm", "keydown", ["picture", "prediction"])
            here.page.keyboard.press("Enter")
            jumps.append(here.probe("finished", LIMIT_MS))
        else:
            here.probe("pressWhenShown", "f", "KeyF", ["picture", "prediction"])
            here.page.keyboard.press("Enter")
            here.page.wait_for_function("fewclickProbe.isArmed()")
            nexts.append(here.probe("finished", LIMIT_MS))
        here.page.mouse.move(5, 5)
        here.page.evaluate("document.activeElement?.blur()")
    return jumps, nexts


def _row(how: str, records: Sequence[Mapping[str, Any]], target_ms: float) -> Opening:
    good = [record for record in records if "picture" in record]
    p50, p95, worst = percentiles([record["picture"]["shown"] - record["began"] for record in good])
    predicted = [record for record in good if "prediction" in record]
    at_once = sum(record["prediction"]["set"] <= record["picture"]["shown"] for record in predicted)
    prediction = percentiles([record["prediction"]["shown"] - record["began"] for record in predicted])
    return Opening(
        how=how,
        images=len(good),
        p50=p50,
        p95=p95,
        worst=worst,
        with_prediction=f"{at_once} of {len(good)}",
        prediction_p50=prediction[0],
        prediction_p95=prediction[1],
        verdict=f"p95 {verdict(p95, target_ms, at_most=True)}" if good else "nothing was shown",
    )
