from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update

from db.enums import CheckpointKind, FeatureState, JobState, Origin, RunState, Split
from db.queries.checkpoints import activate, active_checkpoint
from db.queries.runs import request_run, request_stop
from db.queries.session_info import training_settings
from db.tables.images import Image
from db.tables.learning import Checkpoint, RunEpoch
from db.tables.processes import Event
from db.tasks import Task
from ml_service.checkpoint_description import read_description
from ml_service.run_setup import RunInputs, labels_now, make_setup
from ml_service.worker import Worker
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession, make_session, work_off


def _save(session: ToySession, image_id: int | None = None) -> int:
    with session.db.write() as db_session:
        return request_run(db_session, image_id).id


def _states(session: ToySession, run_id: int) -> list[str]:
    with session.db.read() as db_session:
        events = db_session.scalars(select(Event).where(Event.kind == "training").order_by(Event.id))
        states = [event.payload["state"] for event in events if event.payload.get("run_id") == run_id]
    return [state for n, state in enumerate(states) if n == 0 or states[n - 1] != state]


def _epochs(session: ToySession, run_id: int) -> list[tuple[int, float, float | None]]:
    with session.db.read() as db_session:
        rows = db_session.scalars(select(RunEpoch).where(RunEpoch.run_id == run_id).order_by(RunEpoch.epoch))
        return [(row.epoch, row.train_loss, row.val_loss) for row in rows]


@pytest.fixture
def labelled(segmentation: ToySession) -> ToySession:
    """Six labelled images, two of them held out, and short runs."""
    segmentation.click_halves(1, 2, 3, 4, 5, 6)
    segmentation.hold_out(2, 5)
    segmentation.tune(max_epochs=40, prediction_interval=10, learning_rate=1.0, early_stop_patience=1000)
    return segmentation


def _interrupt_at(monkeypatch: pytest.MonkeyPatch, worker: Worker, *steps: int | Callable[[], object]) -> None:
    """Do something at a given batch of the run, as another process would: (tick, action, tick, action, ...)."""
    actions = dict(zip(steps[::2], steps[1::2], strict=True))
    count = 0
    original = worker.is_stopping

    def is_stopping() -> bool:
        nonlocal count
        count += 1
        action = actions.get(count)
        if callable(action):
            action()
        return original()

    monkeypatch.setattr(worker, "is_stopping", is_stopping)


def test_execute__better_head_predicts_and_the_next_annotation_takes_over(labelled: ToySession) -> None:
    worker = labelled.worker()
    work_off(worker)
    live_version = labelled.info().head_version
    run_id = _save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.state, run.reason, run.epoch) == (RunState.FINISHED, "max_epochs", 40)
    assert run.metrics["held_out"]["loss"] < run.metrics["live"]["loss"]
    assert run.metrics["held_out"]["n_images"] == run.metrics["n_val"] == 2
    assert run.metrics["held_out_accuracy"] == 1
    assert "This run's head predicts now" in run.message
    with labelled.db.read() as db_session:
        active = active_checkpoint(db_session)
        assert active is not None
        assert (active.kind, active.run_id) == (CheckpointKind.RUN, run_id)
        versions = set(db_session.scalars(select(Image.predicted_version)))
    assert versions == {labelled.info().head_version}
    assert labelled.info().head_version > live_version
    prediction = labelled.prediction(3)
    assert prediction is not None
    assert (prediction.checkpoint_id, prediction.annotation_revision) == (active.id, 1)
    labelled.click(1, (12, 20, LEFT))
    work_off(worker)
    prediction = labelled.prediction(1)
    assert prediction is not None
    assert (prediction.checkpoint_id, prediction.annotation_revision) == (None, 2)


def test_make_setup__its_live_fit_gives_way(labelled: ToySession) -> None:
    context = labelled.context()
    for image_id in range(1, 7):
        labelled.click(image_id, *((float(x), 20.0, LEFT if x < 32 else RIGHT) for x in range(1, 64)))
    worker = labelled.worker()
    with labelled.db.read() as db_session:
        context.training_set.sync(db_session)
        settings = training_settings(labelled.info())
    pauses: list[int] = []
    inputs = RunInputs(context, settings.head, lambda: pauses.append(1))
    make_setup(
        context, worker.keeper.scalers.scaler, settings, {LEFT: "left", RIGHT: "right"}, inputs, labels_now(context)
    )
    # Once before the snapshot, once in it; the fit pauses before each of its steps.
    assert len(pauses) > 4


