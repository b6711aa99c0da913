from __future__ import annotations

import os
import time
from pathlib import Path

from ml_service.map_collector import MAX_REMOVED, MIN_AGE_S, MapCollector
from tests.ml_service.toy_session import ToySession, work_off


def _leave(session: ToySession, name: str, *, age_s: float) -> Path:
    path = session.folder / "predictions" / "0000" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    _make_older(path, age_s)
    return path


def _make_older(path: Path, age_s: float) -> None:
    os.utime(path, (time.time() - age_s,) * 2)


def test_step__removes_only_old_files_that_no_row_names(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1)
    work_off(worker)
    in_force = sorted((segmentation.folder / "predictions").rglob("*.npy"))
    assert len(in_force) == 6
    for path in in_force:
        _make_older(path, 2 * MIN_AGE_S)
    orphan = _leave(segmentation, "1.0.npy", age_s=2 * MIN_AGE_S)
    unfinished = _leave(segmentation, ".2.7.npy.x1y2.tmp", age_s=2 * MIN_AGE_S)
    of_a_removed_image = _leave(segmentation, "999.3.npy", age_s=2 * MIN_AGE_S)
    about_to_be_named = _leave(segmentation, "3.9.npy", age_s=0)
    not_a_map = _leave(segmentation, "notes.txt", age_s=2 * MIN_AGE_S)
    collector = MapCollector(segmentation.db, segmentation.folder)
    assert collector.step()
    assert not collector.step()
    assert [path.exists() for path in (orphan, unfinished, of_a_removed_image)] == [False] * 3
    assert [path.exists() for path in (about_to_be_named, not_a_map, *in_force)] == [True] * 8


def test_step__one_folder_a_step_and_so_many_files(segmentation: ToySession) -> None:
    for version in range(MAX_REMOVED + 3):
        _leave(segmentation, f"1.{version}.npy", age_s=2 * MIN_AGE_S)
    (segmentation.folder / "predictions" / "0001").mkdir()
    collector = MapCollector(segmentation.db, segmentation.folder)
    assert [collector.step() for _ in range(3)] == [True, True, False]
    assert len(list((segmentation.folder / "predictions" / "0000").iterdir())) == 3


def test_step__without_any_predictions(segmentation: ToySession) -> None:
    assert not MapCollector(segmentation.db, segmentation.folder).step()


def test_worker__collects_in_idle_time(segmentation: ToySession) -> None:
    orphan = _leave(segmentation, "1.0.npy", age_s=2 * MIN_AGE_S)
    worker = segmentation.worker(tick_interval_s=0.001)
    deadline = time.monotonic() + 10
    while orphan.exists() and time.monotonic() < deadline:
        worker.step()
    assert not orphan.exists()
