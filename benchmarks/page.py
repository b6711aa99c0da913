"""How fast the labelling page is, measured inside the page: real server, real ML service, headless Chromium.

`python -m benchmarks.page [PART ...] [--quick] [--out docs/benchmarks.md]`, or `make bench-page`. The sessions are
generated: pictures of 768 px with features, two classes. A frame counts as shown when the next one begins (the second
requestAnimationFrame): a little later than it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import page_clicks, page_frames, page_next, page_weight
from benchmarks.client import ProductError
from benchmarks.generated_session import Size
from benchmarks.page_session import Opened, opened
from benchmarks.report_parts import Program, write_parts
from benchmarks.tables import Section
from db.tasks import Task
from fewclick.ensure_browser import BrowserNotFoundError

SIZE = Size(Task.SEGMENTATION, 2_000, 100)
GALLERY = Size(Task.CLASSIFICATION, 100_000, 1_000, n_classes=4)
QUICK_SIZES = {SIZE: replace(SIZE, n_images=60, cells=32), GALLERY: replace(GALLERY, n_images=600, n_labels=20)}


@dataclass(frozen=True)
class Part:
    """What is measured together."""

    tables: Callable[..., list[Section]]
    size: Size
    quick: dict[str, Any]
    """Options of `tables` for a short form that shows only that the program works."""


PARTS = {
    "clicks": Part(page_clicks.tables, SIZE, {"clicks": 6, "pause_s": (0.1, 0.1)}),
    "next": Part(page_next.tables, SIZE, {"images": 3, "pause_s": (0.6, 0.6)}),
    "gallery": Part(page_frames.gallery_tables, GALLERY, {"scroll_ms": 400, "jumps": 2}),
    "points": Part(page_frames.point_tables, SIZE, {"points": 300, "drags": 2, "drag_steps": 10}),
    "weight": Part(page_weight.tables, SIZE, {"images": 5}),
}


def measure(part: Part) -> list[Section]:
    """The tables of a part, on a session of its own."""
    with opened(part.size) as here:
        return part.tables(here)


def measure_quick(part: Part, shared: ExitStack, sessions: dict[Size, Opened]) -> list[Section]:
    """The short form, on a small session that the parts share."""
    size = QUICK_SIZES[part.size]
    if size not in sessions:
        # One after the other: Playwright runs once in a process.
        shared.close()
        sessions.clear()
        sessions[size] = shared.enter_context(opened(size))
    return part.tables(sessions[size], **part.quick)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts one after the other; 2 when the product or the browser does not start."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all")
    parser.add_argument("--quick", action="store_true", help="small sessions and few clicks: whether it works at all")
    parser.add_argument("--out", type=Path, help="Markdown document to write the tables to, between their marks")
    parsed = parser.parse_args(arguments)
    unknown = [part for part in parsed.parts if part not in PARTS]
    if unknown:
        parser.error(f"found part {unknown[0]}, expected some of {', '.join(PARTS)}")
    said = ("--quick",) if parsed.quick else ()
    chosen = [(name, PARTS[name]) for name in parsed.parts or PARTS]
    try:
        with ExitStack() as shared:
            sessions: dict[Size, Opened] = {}
            measures = [
                (name, partial(measure_quick, part, shared, sessions) if parsed.quick else partial(measure, part))
                for name, part in chosen
            ]
            write_parts(Program("page", said), measures, parsed.out)
    except (ProductError, TimeoutError, BrowserNotFoundError, FileNotFoundError) as error:
        print(f"page: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
