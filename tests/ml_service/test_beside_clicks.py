from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator

import pytest

from ml_service.beside_clicks import BesideClicks
from ml_service.heads.softmax_fit import FitAbandonedError
from ml_service.low_priority import HELPER_NICENESS


def _result(steps: Generator[bool, None, int]) -> int:
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return int(ended.value)


def test_run__an_interrupted_fit_begins_again() -> None:
    beside = BesideClicks("test")
    began: list[int] = []

    def fit(give_up: Callable[[], bool]) -> int:
        began.append(1)
        if len(began) > 1:
            return 7
        while not give_up():
            pass
        raise FitAbandonedError

    steps = beside.run(fit)
    assert next(steps) is False
    beside.interrupt()
    assert (_result(steps), len(began)) == (7, 2)
    beside.close()


def test_run__closed_gives_the_fit_up() -> None:
    beside, has_ended = BesideClicks("test"), threading.Event()

    def fit(give_up: Callable[[], bool]) -> None:
        while not give_up():
            pass
        has_ended.set()

    steps = beside.run(fit)
    next(steps)
    steps.close()
    assert has_ended.wait(30)
    beside.close()


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_run__gives_way_to_everything_else() -> None:
    beside = BesideClicks("test")
    steps = beside.run(lambda _give_up: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert _result(steps) >= HELPER_NICENESS
    beside.close()
