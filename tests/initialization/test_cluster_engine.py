"""Extraction by a local Ray of two workers: nothing lost, nothing made twice, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.database import Database
from db.queries.extraction import claim_rest
from db.queries.session_info import Strategy
from db.tasks import Task
from initialization.cluster_engine import Recorder
from initialization.cluster_worker import ImageAnswer
from initialization.heartbeat import Heartbeat
from initialization.inspection import FileFacts
from tests.conftest import ReadySession
from tests.initialization import cluster_fakes
from tests.initialization.cluster_fakes import FAILS, KILLS_ALWAYS, KILLS_ONCE
from tests.initialization.fakes import feature_files, init, rows, save_picture, write_config

SCRIPT = Path(__file__).resolve().parents[2] / "initialization/init_session.py"
RAY = ("--engine", "ray", "--ray-workers", "2", "--ray-cpus", "1")
PATIENCE_S = 200
pytestmark = pytest.mark.timeout(600)  # a busy machine takes ten times as long as an idle one


@pytest.fixture(autouse=True)
def short_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a killed driver leaves goes with the test; pytest's own folders have too long names for sockets."""
    with tempfile.TemporaryDirectory(prefix="fc", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command on the folder's config, with the extractor of `cluster_fakes`."""
    script = str(Path(cluster_fakes.__file__))
    command = [sys.executable, script, str(tmp_path), "--config", str(tmp_path / "config.yaml"), "--yes", *arguments]
    return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, output, errors


def computed(tmp_path: Path) -> list[tuple[str, int]]:
    """Picture and process of each computation that came to its end."""
    path = tmp_path / "computed"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(picture, int(pid)) for picture, pid in (line.split() for line in lines)]


def undisturbed(tmp_path: Path) -> tuple[list[dict[str, object]], dict[str, str]]:
    """Rows and files that the local engine gives."""
    config = write_config(tmp_path, session_dir="undisturbed")
    assert init(config, load=lambda settings: cluster_fakes.load_noting(tmp_path, os.getpid(), settings)) == 0
    write_config(tmp_path)
    return rows(tmp_path / "undisturbed"), feature_files(tmp_path / "undisturbed")


def test_extract_on_cluster__killed_worker_changes_nothing(tmp_path: Path) -> None:
    for number in range(24):
        width = {5: FAILS, 13: KILLS_ONCE}.get(number, 24)
        save_picture(tmp_path / f"images/{number}.png", size=(width, 16))
    (tmp_path / "images/broken.png").write_text("no picture")
    expected_rows, expected_files = undisturbed(tmp_path)

    status, output, errors = finish(start(tmp_path, *RAY))

    assert (status, errors) == (0, "")
    assert "2 workers of 1 CPU on 1 machine" in output
    assert "1 time a worker died and another one took over" in output
    assert rows(tmp_path / "session") == expected_rows
    assert feature_files(tmp_path / "session") == expected_files
    pictures, workers = zip(*computed(tmp_path), strict=True)
    assert len(set(workers)) >= 2, "the one that was killed, and the one that took over"
    assert len(pictures) == len(set(pictures)) == 23, "each image once"
    assert not list((tmp_path / "session").glob(".cluster-*"))


