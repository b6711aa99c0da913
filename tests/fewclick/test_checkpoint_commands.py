"""`fewclick checkpoints ...` on a session folder, without a server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db.database import Database
from db.enums import CheckpointKind, RunState
from db.queries.checkpoints import save_checkpoint_row
from db.queries.run_removal import RUNS_WITH_LOSSES
from db.queries.session_info import get_session_info
from db.tables.learning import Run as TrainingRun
from db.tables.learning import RunEpoch
from fewclick import cli
from models.adapter_files import AdapterDescription, write_adapter
from tests.fewclick.conftest import MakeSession
from tests.saved_checkpoints import put_checkpoint, rows_of

OLD, NEW = ((1, 1), (2, 2), (3, 1)), ((1, 1), (2, 1), (4, 2))
Run = Callable[..., str]


@pytest.fixture
def folder(make_session: MakeSession) -> Path:
    """A session with three live heads and one of a run."""
    session_dir = make_session("cells")
    database = Database.of_session(session_dir)
    put_checkpoint(session_dir, database, "live-1", OLD, accuracy=0.5, config={"training": {"extracted_weight": 0.3}})
    put_checkpoint(session_dir, database, "live-2", NEW, accuracy=0.934, config={"training": {"extracted_weight": 1.0}})
    put_checkpoint(session_dir, database, "live-3", NEW)
    put_checkpoint(session_dir, database, "run-7-epoch-12", NEW, kind=CheckpointKind.RUN)
    database.close()
    return session_dir


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Run:
    """Runs `fewclick checkpoints ...` in 80 columns; what it printed."""
    monkeypatch.setenv("COLUMNS", "80")

    def start(*arguments: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(["checkpoints", *arguments, "--session", str(folder)])
        printed = capsys.readouterr()
        assert ended.value.code == status, printed
        text = printed.out if status == 0 else printed.err
        assert "Traceback" not in text
        if "--json" not in arguments and status == 0:
            assert max(map(len, text.splitlines())) <= 80
        return text

    return start


def ids(folder: Path) -> list[int]:
    database = Database.of_session(folder)
    try:
        return [row.id for row in rows_of(database)]
    finally:
        database.close()


def test_list__what_a_person_looks_for(run: Run) -> None:
    for text in (run(), run("list")):
        assert "93% of 8" in text
        assert "unknown" in text
        assert "predicts" in text
        (line,) = [line for line in text.splitlines() if line.lstrip().startswith("3 ")]
        assert line.rstrip().endswith("predicts")
        assert "the live head predicts: checkpoint 3, no need to activate it" in text
    assert [row["id"] for row in json.loads(run("list", "--json"))] == [4, 3, 2, 1]


def test_list__in_pages(run: Run) -> None:
    run("activate", "1")
    text = run("list", "--limit", "2")
    assert "2 of 4, the older ones: --before 3" in text
    # It is on another page, and is told all the same.
    assert "checkpoint 1 predicts until the next annotation changes" in text
    rest = run("list", "--limit", "2", "--before", "3")
    assert "older ones" not in rest
    assert "predicts (active)" in rest
    assert [row["id"] for row in json.loads(run("list", "--json", "--before", "3"))] == [2, 1]


def test_list__none_yet(make_session: MakeSession, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["checkpoints", "--session", str(make_session("new"))])
    assert "no checkpoints yet" in capsys.readouterr().out


def test_inspect__provenance(run: Run) -> None:
    text = run("inspect", "2")
    for words in (
        "efficientnet_lite0",
        "numpy",
        "seed",
        "training.extracted_weight",
        "3 labels on 3 images",
        "2 human",
    ):
        assert words in text
    assert json.loads(run("inspect", "2", "--json"))["description"]["seed"] == 0


def test_inspect__adapter_says_how_it_is_used_and_no_problem(run: Run, folder: Path) -> None:
    database = Database.of_session(folder)
    with database.write() as db_session:
        path = "adapters/run-5-epoch-2.safetensors"
        extractor = get_session_info(db_session).extractor
        write_adapter(folder / path, b"factors", AdapterDescription(extractor, 1.0))
        adapter_id = save_checkpoint_row(db_session, CheckpointKind.ADAPTER, path, metrics={})[0].id
    database.close()
    text = " ".join(run("inspect", str(adapter_id)).split())
    assert "problem" not in text
    assert f"fewclick adopt {adapter_id}" in text


def test_compare__what_differs(run: Run) -> None:
    text = run("compare", "1", "2", "--no-measure")
    assert "training.extracted_weight" in text
    assert "+1 -0" in text
    assert "0.934" in text
    found = json.loads(run("compare", "1", "2", "--no-measure", "--json"))
    assert found["data"]["images_added"] == 1


def test_activate_rollback_release(run: Run) -> None:
    assert "checkpoint 4 (run) predicts until" in run("activate", "4")
    assert "active" in run("list")
    assert "checkpoint 3" in run("rollback")
    assert json.loads(run("rollback", "--json"))["id"] == 2
    assert "the live head predicts" in run("release")


def test_activate__the_head_that_predicts_already(run: Run) -> None:
    # The live head, and one that was chosen.
    assert "checkpoint 3 (live) predicts already" in run("activate", "3")
    assert "active" not in run("list")
    run("activate", "1")
    assert "checkpoint 1 (live) predicts already" in run("activate", "1")
    assert json.loads(run("activate", "1", "--json"))["id"] == 1


def test_rename__and_pin(run: Run) -> None:
    assert "'good' and is not pinned" in run("rename", "1", "good")
    assert "'good' and is pinned" in run("rename", "1", "--pin")
    assert "no name and is pinned" in run("rename", "1")
    assert "expected 1 to 80" in run("rename", "1", "x" * 81, status=2)


def test_prune__asks_and_removes(run: Run, folder: Path) -> None:
    assert "add --yes" in run("prune", "--keep", "1", status=2)
    assert ids(folder) == [1, 2, 3, 4]
    plan = run("prune", "--keep", "1", "--dry-run")
    assert "these go" in plan
    assert "stays: 3, the quality shown for the live head was measured on it" in plan
    run("prune", "--keep", "1", "--yes")
    assert ids(folder) == [3, 4]
    assert "nothing to remove" in run("prune", "--keep", "1", "--yes")


def test_prune__collects_what_a_killed_process_left(run: Run, folder: Path) -> None:
    database = Database.of_session(folder)
    put_checkpoint(folder, database, "live-9", ((9, 1),))
    with database.write() as db_session:  # as if the process had ended before the row was written
        db_session.delete(rows_of(database)[-1])
    database.close()
    checkpoints = folder / "checkpoints"
    (checkpoints / ".live-10.safetensors.x.tmp").write_bytes(b"half")
    assert "nothing to remove" in run("prune", "--yes")  # they may be in the making
    for path in checkpoints.rglob("*"):
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    assert "4 files that nothing refers to any more" in run("prune", "--dry-run")
    run("prune", "--yes")
    left = sorted(path.name for path in checkpoints.rglob("*") if path.is_file())
    assert not [name for name in left if "live-9" in name or name.endswith(".tmp")]
    assert len(left) == 2 * 4 + 2
    assert ids(folder) == [1, 2, 3, 4]


def test_prune__collects_what_runs_left(run: Run, folder: Path) -> None:
    database = Database.of_session(folder)
    with database.write() as db_session:
        runs = [TrainingRun(state=RunState.FINISHED) for _ in range(RUNS_WITH_LOSSES + 1)]
        db_session.add_all(runs)
        db_session.flush()
        db_session.add_all([RunEpoch(run_id=row.id, epoch=1, train_loss=0.5) for row in runs])
    database.close()
    state = folder / "runs" / "run-1.json"
    state.parent.mkdir()
    state.write_text("{}")
    os.utime(state, (time.time() - 3600, time.time() - 3600))
    plan = run("prune", "--dry-run")
    assert "1 file that nothing refers to any more" in plan
    assert "losses of 1 epoch of old runs without a checkpoint" in plan
    assert state.exists()
    run("prune", "--yes")
    assert not state.exists()
    assert "nothing to remove" in run("prune", "--yes")
    assert ids(folder) == [1, 2, 3, 4]


def test_prune__forgets_rows_whose_file_is_gone(run: Run, folder: Path) -> None:
    (folder / "checkpoints" / "live-1.safetensors").unlink()
    assert "without a file: 1" in run("prune", "--dry-run")
    run("prune", "--yes")
    assert ids(folder) == [2, 3, 4]


def test_delete(run: Run, folder: Path) -> None:
    assert "add --yes" in run("delete", "2", status=2)
    assert "removed checkpoint 2" in run("delete", "2", "--yes")
    assert ids(folder) == [1, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "99"], "there is no checkpoint 99"),
        (["inspect", "x"], "found x, expected a whole number from 1"),
        (["compare", "1", "1"], "name two different ones"),
        (["compare", "1"], "Missing argument"),
        (["prune", "--keep", "-1"], "found -1, expected a whole number from 0"),
        (["nothing"], "nothing"),
    ],
)
def test_bad_input__is_one_line_and_status_2(run: Run, arguments: list[str], words: str) -> None:
    text: Any = run(*arguments, status=2)
    assert words in text
    assert text.strip().count("\n") == 0


def test_inspect__of_no_checkpoint_names_the_command(run: Run) -> None:
    text = run("inspect", "99", status=2)
    assert "`fewclick checkpoints list`" in text
    assert "GET" not in text


def test_inspect__tells_what_is_held_out(run: Run) -> None:
    assert json.loads(run("inspect", "2", "--json"))["data"]["by_class"][0]["held_out"] == 0
    assert "held out" in run("inspect", "2")
