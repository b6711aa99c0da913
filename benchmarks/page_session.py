"""A generated session with pictures, served by real processes, open in a real browser that holds `page_probe.js`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from scipy.ndimage import gaussian_filter
from sqlalchemy import func, update

from benchmarks.client import Client
from benchmarks.generated_session import CELL_PX, Size, class_at
from benchmarks.learning_serving import Served, serving, wait_for_head, wait_until_up
from db.database import Database
from db.tables.images import Image
from fewclick.ensure_browser import ensure_browser

VIEWPORT = ViewportSize(width=1440, height=900)
BROWSER_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
"""As the tests start it: without a GPU, as a small laptop or a virtual machine is."""
PICTURE_FILES = 64
JPEG_QUALITY = 90
GRAIN = (40.0, 12.0)
"""Standard deviations of the coarse and of the fine noise, grey levels: a JPEG of it is as large as a photo's."""
CLASS_TINT = 18.0
PREFERENCES = "localStorage.setItem('fewclick:preferences', JSON.stringify({hint_dismissed: true}));"
PROBE = Path(__file__).with_name("page_probe.js")
LIMIT_MS = 20_000


@dataclass(frozen=True)
class Opened:
    """A page and what serves it."""

    page: Page
    browser: Browser
    served: Served
    size: Size

    def probe(self, call: str, *arguments: Any) -> Any:
        """The answer of a function of the probe."""
        return self.page.evaluate(f"(given) => fewclickProbe.{call}(...given)", list(arguments))

    def open(self, address: str = "") -> None:
        """Load the page at `#/...` and wait for its image."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.served.url}/{address}")
        self.page.wait_for_function(
            "document.querySelector('[data-testid=image-canvas]')?.dataset.imageId !== undefined", timeout=LIMIT_MS
        )

    def wait_for_prediction(self, image_id: int | None = None) -> None:
        """Return once the image, or the open one, is shown with a prediction."""
        self.page.wait_for_function("(id) => fewclickProbe.hasPrediction(id)", arg=image_id, timeout=LIMIT_MS)

    @property
    def painter(self) -> str:
        """What paints the overlay: "canvas" or "webgl"."""
        return self.page.get_by_test_id("overlay").get_attribute("data-painter") or "-"


@contextmanager
def opened(size: Size) -> Iterator[Opened]:
    """A browser on a generated session of that size, with a head that has learned what labels there are."""
    with tempfile.TemporaryDirectory(prefix="fewclick-page-") as name, serving(Path(name), size) as served:
        add_pictures(Path(name), served.db, size)
        with Client(served.url) as client:
            wait_until_up(client)
        if size.n_labels > 0:
            wait_for_head(served.db)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=ensure_browser(), args=BROWSER_ARGUMENTS)
            context = browser.new_context(viewport=VIEWPORT)
            context.set_default_timeout(LIMIT_MS)
            context.add_init_script(PREFERENCES + PROBE.read_text(encoding="utf-8"))
            yield Opened(context.new_page(), browser, served, size)
            browser.close()


def add_pictures(folder: Path, db: Database, size: Size) -> None:
    """A JPEG of its own address for each image; a few dozen files, each under many names."""
    n_files = min(PICTURE_FILES, size.n_images)
    originals = [_write_picture(folder / f"picture_{number}.jpg", size, number) for number in range(n_files)]
    for image_id in range(1, size.n_images + 1):
        os.link(originals[image_id % n_files], folder / f"{image_id}.jpg")
    with db.write() as db_session:
        db_session.execute(update(Image).values(path=func.replace(Image.path, ".png", ".jpg")))


def _write_picture(path: Path, size: Size, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    side = size.cells * CELL_PX
    coarse = gaussian_filter(generator.normal(size=(side, side, 3)), (12, 12, 0))
    pixels = 128 + GRAIN[0] * coarse / coarse.std() + GRAIN[1] * generator.normal(size=(side, side, 3))
    classes = np.array([class_at(column, 0, size) for column in range(side)])
    pixels[..., 0] += CLASS_TINT * (classes % 2)
    Picture.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=JPEG_QUALITY)
    return path


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """p50, p95 and the worst; nan without values."""
    if len(values) == 0:
        return (float("nan"),) * 3
    p50, p95 = np.percentile(values, [50, 95])
    return float(p50), float(p95), float(np.max(values))
