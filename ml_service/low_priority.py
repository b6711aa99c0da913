"""Threads that compute beside the clicks."""

from __future__ import annotations

import os
import sys
import threading

HELPER_NICENESS = 10


def give_way() -> None:
    """Let everything else have the processor before this thread: what a person waits for, above all.

    Where all processors are busy, a thread that gives way may wait for one with the interpreter's lock, and a click
    waits with it. So this is for work that leaves the lock most of the time (products of matrices), is rare and short,
    or is given up for a click.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HELPER_NICENESS)