def test_extract_on_cluster__embedded_extractor_is_the_same_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the local engine; a worker of one processor has one anyway
    for number in range(4):
        save_picture(tmp_path / f"images/{number}.png", size=(96, 64))
    for session, arguments in (("local", ()), ("cluster", RAY)):
        config = write_config(tmp_path, session_dir=session, resize=96)
        command = [sys.executable, str(SCRIPT), "--config", str(config), "--yes", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert (done.returncode, done.stderr) == (0, "")
    assert rows(tmp_path / "cluster") == rows(tmp_path / "local")
    assert len(feature_files(tmp_path / "local")) == 9
    assert feature_files(tmp_path / "cluster") == feature_files(tmp_path / "local")


def test_extract_on_cluster__picture_that_kills_every_worker_fails_alone(tmp_path: Path) -> None:
    for number in range(6):
        save_picture(tmp_path / f"images/{number}.png", size=(KILLS_ALWAYS if number == 2 else 24, 16))
    write_config(tmp_path)
    status, output, errors = finish(start(tmp_path, *RAY))
    assert (status, errors) == (0, "")
    found = {row["path"]: row for row in rows(tmp_path / "session")}
    assert [found[f"{number}.png"]["features"] for number in range(6)] == ["ready"] * 2 + ["failed"] + ["ready"] * 3
    assert str(found["2.png"]["failure"]).startswith("2.png ended every worker that took it")
    assert "3 times a worker died" in output


def test_extract_on_cluster__interrupted_and_killed_driver(tmp_path: Path) -> None:
    n_images = 200  # more than are computed while the signal is on its way
    for number in range(n_images):
        save_picture(tmp_path / f"images/{number}.png")
    expected_rows, expected_files = undisturbed(tmp_path)

    driver = start(tmp_path, *RAY)
    wait_for(lambda: len(computed(tmp_path)) >= 4)
    driver.send_signal(signal.SIGINT)
    status, _, errors = finish(driver)
    assert (status, errors) == (130, "stopped. What is finished is kept: run the same command again to go on.\n")
    before = len(computed(tmp_path))
    assert before < n_images

    driver = start(tmp_path, *RAY)
    wait_for(lambda: len(computed(tmp_path)) >= before + 4)
    driver.kill()
    finish(driver)
    assert len(computed(tmp_path)) < n_images
    workers = {pid for _, pid in computed(tmp_path)}
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))

    status, _, errors = finish(start(tmp_path))
    assert (status, errors) == (0, "")
    assert rows(tmp_path / "session") == expected_rows
    assert feature_files(tmp_path / "session") == expected_files


def test_extract_on_cluster__nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(tmp_path / "images/0.png")
    config = write_config(tmp_path)
    assert init(config) == init(config, *RAY) == 0
    assert "workers of" not in capsys.readouterr().out, "Ray was not started"


def test_init__without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(tmp_path / "images/0.png")
    monkeypatch.setitem(sys.modules, "ray", None)
    assert init(write_config(tmp_path), "--engine", "ray") == 2
    assert 'run `pip install "fewclick[ray]"`' in capsys.readouterr().err
    assert not (tmp_path / "session").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["--engine", "ray", "--ray-address", "ray://head:10001"],
            "found 'ray://head:10001', expected HOST:PORT or auto",
        ),
        (["--ray-workers", "2"], "--ray-workers: expected --engine ray with it"),
        (["--engine", "ray", "--ray-gpus", "1.5"], "found '1.5', expected a number such as 1, 0.5 or 0"),
        (["--engine", "ray", "--background"], "choose one"),
    ],
)
def test_init__arguments_of_the_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    save_picture(tmp_path / "images/0.png")
    config = write_config(tmp_path)
    try:
        status: object = init(config, *arguments)
    except SystemExit as exit_:
        status = exit_.code
    assert status == 2
    assert reason in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "session").exists()


def test_recorder__second_answer_is_dropped(session_maker: Callable[..., ReadySession]) -> None:
    session = session_maker("session", Task.SEGMENTATION, features=False)
    database = Database.of_session(session.folder)
    advanced: list[int] = []
    with Heartbeat(database) as heartbeat:
        with database.write() as db_session:
            claims = claim_rest(db_session, heartbeat.worker_id, Strategy.SEQUENTIAL, 2)
        with Recorder(database, heartbeat.worker_id, advanced.append, pooled_is_all=False) as recorder:
            recorder.add(ImageAnswer(claims[0].id, FileFacts("a" * 64, 4, 4, 10, 10)))
            recorder.add(ImageAnswer(claims[0].id, FileFacts("a" * 64, failure="too late")))
            recorder.add(ImageAnswer(claims[1].id, FileFacts("b" * 64, failure="broken")))
    database.close()
    assert sum(advanced) == 2
    found = rows(session.folder)
    assert [(row["features"], row["failure"]) for row in found[:3]] == [
        ("ready", None), ("failed", "broken"), ("pending", None),
    ]  # fmt: skip


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
