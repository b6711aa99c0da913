"""From a click to the frame that shows what was learned from it, measured inside the page."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from benchmarks.generated_session import CELL_PX, CLICKS_PER_IMAGE, WARM_UP, class_at
from benchmarks.page_session import Opened, percentiles
from benchmarks.report import verdict
from benchmarks.tables import Section, section_of

CLICKS = 66
PAUSE_S = (0.6, 1.4)
"""Between a person's clicks, shortest and longest."""
AIM_S, PRESS_S = 0.15, 0.08
"""A person's hand rests before it presses, and holds the button for a while. A driven browser moves, presses and lets
go within a millisecond, and its driver then takes a processor away from what is measured."""
P50_TARGET_MS = 50.0
P95_TARGET_MS = 100.0
APART_PX = 30.0
"""On screen: a right click nearer to a point would remove it."""
EDGE = 0.06
"""Of the picture's side, where nobody clicks."""
LIMIT_MS = 10_000
REPORTED = (
    ("CVAT with SAM, locally", "first click of an image", "6-10 s"),
    ("CVAT with SAM, locally", "later clicks", "3 s"),
    ("MobileSAM on a processor", "first click of an image", "0.86 s"),
    ("MobileSAM on a processor", "later clicks, decoding alone", "85 ms"),
    ("napari-convpaint", "train and predict one image", "1.2-3.9 s"),
    ("ilastik", "the part in sight", "“more or less instant”"),
    ("a person notices a lag", "-", "from about 60 ms"),
)


@dataclass(frozen=True)
class Clicks:
    """A row; all but the last from the pointer event, medians in milliseconds."""

    pace: str
    clicks: int
    put_sent: float
    put_answered: float
    announced: float
    """The event `prediction` was heard, with the prediction and its maps in it."""
    overlay_set: float
    """The overlay is painted: its mark is set in that frame."""
    shown_p50: float
    """The next frame begins: that one was presented."""
    shown_p95: float
    worst: float
    missing: int
    """Clicks whose overlay did not come."""
    verdict: str


@dataclass(frozen=True)
class Requests:
    """Of one click, on average."""

    request: str
    until_shown: float
    until_next: float


def tables(here: Opened, *, clicks: int = CLICKS, pause_s: tuple[float, float] = PAUSE_S) -> list[Section]:
    """Clicks as a person makes them and without pauses, step by step; the requests of one; what others report."""
    size = here.size
    here.open()
    here.wait_for_prediction()
    here.page.keyboard.press("1")
    _click_through(here, WARM_UP, (0.1, 0.1), seed=0)
    calm = _click_through(here, clicks, pause_s, seed=1, by_hand=True)
    hasty = _click_through(here, clicks, (0.0, 0.0), seed=2)
    names = {
        "pace": "pace", "clicks": "clicks", "put_sent": "PUT sent", "put_answered": "PUT answered",
        "announced": "prediction heard",
        "overlay_set": "overlay painted", "shown_p50": "shown p50 ms", "shown_p95": "p95 ms", "worst": "worst ms",
        "missing": "not shown", "verdict": "verdict",
    }  # fmt: skip
    rows = [_row("a person's", calm), _row("as fast as they can be sent", hasty)]
    heading = "From the pointer event to the overlay that learned from it"
    title = f"{heading} ({size.n_images:,} images, overlay by {here.painter}); steps: medians, ms"
    shown = f"{rows[0].shown_p50:.0f} ms p50, {rows[0].shown_p95:.0f} ms p95"
    reported = [(*peer, "reported, not measured here") for peer in REPORTED]
    return [
        section_of(title, rows, names),
        section_of(
            "Requests of one click",
            _requests(calm),
            {"request": "request", "until_shown": "until shown", "until_next": "until the next click"},
        ),
        Section(
            "What others report of a click",
            ("system", "what", "time", "source"),
            (("Fewclick", "click to overlay, as above", shown, "measured here"), *reported),
        ),
    ]


