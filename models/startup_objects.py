"""Pauses of the garbage collector, kept short."""

from __future__ import annotations

import gc
from functools import cache


@cache
def spare_startup_objects() -> None:
    """Keep what exists by now, modules and tables above all, out of every later collection; once a process.

    A full collection walks over all objects. Those of the start are hundreds of thousands, and a click that came
    meanwhile would wait a tenth of a second. See `gc.freeze`.
    """
    gc.collect()
    gc.freeze()