def test_execute__suspends_at_the_prediction_interval(labelled: ToySession) -> None:
    worker = labelled.worker()
    work_off(worker)
    run_id = _save(labelled)
    work_off(worker)
    states = _states(labelled, run_id)
    assert states == ["QUEUED", "RUNNING", *["SUSPENDED", "RUNNING"] * 4, "FINISHED"]


def test_execute__ends_with_a_prediction_even_before_the_interval(labelled: ToySession) -> None:
    labelled.tune(max_epochs=500, prediction_interval=400, early_stop_patience=1, early_stop_threshold=10.0)
    worker = labelled.worker()
    work_off(worker)
    run_id = _save(labelled)
    with labelled.db.write() as db_session:
        db_session.query(Event).delete()
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.reason, run.epoch) == ("early_stop", 2)
    with labelled.db.read() as db_session:
        events = db_session.scalars(select(Event).order_by(Event.id)).all()
    predicted = [n for n, event in enumerate(events) if event.payload.get("image_id") == 6]
    finished = [n for n, event in enumerate(events) if event.payload.get("state") == "FINISHED"]
    assert predicted[0] < finished[0]


def test_execute__without_validation_images_stops_on_the_training_loss(labelled: ToySession) -> None:
    labelled.hold_out()
    labelled.tune(max_epochs=500, early_stop_threshold=0.05, early_stop_patience=5)
    worker = labelled.worker()
    run_id = _save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.state, run.reason) == (RunState.FINISHED, "early_stop")
    assert run.metrics["held_out"] is None
    assert "no validation image" in run.message
    assert all(val_loss is None for _, _, val_loss in _epochs(labelled, run_id))
    with labelled.db.read() as db_session:
        assert active_checkpoint(db_session) is None


def test_execute__worse_head_is_kept_but_does_not_predict(labelled: ToySession) -> None:
    labelled.tune(max_epochs=1, learning_rate=1e-6)
    worker = labelled.worker()
    run_id = _save(labelled)
    work_off(worker)
    assert "The live head goes on predicting: its loss" in labelled.run(run_id).message
    with labelled.db.read() as db_session:
        assert active_checkpoint(db_session) is None
        assert db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one().path


def test_execute__same_split_in_every_run(labelled: ToySession) -> None:
    worker = labelled.worker()
    with labelled.db.read() as db_session:
        before = {image.id: image.split for image in db_session.scalars(select(Image))}
    for _ in range(3):
        _save(labelled)
        work_off(worker)
    with labelled.db.read() as db_session:
        assert {image.id: image.split for image in db_session.scalars(select(Image))} == before
    assert {before[2], before[5]} == {Split.VALIDATION}


def test_execute__each_run_starts_afresh_and_equals_the_last(labelled: ToySession) -> None:
    worker = labelled.worker()
    first = _save(labelled)
    work_off(worker)
    second = _save(labelled)
    work_off(worker)
    assert _epochs(labelled, first) == _epochs(labelled, second)