def _click_through(
    here: Opened, count: int, pause_s: tuple[float, float], *, seed: int, by_hand: bool = False
) -> list[Mapping[str, Any]]:
    """Click, look, and go on to the next image after a few."""
    generator, size = np.random.default_rng(seed), here.size
    records: list[Mapping[str, Any]] = []
    places: list[tuple[float, float]] = []
    for number in range(count):
        if number % CLICKS_PER_IMAGE == 0:
            places = []
            _go_on(here)
        box = here.page.get_by_test_id("image-canvas").bounding_box()
        assert box is not None
        place = _free_place(generator, places, APART_PX / box["width"])
        places.append(place)
        class_id = class_at(place[0] * size.cells * CELL_PX, 0, size)
        here.page.mouse.move(box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"])
        time.sleep(AIM_S if by_hand else 0.0)
        here.probe("arm", "pointerdown", ["overlay"])
        button: Literal["left", "right"] = "left" if class_id == 1 else "right"
        here.page.mouse.down(button=button)
        time.sleep(PRESS_S if by_hand else 0.0)
        here.page.mouse.up(button=button)
        record = here.probe("finished", LIMIT_MS)
        time.sleep(generator.uniform(*pause_s))
        records.append({**record, "later": here.probe("since", record["began"])["requests"]})
    return records


def _go_on(here: Opened) -> None:
    here.probe("arm", "keydown", ["prediction"])
    here.page.keyboard.press("f")
    here.probe("finished", LIMIT_MS)


def _free_place(
    generator: np.random.Generator, taken: Sequence[tuple[float, float]], apart: float
) -> tuple[float, float]:
    """Fractions of the picture's sides."""
    while True:
        x, y = generator.uniform(EDGE, 1 - EDGE, 2).tolist()
        if all((x - a) ** 2 + (y - b) ** 2 > apart**2 for a, b in taken):
            return x, y


def _row(pace: str, records: Sequence[Mapping[str, Any]]) -> Clicks:
    good = [record for record in records if "overlay" in record]
    shown = [record["overlay"]["shown"] - record["began"] for record in good]
    p50, p95, worst = percentiles(shown)
    steps = [steps_of(record) for record in good]
    medians = {
        name: float(np.median([step[name] for step in steps if name in step] or [np.nan]))
        for name in ("put_sent", "put_answered", "announced", "overlay_set")
    }
    words = (
        f"p50 {verdict(p50, P50_TARGET_MS, at_most=True)}, p95 {verdict(p95, P95_TARGET_MS, at_most=True)}"
        if good
        else "nothing was shown"
    )
    return Clicks(
        pace=pace, clicks=len(records), shown_p50=p50, shown_p95=p95, worst=worst, missing=len(records) - len(good),
        verdict=words, **medians,
    )  # fmt: skip


def steps_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds since the event; a step that did not happen is missing."""
    began, ended = record["began"], record["overlay"]["set"]
    found: dict[str, float] = {"overlay_set": ended - began}
    for request in record["requests"]:
        kind = kind_of(request)
        if kind == "PUT annotations":
            found.setdefault("put_sent", request["sent"] - began)
            if request["answered"] is not None:
                found.setdefault("put_answered", request["answered"] - began)
    announced = [
        event["at"] - began for event in record["events"] if _names_clicked(event, record) and event["at"] <= ended
    ]
    if announced:
        found["announced"] = announced[0]
    return found


def _names_clicked(event: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether an event tells of the image that was clicked; others tell of those predicted behind it."""
    clicked = {r["path"].split("/")[-2] for r in record["requests"] if kind_of(r) == "PUT annotations"}
    named = [event.get("image_id"), *(event.get("image_ids") or ())]
    return any(str(image_id) in clicked for image_id in named)


def kind_of(request: Mapping[str, Any]) -> str:
    """A request as the tables call it."""
    words = [word for word in str(request["path"]).split("/") if word not in ("", "api") and not word.isdigit()]
    last = words[-1] if words else ""
    if last == "map" and len(words) > 1:
        return f"{request['method']} map ({request['size']})"
    return f"{request['method']} {last}"


def _requests(records: Sequence[Mapping[str, Any]]) -> list[Requests]:
    good = [record for record in records if "overlay" in record]
    early: Counter[str] = Counter()
    late: Counter[str] = Counter()
    for record in good:
        late.update(kind_of(request) for request in record["later"])
        early.update(kind_of(r) for r in record["later"] if r["sent"] <= record["overlay"]["set"])
    count = max(len(good), 1)
    rows = [Requests(kind, early[kind] / count, total / count) for kind, total in late.most_common()]
    return [Requests("all", early.total() / count, late.total() / count), *rows]
