"""The short film of README: clicks on a new image, the mask after each, the next image with its mask ready, the export.

The page is photographed between the steps; pointer and keys are drawn in. What the product takes is shown for as long
as it took.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, ViewportSize, expect

from benchmarks.client import Client, ProductError
from benchmarks.screenshot_acts import NUMBER, WAIT_MS, Shown, remembers
from benchmarks.screenshot_clicks import Click, Clicks, stain_classes

PAGE_SIZE = ViewportSize(width=1024, height=640)
FILM_SIZE = (896, 560)
FIRST_IMAGE = 2
"""Id of an image with all classes."""
QUALITY = 72
MOST_BYTES = 2_000_000
FRAME_MS = 40
MOVE_MS = 560
LOOK_MS = 900
"""How long a person looks at what came."""
KEY_MS = 520
END_MS = 2400
SETTLE_MS = 700
POINTER = ((0, 0), (0, 17), (4, 13.5), (6.6, 19.4), (9.2, 18.2), (6.7, 12.5), (12, 12.5))
"""An arrow whose tip is at the first corner, pixels of the film."""
MEASURE = """
window.taken_ms = null;
let pressed_ms = null;
addEventListener('pointerdown', () => { pressed_ms = performance.now(); window.taken_ms = null; }, true);
new MutationObserver(() => {
  const canvas = document.querySelector('[data-testid=image-canvas]');
  const learned = Number(canvas?.dataset.predictionRevision ?? -1) >= Number(canvas?.dataset.annotationRevision ?? 0);
  if (pressed_ms === null || !learned || window.taken_ms !== null) return;
  window.taken_ms = performance.now() - pressed_ms;
}).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-prediction-revision'] });
"""
"""Milliseconds from the press to the frame with the prediction that has learned from it, in `taken_ms`."""


@dataclass
class Film:
    """Frames, each with its duration in milliseconds."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    durations_ms: list[int] = field(default_factory=list)
    pointer: tuple[float, float] = (FILM_SIZE[0] * 0.5, FILM_SIZE[1] * 0.62)
    taken_ms: list[float] = field(default_factory=list)
    """What the product took, from click to mask."""
    _still: Image.Image | None = None

    @property
    def seconds(self) -> float:
        """Its length."""
        return sum(self.durations_ms) / 1000

    @property
    def latencies(self) -> str:
        """From each click to its mask, for people."""
        return ", ".join(f"{taken_ms:.0f} ms" for taken_ms in self.taken_ms)

    def look(self) -> None:
        """Photograph the page as it is now."""
        with Image.open(io.BytesIO(self.page.screenshot())) as picture:
            self._still = picture.convert("RGB").resize(FILM_SIZE, Image.Resampling.LANCZOS)

    def hold(self, duration_ms: float, *, key: str = "", is_pressed: bool = False) -> None:
        """What was photographed last, with the pointer, and with a key that is pressed."""
        assert self._still is not None
        frame = self._still.copy()
        if is_pressed:
            _draw_press(frame, self.pointer)
        if key:
            _draw_key(frame, key)
        _draw_pointer(frame, self.pointer)
        self.frames.append(frame)
        self.durations_ms.append(max(round(duration_ms), 20))

    def move_to(self, x: float, y: float) -> None:
        """The pointer goes to a place of the page, as a hand does: off gently, gently to rest."""
        self.page.mouse.move(x, y)
        scale = FILM_SIZE[0] / PAGE_SIZE["width"]
        (from_x, from_y), (to_x, to_y) = self.pointer, (x * scale, y * scale)
        steps = MOVE_MS // FRAME_MS
        for step in range(1, steps + 1):
            share = step / steps
            eased = share * share * (3 - 2 * share)
            self.pointer = (from_x + (to_x - from_x) * eased, from_y + (to_y - from_y) * eased)
            self.hold(FRAME_MS)

    def press_key(self, key: str, name: str) -> None:
        """A key, named as `name`."""
        self.page.keyboard.press(key)
        self.page.wait_for_timeout(SETTLE_MS // 2)
        self.look()
        self.hold(KEY_MS, key=name)

    def save(self, path: Path) -> None:
        """Write it.

        Raises:
            ProductError: it is larger than a page should make anybody load.
        """
        first, *others = self.frames
        first.save(
            path, save_all=True, append_images=others, duration=self.durations_ms, loop=0, quality=QUALITY, method=6
        )
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ProductError(f"{path} has {size} bytes, at most {MOST_BYTES} are wanted: lower QUALITY or FILM_SIZE")


def film(browser: Browser, url: str, image_dir: Path, path: Path) -> Film:
    """Film a session in which nobody has labelled anything; `url` is its address."""
    context = browser.new_context(viewport=PAGE_SIZE, color_scheme="light")
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.add_init_script(remembers(hints=False))
    page.add_init_script(MEASURE)
    try:
        with Client(url) as client:
            shown = Shown(page, client)
            page.goto(f"{url}#/image/{FIRST_IMAGE}")
            expect(page.get_by_test_id("image-canvas")).to_have_attribute("data-image-id", NUMBER)
            page.wait_for_timeout(2 * SETTLE_MS)
            made = Film(page)
            _play(made, shown, image_dir)
            made.save(path)
    finally:
        context.close()
    return made


def _play(film: Film, shown: Shown, image_dir: Path) -> None:
    images = shown.client.images()
    place = next(i for i, found in enumerate(images) if found["id"] == FIRST_IMAGE)
    image = images[place]
    clicks = Clicks(shown.client, image, stain_classes([image_dir / found["path"] for found in images])[place])
    film.look()
    film.hold(LOOK_MS)
    for click in clicks.first():
        _click(film, shown, click, (image["width"], image["height"]))
    _click(film, shown, clicks.correction(), (image["width"], image["height"]))
    film.press_key("f", "F  next image")
    shown.page.wait_for_timeout(SETTLE_MS)
    film.look()
    film.hold(2 * LOOK_MS)
    box = shown.page.get_by_test_id("export").bounding_box()
    assert box is not None
    film.move_to(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    film.hold(120, is_pressed=True)
    shown.click("export")
    shown.page.wait_for_timeout(SETTLE_MS)
    film.look()
    film.hold(END_MS)


def _click(film: Film, shown: Shown, click: Click | None, size: tuple[int, int]) -> None:
    """Choose the class, go there, press; the mask comes when it came."""
    if click is None:
        return
    film.press_key(str(click.class_id), f"{click.class_id}  {click.name}")
    x, y = shown.point_at(click.x / size[0], click.y / size[1])
    film.move_to(x, y)
    shown.page.mouse.click(x, y)
    shown.page.wait_for_function("window.taken_ms !== null")
    taken_ms = float(shown.page.evaluate("window.taken_ms"))
    film.taken_ms.append(taken_ms)
    film.hold(taken_ms, is_pressed=True)
    shown.page.wait_for_timeout(SETTLE_MS)  # the map along the edges of the picture
    film.look()
    film.hold(120, is_pressed=True)
    film.hold(LOOK_MS)


def _draw_pointer(frame: Image.Image, tip: tuple[float, float]) -> None:
    corners = [(tip[0] + x, tip[1] + y) for x, y in POINTER]
    draw = ImageDraw.Draw(frame)
    draw.polygon(corners, fill="#ffffff")
    draw.line([*corners, corners[0], corners[1]], fill="#15181c", width=2, joint="curve")


def _draw_press(frame: Image.Image, place: tuple[float, float]) -> None:
    x, y = place
    draw = ImageDraw.Draw(frame)
    for radius, color in ((15, "#15181c"), (14, "#ffffff")):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=color, width=2)


def _draw_key(frame: Image.Image, text: str) -> None:
    """A dark label at the lower edge of the picture."""
    font = ImageFont.load_default(size=19)
    draw = ImageDraw.Draw(frame)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = right - left + 28, 38
    x, y = FILM_SIZE[0] * 0.37 - width / 2, FILM_SIZE[1] * 0.8
    draw.rounded_rectangle((x, y, x + width, y + height), radius=9, fill="#15181c", outline="#ffffff", width=2)
    draw.text((x + 14 - left, y + (height - (bottom - top)) / 2 - top), text, font=font, fill="#ffffff")
