"""How fast the labelling page is, measured inside the page: real server, real ML service, headless Chromium.

`python -m benchmarks.page [PART ...] [--quick] [--out docs/benchmarks.md]`, or `make bench-page`. The sessions are
generated: pictures of 768 px with features, two classes. A frame counts as shown when the next one begins (the second
requestAnimationFrame): a little later than it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import page_clicks, page_frames, page_next, page_weight
from benchmarks.client import ProductError
from benchmarks.report_parts import Measure, Program, write_parts
from benchmarks.tables import Section
from fewclick.ensure_browser import BrowserNotFoundError

QUICK_SIZE = replace(page_clicks.SIZE, n_images=60, cells=32)
QUICK_GALLERY = replace(page_frames.GALLERY, n_images=600, n_labels=20)
NO_PAUSE_S = (0.1, 0.1)


def _quick_clicks() -> list[Section]:
    return page_clicks.tables(6, QUICK_SIZE, NO_PAUSE_S)


def _quick_next() -> list[Section]:
    return page_next.tables(3, QUICK_SIZE, (0.6, 0.6))


def _quick_gallery() -> list[Section]:
    return page_frames.gallery_tables(QUICK_GALLERY, 400, 3)


def _quick_points() -> list[Section]:
    return page_frames.point_tables(QUICK_SIZE, 300, 2, 10)


def _quick_weight() -> list[Section]:
    return page_weight.tables(5, QUICK_SIZE)


PARTS: dict[str, tuple[Callable[[], list[Section]], Measure]] = {
    "clicks": (page_clicks.tables, _quick_clicks),
    "next": (page_next.tables, _quick_next),
    "gallery": (page_frames.gallery_tables, _quick_gallery),
    "points": (page_frames.point_tables, _quick_points),
    "weight": (page_weight.tables, _quick_weight),
}
"""What measures a part, and a short form of it that shows only that the program works."""


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
    parts = [(name, PARTS[name][1 if parsed.quick else 0]) for name in parsed.parts or PARTS]
    try:
        write_parts(Program("page", said), parts, parsed.out)
    except (ProductError, TimeoutError, BrowserNotFoundError, FileNotFoundError) as error:
        print(f"page: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
