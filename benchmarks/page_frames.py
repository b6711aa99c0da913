"""Frames while the gallery is scrolled, and while an image with thousands of points is moved."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.client import Client, ProductError
from benchmarks.generated_session import CELL_PX, class_at
from benchmarks.page_session import Opened, percentiles
from benchmarks.report import verdict
from benchmarks.tables import Section, section_of

GRID = "[data-testid=gallery-grid]"
SCROLL_MS = 6_000
SPEEDS_PX = {"slowly": 12, "fast": 120, "very fast": 1_500}
"""Of each frame."""
JUMPS = 20
JUMP_LIMIT_MS = 4_000
FRAME_TARGET_MS = 50.0
POINTS = 5_000
DRAGS = 8
DRAG_STEPS = 90
DRAG_PX = 320
WHEELS = 60
WHEEL_PX = 20
FRAME_60_MS = 1000 / 60
LATE_MS = 1.5 * FRAME_60_MS
"""A frame that comes later than this was left out once."""
SETTLE_S = 1.5


@dataclass(frozen=True)
class Frames:
    """A row: time between frames, and what kept them up."""

    what: str
    frames: int
    per_s: float
    p50: float
    p95: float
    worst: float
    late: str
    long_tasks: int
    """Of 50 ms and more."""
    verdict: str


@dataclass(frozen=True)
class Landing:
    """After a jump."""

    what: str
    jumps: int
    p50: float
    p95: float
    missing: int


FRAME_NAMES = {
    "what": "what", "frames": "frames", "per_s": "frames a second", "p50": "between frames p50 ms", "p95": "p95 ms",
    "worst": "worst ms", "late": "later than 25 ms", "long_tasks": "long tasks", "verdict": "verdict",
}  # fmt: skip


def gallery_tables(here: Opened, *, scroll_ms: int = SCROLL_MS, jumps: int = JUMPS) -> list[Section]:
    """The gallery scrolled at three speeds, and from place to place."""
    here.open("#/gallery")
    here.page.wait_for_selector(f"{GRID} .tile:not(.is-loading)")
    time.sleep(SETTLE_S)
    rows = [
        _row(
            f"scrolled {name}, {step_px * 60:,} px a second",
            here.probe("scroll", GRID, step_px, scroll_ms),
            _verdict_50,
        )
        for name, step_px in SPEEDS_PX.items()
    ]
    here.probe("watchFrames")
    places = np.random.default_rng(0).uniform(0, 1, jumps).tolist()
    landings = [here.probe("jump", GRID, place, JUMP_LIMIT_MS) for place in places]
    rows.append(_row(f"{jumps} jumps to places anywhere", here.probe("takeFrames"), _verdict_50))
    names = {
        "what": "what",
        "jumps": "jumps",
        "p50": "p50 ms",
        "p95": "p95 ms",
        "missing": f"not in {JUMP_LIMIT_MS} ms",
    }
    return [
        section_of(f"Gallery of {here.size.n_images:,} images: time between frames", rows, FRAME_NAMES),
        section_of(
            "Gallery: from the jump until what is in sight is there",
            [
                _landing("ids, labels and predictions", landings, "known"),
                _landing("and all pictures", landings, "pictures"),
            ],
            names,
        ),
    ]


def point_tables(
    here: Opened, *, points: int = POINTS, drags: int = DRAGS, drag_steps: int = DRAG_STEPS
) -> list[Section]:
    """An image with thousands of points, moved by the pointer and zoomed by the wheel."""
    _put_points(here, points)
    here.open("#/image/1")
    here.wait_for_prediction(1)
    time.sleep(SETTLE_S)
    rows = [_row("moved, whole image in sight", _drag(here, drags, drag_steps), _verdict_60)]
    for _ in range(4):
        here.page.keyboard.press("+")
    rows.append(_row("moved, enlarged", _drag(here, drags, drag_steps), _verdict_60))
    rows.append(_row("zoomed by the wheel", _wheel(here), _verdict_60))
    title = f"{points:,} points on an image (overlay by {here.painter}): time between frames"
    return [section_of(title, rows, FRAME_NAMES)]


def _put_points(here: Opened, count: int) -> None:
    size = here.size
    places = np.random.default_rng(0).uniform(0, size.cells * CELL_PX, (count, 2)).tolist()
    body = {"points": [{"x": x, "y": y, "class_id": class_at(x, y, size)} for x, y in places]}
    with Client(here.served.url) as client:
        state = client.put_annotations(1, body)
        client.wait_for_prediction(
            1,
            lambda found: found is not None and int(found["annotation_revision"]) >= int(state["revision"]),
            poll_interval_s=0.05,
            limit_s=60,
        )


def _drag(here: Opened, drags: int, steps: int) -> Mapping[str, Any]:
    """To and fro with the middle button."""
    mouse = here.page.mouse
    # Of the stage: the middle of an enlarged image may lie beside it, and a drag there would move nothing.
    box = here.page.locator("image-stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = _place(here)
    mouse.move(x, y)
    mouse.down(button="middle")
    here.probe("watchFrames")
    for number in range(drags):
        there = DRAG_PX if number % 2 == 0 else -DRAG_PX
        mouse.move(x + there, y + there / 4, steps=steps)
    seen: Mapping[str, Any] = here.probe("takeFrames")
    mouse.up(button="middle")
    _check_moved(here, before)
    return seen


def _wheel(here: Opened) -> Mapping[str, Any]:
    before = _place(here)
    here.page.mouse.wheel(0, -WHEEL_PX)
    here.page.wait_for_function("(before) => fewclickProbe.place() !== before", arg=before)
    here.probe("watchFrames")
    for number in range(WHEELS):
        here.page.mouse.wheel(0, -WHEEL_PX if number < WHEELS / 2 else WHEEL_PX)
    seen: Mapping[str, Any] = here.probe("takeFrames")
    return seen


def _place(here: Opened) -> str:
    """Where the image lies and how large it is."""
    return str(here.probe("place"))


def _check_moved(here: Opened, before: str) -> None:
    if _place(here) == before:
        raise ProductError(f"the image lies where it did ({before}): expected that the pointer moves it")


def _row(what: str, seen: Mapping[str, Any], judge: Any) -> Frames:
    intervals: list[float] = seen["intervals"]
    p50, p95, worst = percentiles(intervals)
    late = sum(interval > LATE_MS for interval in intervals)
    return Frames(
        what=what,
        frames=len(intervals),
        per_s=1000 * len(intervals) / max(sum(intervals), 1.0),
        p50=p50,
        p95=p95,
        worst=worst,
        late=f"{100 * late / max(len(intervals), 1):.1f} %",
        long_tasks=len(seen["long_tasks"]),
        verdict=judge(p95, worst),
    )


def _verdict_50(p95: float, worst: float) -> str:
    del p95
    return f"worst {verdict(worst, FRAME_TARGET_MS, at_most=True)}"


def _verdict_60(p95: float, worst: float) -> str:
    del worst
    # Time stamps of frames are rounded.
    return f"60 a second, p95: {verdict(p95, FRAME_60_MS + 0.5, at_most=True)}"


def _landing(what: str, landings: Sequence[Mapping[str, float | None]], name: str) -> Landing:
    times = [value for landing in landings if (value := landing[name]) is not None]
    p50, p95, _ = percentiles(times)
    return Landing(what, len(landings), p50, p95, len(landings) - len(times))
