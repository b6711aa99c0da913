"""Threads that compute beside the clicks."""

from __future__ import annotations

import os
import sys
import threading

HELPER_NICENESS = 10


def give_way() -> None:
    """Let everything else have the processor before this thread: what a person waits for, above all."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HELPER_NICENESS)
