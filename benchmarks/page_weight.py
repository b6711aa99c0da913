"""What the page weighs: bundle, memory after many images, layout shift."""

from __future__ import annotations

import gzip
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.learning_serving import peak_memory_mb
from benchmarks.page_session import Opened
from benchmarks.product import ROOT
from benchmarks.report import verdict
from benchmarks.tables import Section, section_of

IMAGES = 200
LOOK_S = 0.1
LIMIT_MS = 10_000
BUNDLE_TARGET_KB = 350.0
KB = 1024
MB = 1024 * 1024
DIST = Path(os.environ.get("FEWCLICK_FRONTEND_DIST") or ROOT / "frontend" / "dist")
"""What the backend serves."""


@dataclass(frozen=True)
class Bundle:
    """Gzipped as it is sent, KB."""

    what: str
    files: int
    kb: float
    verdict: str


@dataclass(frozen=True)
class Memory:
    """After so many images, garbage collected."""

    images: int
    heap_mb: float
    nodes: int
    listeners: int
    renderer_mb: float
    """Resident memory of the page's process at its highest so far."""


@dataclass(frozen=True)
class Shift:
    """Layout shift, summed over everything that was done (browsers' own score takes the worst five seconds)."""

    when: str
    shifts: int
    score: float


def tables(here: Opened, *, images: int = IMAGES, dist: Path = DIST) -> list[Section]:
    """Bundle, memory at the first image and after many, layout shift on the way."""
    here.open()
    here.wait_for_prediction()
    memory = [_memory(here, 1)]
    for _ in range(images - 1):
        here.probe("arm", "keydown", ["picture"])
        here.page.keyboard.press("f")
        here.probe("finished", LIMIT_MS)
        time.sleep(LOOK_S)
    memory.append(_memory(here, images))
    shifts = here.probe("shifts")
    return [
        section_of(
            "Bundle of the labelling page, gzipped",
            bundle(dist),
            {"what": "what", "files": "files", "kb": "KB", "verdict": "verdict"},
        ),
        section_of(
            "Memory of the page, garbage collected",
            memory,
            {
                "images": "images seen", "heap_mb": "JS heap MB", "nodes": "DOM nodes", "listeners": "listeners",
                "renderer_mb": "process, at most MB",
            },
        ),
        section_of(
            f"Layout shift while {images} images were opened",
            [
                Shift("by itself", *_sum(shifts, after_input=False)),
                Shift("within 0.5 s of a key or a click", *_sum(shifts, after_input=True)),
            ],
            {"when": "when", "shifts": "shifts", "score": "score"},
        ),
    ]  # fmt: skip


def bundle(dist: Path) -> list[Bundle]:
    """Sizes of a built page.

    Raises:
        FileNotFoundError: it is not built.
    """
    html = (dist / "index.html").read_bytes()
    sizes = {
        path.name: len(gzip.compress(path.read_bytes())) / KB
        for path in sorted((dist / "assets").iterdir())
        if path.suffix in (".js", ".css")
    }
    at_once = [kb for name, kb in sizes.items() if name.encode() in html]
    in_all = sum(sizes.values()) + len(gzip.compress(html)) / KB
    return [
        Bundle("loaded at once", len(at_once), sum(at_once), "-"),
        Bundle("in all, lazy parts too", len(sizes) + 1, in_all, _bundle_verdict(in_all)),
    ]


def _bundle_verdict(kb: float) -> str:
    return (
        "reached"
        if verdict(kb, BUNDLE_TARGET_KB, at_most=True) == "reached"
        else f"{kb - BUNDLE_TARGET_KB:.0f} KB over"
    )


def _memory(here: Opened, images: int) -> Memory:
    cdp = here.page.context.new_cdp_session(here.page)
    cdp.send("HeapProfiler.enable")
    cdp.send("HeapProfiler.collectGarbage")
    cdp.send("Performance.enable")
    found = {entry["name"]: entry["value"] for entry in cdp.send("Performance.getMetrics")["metrics"]}
    cdp.detach()
    return Memory(
        images=images,
        heap_mb=found["JSHeapUsedSize"] / MB,
        nodes=int(found["Nodes"]),
        listeners=int(found["JSEventListeners"]),
        renderer_mb=_renderer_mb(here),
    )


def _renderer_mb(here: Opened) -> float:
    """The largest of the browser's page processes: there is one page."""
    cdp = here.browser.new_browser_cdp_session()
    processes = cdp.send("SystemInfo.getProcessInfo")["processInfo"]
    cdp.detach()
    pids = [int(process["id"]) for process in processes if process["type"] == "renderer"]
    known = [peak_memory_mb(pid) for pid in pids if Path(f"/proc/{pid}/status").exists()]
    return max(known, default=float("nan"))


def _sum(shifts: list[dict[str, Any]], *, after_input: bool) -> tuple[int, float]:
    values = [float(shift["value"]) for shift in shifts if shift["after_input"] == after_input]
    return len(values), sum(values)
