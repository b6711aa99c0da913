"""Several classes per image, from an answer to predictions, runs and checkpoints: the real worker on a toy session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit
from sqlalchemy import select

from db.enums import CheckpointKind, RunState
from db.queries.annotations import undo
from db.queries.checkpoints import activate
from db.queries.class_groups import put_into_group
from db.queries.classes import add_class, remove_class
from db.queries.next_image import next_image
from db.queries.runs import request_run
from db.queries.session_info import HeadKind, Strategy, TrainingSettings
from db.tables.images import Image
from db.tables.learning import Checkpoint
from db.tables.session import LabelClass
from ml_service.data_loaders.base import collect
from ml_service.data_snapshot import DataSnapshot, load_snapshot, save_snapshot
from ml_service.heads.multilabel_head import fit_multilabel_head
from ml_service.heads.scaler import FeatureScaler
from ml_service.losses.multilabel import multilabel_loss
from ml_service.metrics import measure
from ml_service.probability_calibration import ANY_CLASSES, calibrate
from ml_service.quality_figures import describe
from ml_service.run_setup import RunInputs, RunSetup, labels_now, make_setup
from ml_service.worker import Worker
from tests.ml_service.multilabel_session import (
    CAR,
    DAY,
    NIGHT,
    answer,
    answer_rightly,
    make_multilabel_session,
    true_classes,
)
from tests.ml_service.toy_session import EXTRACTOR, ToySession, add_images, work_off


@pytest.fixture
def session(tmp_path: Path) -> ToySession:
    torch.set_num_threads(1)
    return make_multilabel_session(tmp_path / "session", 24)


def predicted(session: ToySession, image_id: int) -> dict[int, float]:
    prediction = session.prediction(image_id)
    assert prediction is not None
    assert prediction.probabilities is not None
    return dict(zip(prediction.class_ids, prediction.probabilities, strict=True))


def chosen(session: ToySession, image_id: int) -> list[int]:
    return [class_id for class_id, p in predicted(session, image_id).items() if p > 0.5]


def run_now(session: ToySession, worker: Worker, **training: object) -> Checkpoint:
    session.tune(max_epochs=200, early_stop_patience=50, prediction_interval=100, **training)
    with session.db.write() as db_session:
        run = request_run(db_session)
        run_id = run.id
    work_off(worker)
    assert session.run(run_id).state is RunState.FINISHED, session.run(run_id).message
    with session.db.read() as db_session:
        return db_session.scalars(select(Checkpoint).where(Checkpoint.run_id == run_id)).one()


def test_live__learns_all_classes_at_once(session: ToySession) -> None:
    worker = session.worker()
    answer_rightly(session, range(1, 13))
    work_off(worker)
    for image_id in range(1, 25):
        p = predicted(session, image_id)
        assert chosen(session, image_id) == true_classes(image_id)
        assert p[DAY] + p[NIGHT] <= 1
    with session.db.read() as db_session:
        assert (db_session.get_one(Image, 20).uncertainty or 0) > 0
        assert next_image(db_session, Strategy.LEAST_CONFIDENT) is not None
    worker.close()


def test_live__an_image_without_classes_teaches(session: ToySession) -> None:
    worker = session.worker()
    answer(session, 6, [])
    work_off(worker)
    assert predicted(session, 1) == pytest.approx({DAY: 0.25, NIGHT: 0.25, CAR: 1 / 3})
    answer(session, 7, [NIGHT, CAR])
    work_off(worker)
    assert predicted(session, 6)[CAR] < 0.5 < predicted(session, 7)[CAR]
    worker.close()


def test_live__undo_brings_back_the_very_prediction(session: ToySession) -> None:
    worker = session.worker()
    answer_rightly(session, range(1, 7))
    work_off(worker)
    before = predicted(session, 6)
    answer(session, 6, [DAY, CAR])
    work_off(worker)
    assert predicted(session, 6) != before
    with session.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 6))
    work_off(worker)
    assert predicted(session, 6) == before
    # Nor does a restart change anything.
    worker.close()
    again = session.worker()
    work_off(again)
    answer(session, 6, [CAR])
    with session.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 6))
    work_off(again)
    assert predicted(session, 6) == before
    again.close()


def test_live__follows_groups_and_classes(session: ToySession) -> None:
    worker = session.worker()
    answer_rightly(session, range(1, 13))
    work_off(worker)
    grouped = predicted(session, 20)
    with session.db.write() as db_session:
        put_into_group(db_session, db_session.get_one(LabelClass, NIGHT), None)
    work_off(worker)
    assert predicted(session, 20) != grouped
    with session.db.write() as db_session:
        bus = add_class(db_session, "bus", None).id
        remove_class(db_session, DAY)
    work_off(worker)
    p = predicted(session, 20)
    assert list(p) == [NIGHT, CAR, bus]
    # Nobody was asked yet.
    assert p[bus] == pytest.approx(1 / 3)
    for image_id in (13, 14, 15):
        answer(session, image_id, [CAR])
    work_off(worker)
    assert predicted(session, 20)[bus] == pytest.approx(1 / 5)
    worker.close()


def test_unasked__a_class_added_later_is_unknown_and_no_error(session: ToySession) -> None:
    context = session.context()
    answer_rightly(session, range(1, 7))
    with session.db.read() as db_session:
        context.training_set.sync(db_session)
    before = DataSnapshot.of(one.image for one in context.training_set.images).hash
    with session.db.write() as db_session:
        bus = add_class(db_session, "bus", None).id
        dusk = add_class(db_session, "dusk", None, "light").id
    answer(session, 1, [CAR, bus])
    with session.db.read() as db_session:
        context.training_set.sync(db_session)
    images, present = context.training_set.images, context.training_set.class_ids
    samples = collect(images, present, 1.0)
    assert samples is not None
    columns = [present.index(bus), present.index(dusk)]
    # Images 2 and 5 are neither of the day nor of the night; dusk is excluded on the others.
    expected = [[1, 0], [np.nan, np.nan], [np.nan, 0], [np.nan, 0], [np.nan, np.nan], [np.nan, 0]]
    np.testing.assert_array_equal(samples.targets[:, columns], expected)
    assert not np.isnan(samples.targets[:, [present.index(k) for k in (DAY, NIGHT, CAR)]]).any()
    # A snapshot keeps it, and the fit and the figures leave it out.
    snapshot = DataSnapshot.of(one.image for one in images)
    assert snapshot.hash != before
    assert load_snapshot(session.folder, save_snapshot(session.folder, snapshot)) == snapshot
    logits = np.where(np.nan_to_num(samples.targets, nan=1.0) > 0.5, 9.0, -9.0).astype(np.float32)
    output = context.parts.output
    quality = measure(logits, samples.targets, samples.weights, samples.image_ids, output)
    assert quality.accuracy == quality.mean_iou == 1.0
    assert quality.loss < 0.01
    figures = describe(logits, samples.targets, samples.image_ids, present, output)
    assert [(one.support, one.predicted) for one in figures.classes][-2:] == [(1, 1), (0, 0)]
    assert collect(images[1:2], [bus, dusk], 1.0) is None
    head = fit_multilabel_head(
        samples,
        context.parts.group_of(present),
        scaler=FeatureScaler.identity(EXTRACTOR.pooled_dim),
        config=context.parts.live_config,
    )
    assert expit(head.logits(samples.inputs)[:, columns[0]]) == pytest.approx(2 / 3)
    tensors = [torch.from_numpy(values) for values in (logits, samples.targets, samples.weights)]
    assert float(multilabel_loss(*tensors)) == pytest.approx(quality.loss, rel=1e-2)
    context.db.close()


def test_calibration__counts_known_answers_alone() -> None:
    logits = np.array([[2.0, -2.0], [2.0, 2.0], [-2.0, 1.0]])
    targets = np.array([[1.0, 0.0], [1.0, np.nan], [0.0, 1.0]])
    found = calibrate(logits, targets, np.arange(3), ANY_CLASSES)
    assert sum(one.count for one in found.bins) == 5
    assert np.isfinite([found.brier, found.log_loss, found.temperature, found.log_loss_after]).all()


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_run__checkpoints_hold_the_groups(session: ToySession, head: str) -> None:
    worker = session.worker()
    answer_rightly(session, range(1, 19))
    session.hold_out(15, 16, 17, 18)
    work_off(worker)
    checkpoint = run_now(session, worker, head=head, learning_rate=0.05)
    held_out = checkpoint.metrics["held_out"]
    assert (held_out["n_samples"], held_out["accuracy"]) == (4, 1.0)
    with session.db.write() as db_session:
        live = db_session.scalars(select(Checkpoint).where(Checkpoint.kind == CheckpointKind.LIVE)).first()
        assert live is not None
        # What the groups are now means nothing to a head that was trained with others.
        put_into_group(db_session, db_session.get_one(LabelClass, NIGHT), None)
    work_off(worker)
    for one in (checkpoint, live):
        with session.db.write() as db_session:
            activate(db_session, one.id)
        work_off(worker)
        rows = [predicted(session, image_id) for image_id in range(19, 25)]
        assert [chosen(session, image_id) for image_id in range(19, 25)] == [true_classes(i) for i in range(19, 25)]
        assert max(p[DAY] + p[NIGHT] for p in rows) <= 1
        prediction = session.prediction(20)
        assert prediction is not None
        assert prediction.checkpoint_id == one.id
    worker.close()


def test_run__other_groups_are_other_labels(session: ToySession) -> None:
    context = session.context()
    answer_rightly(session, range(1, 13))
    names = {DAY: "day", NIGHT: "night", CAR: "car"}

    def setup_now() -> RunSetup:
        with session.db.read() as db_session:
            context.training_set.sync(db_session)
        inputs = RunInputs(context, HeadKind.LINEAR, lambda: None)
        scaler = FeatureScaler.identity(EXTRACTOR.pooled_dim)
        return make_setup(context, scaler, TrainingSettings(), names, inputs, labels_now(context))

    before = setup_now()
    assert before.is_equal_to(setup_now())
    with session.db.write() as db_session:
        put_into_group(db_session, db_session.get_one(LabelClass, NIGHT), None)
    assert not before.is_equal_to(setup_now())
    context.db.close()


def test_run__needs_answers_that_differ(session: ToySession) -> None:
    worker = session.worker()
    for image_id in (1, 2, 3):
        answer(session, image_id, [CAR])
    work_off(worker)
    with session.db.write() as db_session:
        run_id = request_run(db_session).id
    work_off(worker)
    run = session.run(run_id)
    assert run.state is RunState.FAILED
    assert "training images with features that differ in their classes" in run.message
    worker.close()


def test_split__each_class_is_held_out_in_its_share(tmp_path: Path) -> None:
    session = make_multilabel_session(tmp_path / "many", 1)
    add_images(session, range(2, 161), n_ready=0)
    rare = {image_id for image_id in range(1, 161) if image_id % 10 == 0}
    for image_id in range(1, 161):
        answer(session, image_id, [NIGHT] * (image_id in rare) + [CAR] * (image_id % 2))
    with session.db.read() as db_session:
        held_out = {row.id for row in db_session.query(Image) if row.split == "validation"}
    assert len(held_out & rare) / len(rare) == pytest.approx(0.2, abs=0.1)
    odd = set(range(1, 161, 2))
    assert len(held_out & odd) / len(odd) == pytest.approx(0.2, abs=0.05)
    assert len(held_out) / 160 == pytest.approx(0.2, abs=0.05)


def test_prediction__least_confident_minority_finds_the_rare_class(session: ToySession) -> None:
    worker = session.worker()
    answer_rightly(session, range(1, 9))
    work_off(worker)
    with session.db.read() as db_session:
        pick = next_image(db_session, Strategy.LEAST_CONFIDENT_MINORITY)
    assert pick is not None
    assert pick.row.image.predicted_class_id in (DAY, NIGHT)
    assert np.isfinite(pick.row.image.uncertainty or np.nan)
    worker.close()
