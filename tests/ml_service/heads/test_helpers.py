from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ml_service.heads.helpers import Helpers


def test_share__each_item_is_done_once() -> None:
    done: list[int] = []
    Helpers(4).share(done.extend, iter(range(1_000)))
    assert sorted(done) == list(range(1_000))


def test_share__threads_work_at_once() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def work(items: Iterator[int]) -> None:
        for _ in items:
            meeting.wait()

    Helpers(2).share(work, iter(range(2)))
    assert not meeting.broken


def test_share__alone_on_one_processor() -> None:
    threads: set[int] = set()
    Helpers(1).share(lambda items: threads.update(threading.get_ident() for _ in items), iter(range(10)))
    assert threads == {threading.get_ident()}


def test_share__what_fails_on_a_helper_is_told() -> None:
    caller = threading.get_ident()
    begun = threading.Event()

    def work(_items: Iterator[int]) -> None:
        if threading.get_ident() == caller:
            assert begun.wait(20)
            return
        begun.set()
        raise ArithmeticError("no number")

    with pytest.raises(ArithmeticError, match="no number"):
        Helpers(2).share(work, iter(range(10)))


def test_share__the_callers_error_waits_for_the_others_and_is_the_one_told() -> None:
    caller = threading.get_ident()
    begun, failed = threading.Event(), threading.Event()
    done: list[int] = []

    def work(items: Iterator[int]) -> None:
        if threading.get_ident() == caller:
            assert begun.wait(20)
            failed.set()
            raise ArithmeticError("the caller's")
        begun.set()
        assert failed.wait(20)
        done.extend(items)
        raise LookupError("the helper's")

    with pytest.raises(ArithmeticError, match="the caller's"):
        Helpers(2).share(work, iter(range(10_000)))
    assert done == list(range(10_000))
