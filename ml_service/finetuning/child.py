"""The process that fine-tunes, as the ML service holds it: its events as they come, hold, go on, end."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ml_service.errors import FinetuneError
from ml_service.finetuning.events import Event, Failed, from_line
from ml_service.finetuning.process import PARENT_VARIABLE, THREADS_VARIABLE

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
END_LIMIT_S = 5.0


class Child:
    """A running process. A context manager: it has ended on exit, however that comes.

    To be made in a thread that outlives it: on Linux the process dies with that thread.

    Args:
        folder: Of its plan.
        threads: Of torch.
        niceness: How much it stands back behind other processes.
    """

    def __init__(self, folder: Path, *, threads: int, niceness: int) -> None:
        root = Path(__file__).resolve().parents[2]
        path = os.pathsep.join(part for part in (str(root), os.environ.get("PYTHONPATH", "")) if part)
        environment = dict.fromkeys((*THREAD_VARIABLES, THREADS_VARIABLE), str(threads))
        environment[PARENT_VARIABLE] = str(os.getpid())
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ml_service.finetuning.process", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment, "PYTHONPATH": path},
            text=True,
            encoding="utf-8",
        )
        with contextlib.suppress(OSError):  # where it may not be set, it is not
            os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event; None if there is none within that time.

        Raises:
            FinetuneError: the process has ended without a last word, or said what is wrong.
        """
        try:
            event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if event is None:
            raise FinetuneError(
                f"the process that fine-tunes ended with status {self._process.wait()} (-9: killed, most often for "
                "want of memory); the log of the ML service tells more: choose a smaller resize or other weights"
            )
        if isinstance(event, Failed):
            raise FinetuneError(event.message)
        return event

    def hold(self) -> None:
        """Have it wait where it is; its processors are free at once."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End of `hold`."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End it at once; what it has kept by then stays."""
        self._signal(signal.SIGKILL)
        self._process.wait(END_LIMIT_S)
        self._reader.join(END_LIMIT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(from_line(line))
        self._events.put(None)