def test_execute__suspended_for_clicks_equals_an_unbroken_run(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    first = _save(labelled)
    work_off(worker)
    # An unlabelled change: it makes the run give way, but teaches nothing new.
    _interrupt_at(monkeypatch, worker, 7, lambda: _skip_and_back(labelled))
    second = _save(labelled)
    work_off(worker)
    assert _epochs(labelled, first) == _epochs(labelled, second)
    # Four predictions, and one for the click.
    assert _states(labelled, second).count("SUSPENDED") == 5


def _skip_and_back(session: ToySession) -> None:
    session.click(6, (12.0, 26.0, LEFT), (52.0, 26.0, RIGHT), (30.0, 26.0, RIGHT))
    session.click(6, (12.0, 26.0, LEFT), (52.0, 26.0, RIGHT))


def test_execute__click_during_a_run_that_keeps_to_its_labels_wins(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled.tune(follow_labels=False)
    worker = labelled.worker()
    work_off(worker)
    _interrupt_at(monkeypatch, worker, 5, lambda: labelled.click(6, (12, 20, LEFT)))
    run_id = _save(labelled)
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
    _interrupt_at(monkeypatch, worker, 25, lambda: labelled.click(6, (12, 20, LEFT)))
    run_id = _save(labelled)
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
    _interrupt_at(monkeypatch, worker, 85, lambda: labelled.click(6, (12, 20, LEFT)))
    run_id = _save(labelled)
    worker.step()
    run = labelled.run(run_id)
    assert [segment["after_epoch"] for segment in run.metrics["segments"]] == [0, 40]
    assert run.epoch == 80
    assert [epoch for epoch, _, _ in _epochs(labelled, run_id)] == list(range(1, 81))


@pytest.mark.parametrize("head", ["linear", "conv", "mlp"])
def test_execute__class_comes_and_goes_during_a_run(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    labelled.tune(head=head, early_stop_patience=100)
    worker = labelled.worker()
    work_off(worker)
    third = ((12.0, 26.0, LEFT), (52.0, 26.0, RIGHT), (30.0, 40.0, 3))
    _interrupt_at(monkeypatch, worker, 20, lambda: labelled.click(6, *third), 50, lambda: labelled.click(6, *third[:2]))
    run_id = _save(labelled)
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

    _interrupt_at(monkeypatch, worker, 5, clear)
    run_id = _save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert run.state is RunState.FAILED
    assert "found none" in run.message


def test_execute__stop_ends_at_the_next_batch_and_keeps_the_best(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()

    def stop() -> None:
        with labelled.db.write() as db_session:
            request_stop(db_session)

    _interrupt_at(monkeypatch, worker, 14, stop)
    run_id = _save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.state, run.reason) == (RunState.FINISHED, "stopped")
    assert run.epoch in (4, 5)
    with labelled.db.read() as db_session:
        assert db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one()


def test_execute__save_during_a_run_gets_a_run_of_its_own(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    later: list[int] = []
    _interrupt_at(monkeypatch, worker, 5, lambda: later.append(_save(labelled)))
    first = _save(labelled)
    work_off(worker)
    assert later == [first + 1]
    assert [labelled.run(run_id).state for run_id in (first, first + 1)] == [RunState.FINISHED] * 2


def test_execute__service_stopping_puts_the_run_back(labelled: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = labelled.worker()
    _interrupt_at(monkeypatch, worker, 5, worker.stop)
    run_id = _save(labelled)
    worker.step()
    run = labelled.run(run_id)
    job = labelled.jobs()[-1]
    assert (run.state, job.state, job.attempts) == (RunState.QUEUED, JobState.QUEUED, 0)
    worker.close()
    work_off(labelled.worker())
    run = labelled.run(run_id)
    assert (run.state, run.epoch) == (RunState.FINISHED, 40)
    assert len(_epochs(labelled, run_id)) == 40


def test_execute__infinite_loss_is_a_failure_with_a_remedy(labelled: ToySession) -> None:
    worker = labelled.worker()
    object.__setattr__(worker._context.parts, "loss", lambda logits, _y, _w: logits.sum() * float("inf"))
    run_id = _save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert run.state is RunState.FAILED
    assert "training loss became nan in epoch 1" in run.message
    assert "learning_rate" in run.message
    assert labelled.jobs()[-1].state is JobState.FAILED
    labelled.click_halves(1)
    work_off(worker)
    assert labelled.prediction(1) is not None


def test_execute__one_class_is_too_few(segmentation: ToySession) -> None:
    segmentation.click(1, (12, 20, LEFT))
    segmentation.hold_out()
    worker = segmentation.worker()
    run_id = _save(segmentation)
    work_off(worker)
    run = segmentation.run(run_id)
    assert run.state is RunState.FAILED
    assert "needs labels of at least 2 classes on training images with features, found 'left':" in run.message
    assert "label more images" in run.message


def test_execute__labelled_images_without_features_are_the_reason(segmentation: ToySession) -> None:
    segmentation.click(1, (12, 20, LEFT))
    segmentation.click(2, (12, 20, LEFT), (52, 20, RIGHT))
    with segmentation.db.write() as db_session:
        db_session.execute(update(Image).where(Image.id == 2).values(features=FeatureState.PENDING))
    worker = segmentation.worker()
    run_id = _save(segmentation)
    work_off(worker)
    assert "1 labelled image is still being prepared" in segmentation.run(run_id).message


def test_execute__class_only_on_validation_images_keeps_the_live_head(labelled: ToySession) -> None:
    labelled.click(2, (12, 20, LEFT), (52, 20, RIGHT), (30, 40, 3))
    worker = labelled.worker()
    run_id = _save(labelled)
    work_off(worker)
    assert "does not know every class" in labelled.run(run_id).message


def test_execute__settings_are_read_at_each_start(labelled: ToySession) -> None:
    worker = labelled.worker()
    for max_epochs in (3, 5):
        labelled.tune(max_epochs=max_epochs)
        run_id = _save(labelled)
        work_off(worker)
        assert labelled.run(run_id).epoch == max_epochs


@pytest.mark.parametrize(
    ("task", "stored", "kind"),
    [
        (Task.SEGMENTATION, "conv", "conv"),
        (Task.SEGMENTATION, "mlp", "mlp"),
        (Task.SEGMENTATION, "nonlinear", "conv"),
        (Task.CLASSIFICATION, "nonlinear", "mlp"),
    ],
)
def test_execute__hidden_layer(tmp_path: Path, task: Task, stored: str, kind: str) -> None:
    session = make_session(tmp_path, task, 10)
    if task is Task.SEGMENTATION:
        session.click_halves(*range(1, 9))
    else:
        session.label_rightly(range(1, 9))
    session.hold_out(2, 5)
    session.tune(max_epochs=60, head=stored)
    worker = session.worker()
    run_id = _save(session)
    work_off(worker)
    run = session.run(run_id)
    assert run.state is RunState.FINISHED
    with session.db.read() as db_session:
        checkpoint = db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one()
    assert read_description(session.folder, checkpoint.path).head_kind == kind
    with session.db.write() as db_session:
        activate(db_session, checkpoint.id)
    work_off(worker)
    prediction = session.prediction(9)
    assert prediction is not None
    assert prediction.checkpoint_id == checkpoint.id
    session.db.close()


def test_execute__run_keeps_one_checkpoint_whose_files_match(labelled: ToySession) -> None:
    worker = labelled.worker()
    run_id = _save(labelled)
    work_off(worker)
    with labelled.db.read() as db_session:
        checkpoint = db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one()
    files = sorted(path.name for path in (labelled.folder / "checkpoints").glob("run-*"))
    stem = Path(checkpoint.path).stem
    assert files == [f"{stem}.json", f"{stem}.safetensors"]
    description = read_description(labelled.folder, checkpoint.path)
    assert description.run_id == run_id
    assert description.class_names == ("left", "right")
    assert description.metrics == checkpoint.metrics == labelled.run(run_id).metrics


def test_make_setup__extracted_points_never_count_as_truth(labelled: ToySession) -> None:
    labelled.click(2, (12, 20, RIGHT), origin=Origin.EXTRACTED)
    context = labelled.context()
    with context.db.read() as db_session:
        context.training_set.sync(db_session)
    worker = labelled.worker()
    settings = training_settings(labelled.info())
    inputs = RunInputs(context, settings.head, lambda: None)
    setup = make_setup(context, worker.keeper.scalers.scaler, settings, {}, inputs, labels_now(context))
    assert setup.held_out is not None
    assert set(setup.held_out.image_ids.tolist()) == {5}
    assert not set(setup.training.image_ids.tolist()) & {2, 5}


def test_execute__a_restarted_run_keeps_the_checkpoints_there_are(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    work_off(worker)
    first = _save(labelled)
    work_off(worker)
    with labelled.db.read() as db_session:
        before = {checkpoint.id: checkpoint.path for checkpoint in db_session.scalars(select(Checkpoint))}
    _interrupt_at(monkeypatch, worker, 5, worker.stop)
    second = _save(labelled)
    worker.step()
    assert labelled.run(second).state is RunState.QUEUED
    with labelled.db.read() as db_session:
        after = {checkpoint.id: checkpoint.path for checkpoint in db_session.scalars(select(Checkpoint))}
    assert after == before
    assert all((labelled.folder / path).is_file() for path in after.values())
    assert labelled.run(first).state is RunState.FINISHED


def test_execute__stop_while_the_labels_are_read(labelled: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled.tune(head="conv")
    worker = labelled.worker()
    work_off(worker)

    def stop() -> None:
        with labelled.db.write() as db_session:
            request_stop(db_session)

    _interrupt_at(monkeypatch, worker, 4, stop)
    run_id = _save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.state, run.reason, run.epoch) == (RunState.FINISHED, "stopped", 0)
    assert "Stopped before its first epoch" in run.message


def test_execute__run_that_was_left_goes_on_with_the_labels_that_came_since(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    work_off(worker)
    _interrupt_at(monkeypatch, worker, 30, worker.stop)
    run_id = _save(labelled)
    worker.step()
    worker.close()
    left = labelled.run(run_id).epoch
    assert left > 5
    labelled.click(6, (12.0, 26.0, LEFT), (52.0, 26.0, RIGHT), (30.0, 40.0, 3))
    work_off(labelled.worker())
    run = labelled.run(run_id)
    assert run.state is RunState.FINISHED
    assert [segment["after_epoch"] for segment in run.metrics["segments"]] == [0, left]
    assert [segment["class_ids"] for segment in run.metrics["segments"]] == [[1, 2], [1, 2, 3]]
    assert [epoch for epoch, _, _ in _epochs(labelled, run_id)] == list(range(1, run.epoch + 1))


def test_execute__run_that_keeps_to_its_labels_begins_anew_when_they_changed_while_it_was_left(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled.tune(follow_labels=False)
    worker = labelled.worker()
    work_off(worker)
    _interrupt_at(monkeypatch, worker, 30, worker.stop)
    run_id = _save(labelled)
    worker.step()
    worker.close()
    labelled.click(6, (12.0, 26.0, LEFT))
    work_off(labelled.worker())
    run = labelled.run(run_id)
    assert (run.state, run.epoch, len(run.metrics["segments"])) == (RunState.FINISHED, 40, 1)


def test_execute__contradicting_points_of_a_cell_are_one_soft_sample(labelled: ToySession) -> None:
    labelled.click(1, (12, 20, LEFT), (13, 21, RIGHT), (52, 20, RIGHT))
    worker = labelled.worker()
    run_id = _save(labelled)
    work_off(worker)
    (segment,) = labelled.run(run_id).metrics["segments"]
    assert segment["n_train_samples"] == 8


@pytest.mark.parametrize("head", ["linear", "conv", "mlp"])
def test_execute__handed_from_service_to_service_equals_an_unbroken_run(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    labelled.tune(head=head, max_epochs=20, early_stop_patience=100)
    generator = np.random.default_rng(5)
    broken = _save(labelled)
    for _ in range(3):
        worker = labelled.worker()
        _interrupt_at(monkeypatch, worker, int(generator.integers(4, 16)), worker.stop)
        worker.step()
        worker.close()
        assert labelled.run(broken).state is RunState.QUEUED
    worker = labelled.worker()
    work_off(worker)
    unbroken = _save(labelled)
    work_off(worker)
    assert labelled.run(broken).epoch == 20
    assert _epochs(labelled, broken) == _epochs(labelled, unbroken)
    assert labelled.run(broken).best_epoch == labelled.run(unbroken).best_epoch
    assert not list((labelled.folder / "runs").iterdir())


def test_execute__run_that_was_left_begins_anew_with_another_extractor(
    labelled: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = labelled.worker()
    work_off(worker)
    _interrupt_at(monkeypatch, worker, 30, worker.stop)
    run_id = _save(labelled)
    worker.step()
    worker.close()
    assert labelled.run(run_id).epoch > 5
    path = labelled.folder / "runs" / f"run-{run_id}.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"extractor": content["extractor"] | {"weights_hash": "another"}}))
    worker = labelled.worker()
    _interrupt_at(monkeypatch, worker, 6, worker.stop)
    worker.step()
    assert labelled.run(run_id).epoch < 5
    worker.close()
