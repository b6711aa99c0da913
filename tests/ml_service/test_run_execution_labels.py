"""Labels that change while a run lasts, or while it is left."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from db.enums import RunState
from db.tables.images import Image
from db.tables.learning import Checkpoint
from ml_service.checkpoint_description import read_description
from tests.ml_service.runs import epochs_of, interrupt_at, leave_run, save, states_told
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession, work_off


def test_execute__suspended_for_clicks_equals_an_unbroken_run(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    first = save(labelled)
    work_off(worker)
    # An unlabelled change: it makes the run give way, but teaches nothing new.
    interrupt_at(monkeypatch, worker, 7, lambda: _skip_and_back(labelled))
    second = save(labelled)
    work_off(worker)
    assert epochs_of(labelled, first) == epochs_of(labelled, second)
    # Four predictions, and one for the click.
    assert states_told(labelled, second).count("SUSPENDED") == 5


def _skip_and_back(session: ToySession) -> None:
    session.click(6, (12.0, 26.0, LEFT), (52.0, 26.0, RIGHT), (30.0, 26.0, RIGHT))
    session.click(6, (12.0, 26.0, LEFT), (52.0, 26.0, RIGHT))


def test_execute__click_during_a_run_that_keeps_to_its_labels_wins(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled.tune(follow_labels=False)
    worker = labelled.worker()
    work_off(worker)
    interrupt_at(monkeypatch, worker, 5, lambda: labelled.click(6, (12, 20, LEFT)))
    run_id = save(labelled)
    worker.step()
    run = labelled.run(run_id)
    assert run.state is RunState.FINISHED
    assert "newer than this run" in run.message
    assert len(run.metrics["segments"]) == 1
    prediction = labelled.prediction(6)
    assert prediction is not None
    assert prediction.checkpoint_id is None
    with labelled.db.read() as db_session:
        assert prediction.annotation_revision == db_session.get_one(Image, 6).revision


def test_execute__click_during_a_run_is_learned_from(labelled: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = labelled.worker()
    work_off(worker)
    interrupt_at(monkeypatch, worker, 25, lambda: labelled.click(6, (12, 20, LEFT)))
    run_id = save(labelled)
    worker.step()
    run = labelled.run(run_id)
    first, second = run.metrics["segments"]
    assert (first["after_epoch"], first["n_train_samples"], second["n_train_samples"]) == (0, 8, 7)
    assert run.reason == "max_epochs"
    assert run.epoch == second["after_epoch"] + 40
    assert "This run's head predicts now" in run.message
    prediction = labelled.prediction(6)
    assert prediction is not None
    assert prediction.checkpoint_id is not None
    assert prediction.annotation_revision == 2
    with labelled.db.read() as db_session:
        checkpoint = db_session.get_one(Checkpoint, prediction.checkpoint_id)
    description = read_description(labelled.folder, checkpoint.path)
    assert description.revisions[6] == 2
    assert description.dataset_hash == second["dataset_hash"] != first["dataset_hash"]


def test_execute__labels_of_a_run_about_to_end_are_learned_from(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    work_off(worker)
    interrupt_at(monkeypatch, worker, 85, lambda: labelled.click(6, (12, 20, LEFT)))
    run_id = save(labelled)
    worker.step()
    run = labelled.run(run_id)
    assert [segment["after_epoch"] for segment in run.metrics["segments"]] == [0, 40]
    assert run.epoch == 80
    assert [epoch for epoch, _, _ in epochs_of(labelled, run_id)] == list(range(1, 81))


@pytest.mark.parametrize("head", ["linear", "conv", "mlp"])
def test_execute__class_comes_and_goes_during_a_run(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    labelled.tune(head=head, early_stop_patience=100)
    worker = labelled.worker()
    work_off(worker)
    third = ((12.0, 26.0, LEFT), (52.0, 26.0, RIGHT), (30.0, 40.0, 3))
    interrupt_at(monkeypatch, worker, 20, lambda: labelled.click(6, *third), 50, lambda: labelled.click(6, *third[:2]))
    run_id = save(labelled)
    worker.step()
    run = labelled.run(run_id)
    assert run.state is RunState.FINISHED
    assert [segment["class_ids"] for segment in run.metrics["segments"]] == [[1, 2], [1, 2, 3], [1, 2]]
    with labelled.db.read() as db_session:
        checkpoint = db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one()
    assert read_description(labelled.folder, checkpoint.path).class_ids == (1, 2)


def test_execute__labels_taken_away_during_a_run_fail_it(labelled: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = labelled.worker()
    work_off(worker)

    def clear() -> None:
        for image_id in range(1, 7):
            labelled.click(image_id)

    interrupt_at(monkeypatch, worker, 5, clear)
    run_id = save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert run.state is RunState.FAILED
    assert "found none" in run.message


def test_execute__run_that_was_left_goes_on_with_the_labels_that_came_since(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = leave_run(labelled, monkeypatch, 30)
    left = labelled.run(run_id).epoch
    assert left > 5
    labelled.click(6, (12.0, 26.0, LEFT), (52.0, 26.0, RIGHT), (30.0, 40.0, 3))
    work_off(labelled.worker())
    run = labelled.run(run_id)
    assert run.state is RunState.FINISHED
    assert [segment["after_epoch"] for segment in run.metrics["segments"]] == [0, left]
    assert [segment["class_ids"] for segment in run.metrics["segments"]] == [[1, 2], [1, 2, 3]]
    assert [epoch for epoch, _, _ in epochs_of(labelled, run_id)] == list(range(1, run.epoch + 1))


def test_execute__run_that_keeps_to_its_labels_begins_anew_when_they_changed_while_it_was_left(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled.tune(follow_labels=False)
    run_id = leave_run(labelled, monkeypatch, 30)
    labelled.click(6, (12.0, 26.0, LEFT))
    work_off(labelled.worker())
    run = labelled.run(run_id)
    assert (run.state, run.epoch, len(run.metrics["segments"])) == (RunState.FINISHED, 40, 1)
