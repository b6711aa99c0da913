"""The process that fine-tunes: `python -m ml_service.finetuning.process FOLDER`, started by the ML service.

In a process of its own, a step of any length keeps nobody waiting: it is held while a click is answered, ended at once
when a person stops it, and what it took is given back to the system. Events go to standard output. When the service is
gone, so is this process: the kernel ends it, even held, where it is Linux; elsewhere it sees its standard input closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ml_service.errors import LearningError
from ml_service.finetuning.events import Ended, EpochDone, Event, Failed, to_line
from models.errors import ModelsError

PARENT_VARIABLE = "FEWCLICK_FINETUNE_PARENT"
"""Id of the process that has started this one."""
PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""
THREADS_VARIABLE = "FEWCLICK_FINETUNE_THREADS"
ORPHANED = 3


def main() -> int:
    """Work on the plan in the folder; returns the exit status."""
    _die_with_parent()
    # Whatever a library prints must not come between the events.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        for event in work(Path(sys.argv[1])):
            _tell(out, event)
    except (LearningError, ModelsError) as error:
        _tell(out, Failed(str(error)))
    return 0


def work(folder: Path) -> Iterator[Event]:
    """Begin, or go on after the last epoch that was kept; keep each epoch as it ends.

    Raises:
        LearningError, ModelsError: it cannot be done; the message says what to do.
    """
    # Heavy, and not before the parent is watched.
    import torch

    from ml_service.errors import FinetuneError
    from ml_service.finetuning.loop import Finetuning
    from ml_service.finetuning.plan import Plan
    from ml_service.finetuning.state_file import load_state, save_state
    from models.pretrained import load_network

    torch.set_num_threads(int(os.environ.get(THREADS_VARIABLE, torch.get_num_threads())))
    plan = Plan.read(folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        run = Finetuning(plan, load_network(plan.weights), device)
        saved = load_state(folder)
        if saved is None:
            yield from run.begin()
            save_state(folder, *run.state())
        else:
            run.restore(*saved)
            for number, (train_loss, val_loss) in enumerate(run.history, start=1):
                yield EpochDone(number, train_loss, val_loss, number == run.best_epoch)
        for event in run.learn():
            if isinstance(event, EpochDone):
                save_state(folder, *run.state())
            yield event
        yield from run.finish()
        save_state(folder, *run.state())
    except torch.OutOfMemoryError as error:
        raise FinetuneError(
            f"the memory of {device} does not suffice: choose a smaller finetune.rank or resize, or other weights "
            "(docs/finetuning.md tells how much each takes)"
        ) from error
    assert run.reason is not None
    yield Ended(run.reason)


def _tell(out: TextIO, event: Event) -> None:
    out.write(to_line(event))
    out.flush()


def _die_with_parent() -> None:
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # a C library without it: standard input is watched all the same
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before.
    if os.getppid() != int(os.environ.get(PARENT_VARIABLE, os.getppid())):
        os._exit(ORPHANED)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
