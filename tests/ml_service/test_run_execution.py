from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from db.enums import CheckpointKind, FeatureState, JobState, Origin, RunState, Split
from db.queries.checkpoints import activate, active_checkpoint
from db.queries.session_info import training_settings
from db.tables.images import Image
from db.tables.learning import Checkpoint
from db.tables.processes import Event
from db.tasks import Task
from ml_service.checkpoint_description import read_description
from ml_service.run_setup import RunInputs, labels_now, make_setup
from tests.ml_service.runs import epochs_of, save
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession, make_session, work_off


def test_execute__better_head_predicts_and_the_next_annotation_takes_over(labelled: ToySession) -> None:
    worker = labelled.worker()
    work_off(worker)
    live_version = labelled.info().head_version
    run_id = save(labelled)
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


def test_execute__ends_with_a_prediction_even_before_the_interval(labelled: ToySession) -> None:
    labelled.tune(max_epochs=500, prediction_interval=400, early_stop_patience=1, early_stop_threshold=10.0)
    worker = labelled.worker()
    work_off(worker)
    run_id = save(labelled)
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
    run_id = save(labelled)
    work_off(worker)
    run = labelled.run(run_id)
    assert (run.state, run.reason) == (RunState.FINISHED, "early_stop")
    assert run.metrics["held_out"] is None
    assert "no validation image" in run.message
    assert all(val_loss is None for _, _, val_loss in epochs_of(labelled, run_id))
    with labelled.db.read() as db_session:
        assert active_checkpoint(db_session) is None


def test_execute__worse_head_is_kept_but_does_not_predict(labelled: ToySession) -> None:
    labelled.tune(max_epochs=1, learning_rate=1e-6)
    worker = labelled.worker()
    run_id = save(labelled)
    work_off(worker)
    assert "The live head goes on predicting: the live head's loss" in labelled.run(run_id).message
    with labelled.db.read() as db_session:
        assert active_checkpoint(db_session) is None
        assert db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one().path


def test_execute__same_split_in_every_run(labelled: ToySession) -> None:
    worker = labelled.worker()
    with labelled.db.read() as db_session:
        before = {image.id: image.split for image in db_session.scalars(select(Image))}
    for _ in range(3):
        save(labelled)
        work_off(worker)
    with labelled.db.read() as db_session:
        assert {image.id: image.split for image in db_session.scalars(select(Image))} == before
    assert {before[2], before[5]} == {Split.VALIDATION}


def test_execute__each_run_starts_afresh_and_equals_the_last(labelled: ToySession) -> None:
    worker = labelled.worker()
    first = save(labelled)
    work_off(worker)
    second = save(labelled)
    work_off(worker)
    assert epochs_of(labelled, first) == epochs_of(labelled, second)


def test_execute__infinite_loss_is_a_failure_with_a_remedy(labelled: ToySession) -> None:
    worker = labelled.worker()
    object.__setattr__(worker._context.parts, "loss", lambda logits, _y, _w: logits.sum() * float("inf"))
    run_id = save(labelled)
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
    run_id = save(segmentation)
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
    run_id = save(segmentation)
    work_off(worker)
    assert "1 labelled image is still being prepared" in segmentation.run(run_id).message


def test_execute__class_only_on_validation_images_keeps_the_live_head(labelled: ToySession) -> None:
    labelled.click(2, (12, 20, LEFT), (52, 20, RIGHT), (30, 40, 3))
    worker = labelled.worker()
    run_id = save(labelled)
    work_off(worker)
    assert "does not know every class" in labelled.run(run_id).message


def test_execute__settings_are_read_at_each_start(labelled: ToySession) -> None:
    worker = labelled.worker()
    for max_epochs in (3, 5):
        labelled.tune(max_epochs=max_epochs)
        run_id = save(labelled)
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
    run_id = save(session)
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
    run_id = save(labelled)
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


def test_execute__contradicting_points_of_a_cell_are_one_soft_sample(labelled: ToySession) -> None:
    labelled.click(1, (12, 20, LEFT), (13, 21, RIGHT), (52, 20, RIGHT))
    worker = labelled.worker()
    run_id = save(labelled)
    work_off(worker)
    (segment,) = labelled.run(run_id).metrics["segments"]
    assert segment["n_train_samples"] == 8
