"""Run a module as a program that ends when its parent does.

`python -m fewclick.child FD MODULE [ARGUMENT...]`: FD is the reading end of a pipe whose only writing end the parent
holds. The kernel closes that end when the parent ends, however it ends (kill -9 too); so no child outlives it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_S = 2.0


def watch_parent(fd: int) -> None:
    """Start a thread that ends this process once the pipe's writing end is closed: politely, then at once."""
    threading.Thread(target=_end_with_parent, args=(fd,), daemon=True, name="watch-parent").start()


def _end_with_parent(fd: int) -> None:
    while os.read(fd, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


def main() -> None:
    """Watch the parent, then become the module."""
    fd, module, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    watch_parent(fd)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
