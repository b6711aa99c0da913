"""The labelling page as a person meets it: found by the test ids of the contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect

WAIT_MS = 20_000
LOCAL_HOSTS = {"127.0.0.1", "localhost"}

_INK = """element => {
  const canvas = element instanceof HTMLCanvasElement ? element : element.querySelector('canvas');
  const copy = document.createElement('canvas');
  copy.width = canvas.width; copy.height = canvas.height;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const pixels = context.getImageData(0, 0, copy.width, copy.height).data;
  let ink = 0, hash = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    ink += pixels[i + 3] > 0 ? 1 : 0;
    hash = (hash * 31 + pixels[i] + 256 * pixels[i + 1] + 65536 * pixels[i + 2] + pixels[i + 3]) | 0;
  }
  return [ink, hash];
}"""


class Watch:
    """Collects what a page must not do: report errors, speak to other hosts."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.foreign_requests: list[str] = []
        self.network_errors_allowed = False
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.on("request", self._on_request)

    def unexpected_errors(self) -> list[str]:
        """Errors, without those of a backend that the test itself took away."""
        if self.network_errors_allowed:
            return [error for error in self.errors if "net::ERR" not in error and "Failed to fetch" not in error]
        return self.errors

    def _on_console(self, message: ConsoleMessage) -> None:
        # A driver that draws on the processor, as in these tests, tells that it is slow.
        if message.type in {"error", "warning"} and "GL Driver Message" not in message.text:
            self.errors.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in LOCAL_HOSTS:
            self.foreign_requests.append(request.url)


class LabelingPage:
    """One open page."""

    def __init__(self, page: Page, watch: Watch) -> None:
        self.page = page
        self.watch = watch

    def open(self, url: str) -> None:
        """Load the page and wait for its first image."""
        self.page.goto(url)
        self.wait_for_image()

    def part(self, test_id: str) -> Locator:
        """A part of the page by its test id."""
        return self.page.get_by_test_id(test_id)

    @property
    def canvas(self) -> Locator:
        """The picture."""
        return self.part("image-canvas")

    def wait_for_image(self) -> int:
        """Wait until an image is shown; its id."""
        expect(self.canvas).to_have_attribute("data-image-id", re.compile(r"^[1-9]\d*$"), timeout=WAIT_MS)
        return self.image_id

    @property
    def image_id(self) -> int:
        """Id of the image shown."""
        return int(self.canvas.get_attribute("data-image-id") or 0)

    @property
    def annotation_revision(self) -> int:
        """Revision of the annotation shown."""
        return int(self.canvas.get_attribute("data-annotation-revision") or -1)

    @property
    def prediction_revision(self) -> int:
        """Revision that the prediction shown has learned from; -1 without one."""
        return int(self.canvas.get_attribute("data-prediction-revision") or -1)

    def click_image(self, right: float, down: float, *, button: str = "left") -> None:
        """Click at a place given as fractions of the picture area's width and height."""
        box = self.canvas.bounding_box()
        assert box is not None
        self.page.mouse.click(
            box["x"] + right * box["width"],
            box["y"] + down * box["height"],
            button=button,  # type: ignore[arg-type]
        )

    def wait_for_revision(self, revision: int) -> None:
        """Wait until the annotation is stored as `revision` or later and the prediction has learned from it."""
        self.wait_until(lambda: self.annotation_revision >= revision, f"annotation revision {revision}")
        self.wait_until(
            lambda: self.prediction_revision >= self.annotation_revision, f"a prediction of revision {revision}"
        )

    def wait_until(self, condition: Callable[[], bool], what: str, limit_ms: int = WAIT_MS) -> None:
        """Poll the page."""
        for _ in range(limit_ms // 25):
            if condition():
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(
            f"waited {limit_ms} ms for {what}: image {self.image_id}, annotation revision {self.annotation_revision}, "
            f"prediction revision {self.prediction_revision}"
        )

    def overlay_ink(self) -> tuple[int, int]:
        """(number of painted pixels, hash of all pixels) of the overlay."""
        painted, hashed = self.part("overlay").evaluate(_INK)
        return int(painted), int(hashed)

    def regions_ink(self) -> int:
        """Number of painted pixels of the layer of regions."""
        painted, _ = self.page.locator(".stage-layers").evaluate(_INK)
        return int(painted)

    def confidence(self, class_id: int) -> float:
        """The confidence that a class's bar shows, 0..1."""
        text = self.part(f"confidence-bar-{class_id}").inner_text()
        figure = re.search(r"([\d.]+)\s*%", text)
        assert figure is not None, f"no percentage in {text!r}"
        return float(figure[1]) / 100

    def download(self, start: Callable[[], None], folder: Path) -> Path:
        """The file that `start` makes the page download."""
        with self.page.expect_download(timeout=WAIT_MS) as waiting:
            start()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    def export(self, kind: str, folder: Path) -> Path:
        """The file of one export format, by the page's export control."""
        choice = self.part(f"export-{kind}")
        if not choice.is_visible():
            self.part("export").click()
        return self.download(choice.click, folder)
