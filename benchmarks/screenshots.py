"""The pictures of README: the demo sessions, labelled with a few scripted clicks, seen in a real browser.

`python benchmarks/screenshots.py [--out docs/images]` takes them anew.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2hed
from skimage.filters import threshold_otsu

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.annotator import Mask, deepest_point, largest_region
from benchmarks.client import Client, ProductError
from benchmarks.product import ROOT, Product, StartError
from fewclick.demo import CLASSIFICATION, SEGMENTATION, make_demo
from fewclick.ensure_browser import BrowserNotFoundError, ensure_browser

Theme = Literal["light", "dark"]
SIZE = ViewportSize(width=1440, height=900)
THEMES: tuple[Theme, ...] = ("light", "dark")
TILES_TO_CLICK = 8
SHOWN_TILE = 3
"""Index of a tile with all three classes."""
CORRECTIONS = 6
LABELS = 12
WAIT_MS = 30_000
WAIT_S = 30.0
RUN_LIMIT_S = 180.0
POLL_INTERVAL_S = 0.2
NUMBER = re.compile(r"^\d+$")
SMOOTHING_PX = 2.0
SETTLE_MS = 1500
"""Long enough for thumbnails and fading notices."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; 2 when the product or the browser does not start."""
    parser = argparse.ArgumentParser(description="Take the pictures of README.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder for the pictures")
    out: Path = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="fewclick-screenshots-") as folder, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=ensure_browser(), args=["--no-sandbox", "--disable-gpu"]
            )
            segmentation, classification = make_demo(Path(folder), (SEGMENTATION, CLASSIFICATION))
            with Product(segmentation, Path(folder) / "logs") as product:
                with Client(product.url) as client:
                    shown = click_tissue(client, segmentation.parent / "images")
                    train(client)
                take(browser, product.url, shown, out, "labeling_segmentation")
                take_gallery(browser, product.url, out)
            with Product(classification, Path(folder) / "logs") as product:
                with Client(product.url) as client:
                    shown = label_textures(client)
                    train(client)
                take(browser, product.url, shown, out, "labeling_classification")
            browser.close()
    except (StartError, ProductError, BrowserNotFoundError) as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 2
    return 0


def click_tissue(client: Client, image_dir: Path) -> int:
    """Click the middle of each class, then of the largest errors, in the first tiles; the id of the one to show."""
    classes = {entry["name"]: entry["id"] for entry in client.json("GET", "config")["classes"]}
    images = client.images()[:TILES_TO_CLICK]
    truths = stain_classes([image_dir / image["path"] for image in images])
    for image, truth in zip(images, truths, strict=True):
        points = [_point(deepest_point(truth[name]), classes[name]) for name in classes]
        for _ in range(CORRECTIONS + 1):
            state = client.put_annotations(image["id"], {"points": [point for point in points if point]})
            _wait_until_learned(client, image["id"], int(state["revision"]))
            points.append(_correction(client, image["id"], truth, classes))
    return int(images[SHOWN_TILE]["id"])


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


def _classes(blue: Mask, brown: Mask) -> dict[str, Mask]:
    return {"stained": brown, "nucleus": blue & ~brown, "background": ~blue & ~brown}


def _otsu(values: Sequence[npt.NDArray[np.float64]]) -> float:
    return float(threshold_otsu(np.stack(values)))  # type: ignore[no-untyped-call]


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(gaussian_filter(values, SMOOTHING_PX))


def _correction(
    client: Client, image_id: int, truth: dict[str, Mask], classes: dict[str, int]
) -> dict[str, Any] | None:
    maps = np.stack([client.probability_map(image_id, class_id, "image") for class_id in classes.values()])
    predicted = maps.argmax(axis=0)
    missed = {name: truth[name] & (predicted != index) for index, name in enumerate(classes)}
    region = largest_region(*missed.values())
    name = next((name for name, mask in missed.items() if (mask & region).any()), None)
    return None if name is None else _point(deepest_point(region), classes[name])


def _point(position: tuple[int, int] | None, class_id: int) -> dict[str, Any] | None:
    if position is None:
        return None
    row, column = position
    return {"x": column + 0.5, "y": row + 0.5, "class_id": class_id}


def _wait_until_learned(client: Client, image_id: int, revision: int) -> None:
    client.wait_for_prediction(
        image_id,
        lambda found: found is not None and int(found["annotation_revision"]) >= revision,
        poll_interval_s=0.02,
        limit_s=WAIT_S,
    )


def label_textures(client: Client) -> int:
    """The true class of the first tiles; the id of one that has no label yet."""
    class_ids = [entry["id"] for entry in client.json("GET", "config")["classes"]]
    images = client.images()
    # The demo mixes its tiles in turns, one of each class.
    for index, image in enumerate(images[:LABELS]):
        client.put_annotations(image["id"], {"class_id": class_ids[index % len(class_ids)]})
    unlabelled = images[LABELS + 1]
    client.wait_for_prediction(
        unlabelled["id"],
        lambda found: found is not None and not found["stale"],
        poll_interval_s=0.02,
        limit_s=WAIT_S,
    )
    return int(unlabelled["id"])


def train(client: Client) -> None:
    """A full run, so that the pictures show a loss curve."""
    client.json("POST", "training/start")
    deadline = time.monotonic() + RUN_LIMIT_S
    while (training := client.json("GET", "training"))["state"] != "FINISHED":
        if training["state"] == "FAILED" or time.monotonic() > deadline:
            raise ProductError(f"the training run did not finish: {training}")
        time.sleep(POLL_INTERVAL_S)


def take(browser: Browser, url: str, image_id: int, out: Path, name: str) -> None:
    """One picture of the labelling page in each theme."""
    for theme in THEMES:
        page = _open(browser, url, theme)
        page.get_by_test_id("jump-to-image").click()
        page.keyboard.type(str(image_id))
        page.keyboard.press("Enter")
        canvas = page.get_by_test_id("image-canvas")
        expect(canvas).to_have_attribute("data-image-id", str(image_id), timeout=WAIT_MS)
        expect(canvas).to_have_attribute("data-prediction-revision", NUMBER, timeout=WAIT_MS)
        _save(page, out / _file_name(name, theme))


def take_gallery(browser: Browser, url: str, out: Path) -> None:
    """One picture of the gallery in each theme."""
    for theme in THEMES:
        page = _open(browser, url, theme)
        page.get_by_test_id("gallery").click()
        _save(page, out / _file_name("gallery", theme))


def _open(browser: Browser, url: str, theme: Theme) -> Page:
    context = browser.new_context(viewport=SIZE, color_scheme=theme)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.add_init_script("localStorage.setItem('fewclick:preferences', JSON.stringify({hint_dismissed: true}))")
    page.goto(url)
    expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", NUMBER, timeout=WAIT_MS)
    return page


def _save(page: Page, path: Path) -> None:
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=path)
    page.context.close()
    print(path)


def _file_name(name: str, theme: Theme) -> str:
    return f"{name}.png" if theme == "light" else f"{name}_{theme}.png"


if __name__ == "__main__":
    sys.exit(main())
