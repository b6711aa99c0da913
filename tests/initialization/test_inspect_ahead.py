from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import cast

import pytest

from initialization import inspect_ahead as module
from initialization.inspect_ahead import AheadOfTime, inspect_ahead
from initialization.inspection import FileFacts, inspect_file
from models.preprocessing import DEFAULT
from tests.initialization.fakes import init, rows, save_picture, write_config


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_IT", 1)
    monkeypatch.setattr(module, "CHUNK", 2)


@pytest.mark.usefixtures("small_chunks")
def test_inspect_ahead__what_it_knows_is_what_the_files_say(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(5)]
    for name in names:
        save_picture(tmp_path / name)
    (tmp_path / "3.png").write_bytes(b"no picture")
    with inspect_ahead(tmp_path, names, DEFAULT) as ahead:
        found = {name: ahead.get(name) for name in [*names, "unknown.png"]}
    # What the other process has not begun is left to the caller.
    for name in names:
        assert found[name] in (None, inspect_file(tmp_path / name))
    assert found["unknown.png"] is None


def test_inspect_ahead__few_files_start_no_process(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    with inspect_ahead(tmp_path, ["a.png"], DEFAULT) as ahead:
        assert ahead.get("a.png") is None


@pytest.mark.usefixtures("small_chunks")
def test_main__background_gives_the_rows_of_init_in_the_foreground(tmp_path: Path) -> None:
    for place in ("ahead", "plain"):
        for number in range(7):
            save_picture(tmp_path / place / f"images/{number}.png")
    assert init(write_config(tmp_path / "ahead"), "--background") == 0
    assert init(write_config(tmp_path / "ahead")) == 0
    assert init(write_config(tmp_path / "plain")) == 0
    assert rows(tmp_path / "ahead/session") == rows(tmp_path / "plain/session")


def kill_self() -> None:
    """What the system does to a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_get__killed_process_leaves_the_file_to_the_caller() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        future = cast("Future[list[FileFacts]]", pool.submit(kill_self))
        assert isinstance(future.exception(timeout=60), BrokenProcessPool)
        assert AheadOfTime([(["a.png"], future)]).get("a.png") is None


@pytest.mark.usefixtures("small_chunks")
def test_inspect_ahead__killed_process_is_no_error(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(7)]
    for name in names:
        save_picture(tmp_path / name)
    with inspect_ahead(tmp_path, names, DEFAULT) as ahead:
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
        for name in names:
            assert ahead.get(name) in (None, inspect_file(tmp_path / name))
