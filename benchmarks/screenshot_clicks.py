"""Clicks on the demo's tissue as a person would set them: the middle of each class, then of the largest errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2hed
from skimage.filters import threshold_otsu

from benchmarks.annotator import Mask, deepest_point, largest_region
from benchmarks.client import Client

CORRECTIONS = 6
SMOOTHING_PX = 2.0
POLL_INTERVAL_S = 0.02
WAIT_S = 60.0


@dataclass(frozen=True)
class Click:
    """A point that a person would set, in pixels of the image."""

    x: float
    y: float
    class_id: int
    name: str

    @property
    def point(self) -> dict[str, Any]:
        """As requests have it."""
        return {"x": self.x, "y": self.y, "class_id": self.class_id}


class Clicks:
    """The clicks for one tile whose classes the stain tells."""

    def __init__(self, client: Client, image: dict[str, Any], truth: dict[str, Mask]) -> None:
        self._client = client
        self._image_id = int(image["id"])
        self._truth = truth
        self._classes = {entry["name"]: int(entry["id"]) for entry in client.json("GET", "config")["classes"]}

    def first(self) -> list[Click]:
        """The middle of each class that the tile has."""
        found = [self._click(name, self._truth[name]) for name in self._classes]
        return [click for click in found if click is not None]

    def correction(self) -> Click | None:
        """The middle of the largest region that the newest prediction has wrong."""
        maps = [self._client.probability_map(self._image_id, class_id, "image") for class_id in self._classes.values()]
        predicted = np.stack(maps).argmax(axis=0)
        missed = {name: self._truth[name] & (predicted != index) for index, name in enumerate(self._classes)}
        region = largest_region(*missed.values())
        name = next((name for name, mask in missed.items() if (mask & region).any()), None)
        return None if name is None else self._click(name, region)

    def _click(self, name: str, region: Mask) -> Click | None:
        position = deepest_point(region)
        if position is None:
            return None
        row, column = position
        return Click(column + 0.5, row + 0.5, self._classes[name], name)


def click_classes(
    client: Client, images: Sequence[dict[str, Any]], image_dir: Path, corrections: int = CORRECTIONS
) -> None:
    """Points of all classes in these tiles, each a click that the head learns before the next one."""
    truths = stain_classes([image_dir / image["path"] for image in images])
    for image, truth in zip(images, truths, strict=True):
        clicks = Clicks(client, image, truth)
        made = clicks.first()
        for _ in range(corrections + 1):
            state = client.put_annotations(image["id"], {"points": [click.point for click in made]})
            wait_until_learned(client, image["id"], int(state["revision"]))
            correction = clicks.correction()
            if correction is None:
                break
            made.append(correction)


def stain_classes(paths: Sequence[Path]) -> list[dict[str, Mask]]:
    """Where the brown and the blue stain prevail, by colour deconvolution (Ruifrok and Johnston 2001) and Otsu's
    thresholds over all tiles."""
    blues, browns = [], []
    for path in paths:
        with Image.open(path) as picture:
            stains = rgb2hed(np.asarray(picture.convert("RGB")))
        blues.append(_smooth(stains[..., 0]))
        browns.append(_smooth(stains[..., 2]))
    least_blue, least_brown = _otsu(blues), _otsu(browns)
    return [_classes(blue > least_blue, brown > least_brown) for blue, brown in zip(blues, browns, strict=True)]


def wait_until_learned(client: Client, image_id: int, revision: int) -> None:
    """Until the prediction of an image has learned from this revision of it."""
    client.wait_for_prediction(
        image_id,
        lambda found: found is not None and int(found["annotation_revision"]) >= revision,
        poll_interval_s=POLL_INTERVAL_S,
        limit_s=WAIT_S,
    )


def wait_until_predicted(client: Client, image_id: int) -> None:
    """Until the newest head has predicted an image."""
    client.wait_for_prediction(
        image_id,
        lambda found: found is not None and not found["stale"],
        poll_interval_s=POLL_INTERVAL_S,
        limit_s=WAIT_S,
    )


def _classes(blue: Mask, brown: Mask) -> dict[str, Mask]:
    return {"stained": brown, "nucleus": blue & ~brown, "background": ~blue & ~brown}


def _otsu(values: Sequence[npt.NDArray[np.float64]]) -> float:
    return float(threshold_otsu(np.stack(values)))  # type: ignore[no-untyped-call]


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(gaussian_filter(values, SMOOTHING_PX))
