from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import select

from db.enums import CheckpointKind
from db.queries.annotations import clear, undo
from db.queries.class_groups import put_into_group
from db.queries.measurements import KEPT, newest_measurement, save_measurement
from db.queries.training_data import annotated_images
from db.tables.images import Image
from db.tables.learning import Checkpoint, Measurement
from db.tables.processes import Event
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Task
from ml_service import quality_measurement
from ml_service.data_snapshot import DataSnapshot, save_snapshot
from ml_service.judging import judge
from ml_service.leading_figure import CROSS_VALIDATION, HELD_OUT
from ml_service.quality_measurement import ENOUGH_HELD_OUT_IMAGES
from tests.ml_service.multilabel_session import NIGHT, answer_rightly, make_multilabel_session
from tests.ml_service.toy_session import ToySession, make_session, true_class, work_off


def _newest(session: ToySession) -> Measurement:
    with session.db.read() as db_session:
        found = newest_measurement(db_session)
    assert found is not None
    return found


def _details(session: ToySession) -> dict[str, Any]:
    details = _newest(session).details
    assert details is not None
    return details


def test_step__few_labels_are_cross_validated(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label_rightly(range(1, 21))
    work_off(worker)
    newest = _newest(classification)
    assert (newest.method, newest.n_labels, newest.n_images) == (CROSS_VALIDATION, 20, 20)
    assert newest.value is not None
    assert newest.low is not None
    assert newest.high is not None
    assert newest.low < 0.9 < newest.value <= newest.high
    figures = _details(classification)[CROSS_VALIDATION]
    assert figures["n_samples"] == figures["n_images"] == 20
    assert figures["confusion"]["class_ids"] == [1, 2]
    assert sum(map(sum, figures["confusion"]["counts"])) == 20
    points = _details(classification)["curve"]["points"]
    assert [point["n_images"] for point in points] == [4, 8, 12, 16]
    with classification.db.read() as db_session:
        heard = db_session.scalars(select(Event).where(Event.kind == "training")).all()
    assert heard[-1].payload == {"measurement_id": newest.id}


def test_step__held_out_images_are_counted_beside(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label_rightly(range(1, 21))
    classification.hold_out(1, 2, 3, 4, 5, 6)
    classification.label(7, true_class(8))
    work_off(worker)
    held_out = _details(classification)[HELD_OUT]
    assert (held_out["n_samples"], held_out["n_images"]) == (6, 6)
    assert held_out["accuracy"]["value"] > 0.8


def test_step__enough_held_out_images_need_nothing_else(tmp_path: Any) -> None:
    session = make_session(tmp_path, Task.CLASSIFICATION, 80)
    worker = session.worker(live_checkpoint_delay_s=1e6)
    session.label_rightly(range(1, 81))
    session.hold_out(*range(1, ENOUGH_HELD_OUT_IMAGES + 1))
    session.label(80, true_class(79))
    work_off(worker)
    worker = session.worker()
    work_off(worker)
    details = _details(session)
    assert _newest(session).method == HELD_OUT
    assert details[CROSS_VALIDATION] is None
    assert details["curve"]["method"] == HELD_OUT
    assert details["curve"]["points"][-1]["n_images"] == 30
    session.db.close()


def test_step__images_that_the_model_picked_measure_nothing(classification: ToySession) -> None:
    with classification.db.write() as db_session:
        for image in db_session.query(Image).where(Image.id <= 8):
            image.picked_by_model = True
    worker = classification.worker()
    classification.label_rightly(range(1, 21))
    work_off(worker)
    assert _details(classification)[CROSS_VALIDATION]["n_images"] == 12


def test_step__says_how_many_images_the_model_picked(classification: ToySession) -> None:
    worker = classification.worker()
    with classification.db.write() as db_session:
        for image_id in (3, 4, 5):
            db_session.get_one(Image, image_id).picked_by_model = True
    classification.label_rightly(range(1, 21))
    work_off(worker)
    assert _details(classification)["n_picked_images"] == 3


def test_step__unknown_where_too_little_is_labelled(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label_rightly([1, 2, 3, 4])
    work_off(worker)
    newest = _newest(classification)
    assert (newest.method, newest.value) == (None, None)
    figures = _details(classification)[CROSS_VALIDATION]
    assert figures["accuracy"] is None
    assert "at least 5 labels" in figures["unknown"]
    assert _details(classification)["curve"] is None


def test_step__points_of_one_image_stay_together(segmentation: ToySession) -> None:
    worker = segmentation.worker()
    segmentation.click_halves(1, 2, 3, 4, 5, 6)
    work_off(worker)
    figures = _details(segmentation)[CROSS_VALIDATION]
    assert (figures["n_samples"], figures["n_images"]) == (12, 6)
    # Not one of the curve's quarters could be told with so few images.
    assert _details(segmentation)["curve"] is None


def test_step__long_fits_run_beside_the_clicks(classification: ToySession, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = classification.worker()
    classification.label_rightly(range(1, 21))
    work_off(worker)
    inline = _details(classification)
    with classification.db.write() as db_session:
        db_session.query(Measurement).delete()
    worker.close()
    monkeypatch.setattr(quality_measurement, "INLINE_LABELS", 0)
    worker = classification.worker()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and worker._quality.held_out is None:
        worker.step()
    while time.monotonic() < deadline and worker._quality.is_pending:
        worker.step()
    assert _details(classification) == inline
    worker.close()


def _adopt_adapter(session: ToySession, *, with_record: bool = True) -> None:
    """An adapter that was fine-tuned on the labels of now, in force; the features stay as they are."""
    with session.db.write() as db_session:
        dataset_hash = None
        if with_record:
            dataset_hash = save_snapshot(session.folder, DataSnapshot.of(annotated_images(db_session, session.task)))
        path = "adapters/run-1-epoch-1.safetensors"
        db_session.add(Checkpoint(kind=CheckpointKind.ADAPTER, path=path, head_version=1, dataset_hash=dataset_hash))
        info = db_session.get_one(SessionInfo, 1)
        info.config = {**info.config, "adapter_path": path}


@pytest.mark.parametrize("with_record", [True, False])
def test_step__images_that_the_adapter_has_learned_from_measure_nothing(
    classification: ToySession, with_record: bool
) -> None:
    classification.label_rightly(range(1, 21))
    classification.hold_out()
    _adopt_adapter(classification, with_record=with_record)
    work_off(classification.worker())
    figures = _details(classification)[CROSS_VALIDATION]
    assert (_newest(classification).method, figures["n_samples"], figures["accuracy"]) == (None, 0, None)
    assert "the adapter of the extractor has learned from 20 of the 20 labelled images" in figures["unknown"]
    assert _details(classification)["curve"] is None
    assert "has learned from 20" in _details(classification)["curve_unknown"]


def test_step__images_labelled_after_the_adapter_are_held_back(classification: ToySession) -> None:
    classification.label_rightly(range(1, 21))
    classification.hold_out()
    _adopt_adapter(classification)
    classification.label_rightly(range(21, 33))
    work_off(classification.worker())
    newest, figures = _newest(classification), _details(classification)[CROSS_VALIDATION]
    assert (newest.method, newest.n_images, figures["n_images"]) == (CROSS_VALIDATION, 32, 12)
    assert figures["selected_on_these"] is False
    assert _details(classification)["curve"] is None


def test_step__held_out_images_chose_the_epoch_of_the_adapter(classification: ToySession) -> None:
    classification.label_rightly(range(1, 21))
    classification.hold_out(1, 2, 3, 4, 5, 6)
    classification.label(7, true_class(7))
    worker = classification.worker()
    work_off(worker)
    assert _details(classification)[HELD_OUT]["selected_on_these"] is False
    _adopt_adapter(classification)
    work_off(classification.worker())
    details = _details(classification)
    assert (details[HELD_OUT]["n_images"], details[HELD_OUT]["selected_on_these"]) == (6, True)
    # Six images that the adapter has not learned from are all that an estimate has.
    assert details[CROSS_VALIDATION]["n_images"] == 6


def test_step__other_groups_are_measured_anew(tmp_path: Any) -> None:
    session = make_multilabel_session(tmp_path, 24)
    worker = session.worker()
    answer_rightly(session, range(1, 25))
    work_off(worker)
    grouped = _newest(session)
    with session.db.write() as db_session:
        put_into_group(db_session, db_session.get_one(LabelClass, NIGHT), None)
    work_off(worker)
    apart = _newest(session)
    assert apart.id != grouped.id
    assert apart.content_hash != grouped.content_hash
    session.db.close()


def test_step__history_keeps_the_figure_that_leads(classification: ToySession) -> None:
    classification.label_rightly(range(1, 31))
    classification.hold_out(*range(1, 13))
    classification.label(30, true_class(29))
    work_off(classification.worker())
    newest, details = _newest(classification), _details(classification)
    assert details[CROSS_VALIDATION]["accuracy"] is not None
    assert (newest.method, newest.value) == (HELD_OUT, details[HELD_OUT]["accuracy"]["value"])


def test_step__a_fit_under_way_is_given_up_at_a_click(
    classification: ToySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_measurement, "INLINE_LABELS", 0)
    seen: list[Any] = []

    def judge_at_leisure(*args: Any) -> Any:
        seen.append(args[-1])
        while len(seen) == 1 and not seen[0]():
            time.sleep(0.001)
        return judge(*args)

    monkeypatch.setattr(quality_measurement, "judge", judge_at_leisure)
    worker = classification.worker()
    classification.label_rightly(range(1, 21))
    while not seen:
        worker.step()
    assert not seen[0]()
    classification.label(21, true_class(21))
    assert worker.step()
    assert seen[0]()
    worker.close()


def test_step__several_classes_of_an_image(tmp_path: Any) -> None:
    session = make_multilabel_session(tmp_path, 24)
    worker = session.worker()
    answer_rightly(session, range(1, 25))
    work_off(worker)
    newest, figures = _newest(session), _details(session)[CROSS_VALIDATION]
    assert (newest.n_labels, newest.n_images) == (24, 24)
    assert figures["one_class"] is False
    assert figures["confusion"] is None
    assert figures["accuracy"]["value"] > 0.8
    assert [one["support"] for one in figures["classes"]] == [8, 8, 12]
    assert min(one["f1"] for one in figures["classes"]) > 0.8
    session.db.close()


def test_step__the_same_labels_are_measured_once(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label_rightly(range(1, 13))
    work_off(worker)
    first = _newest(classification)
    with classification.db.write() as db_session:
        clear(db_session, db_session.get_one(Image, 12))
    with classification.db.write() as db_session:
        undo(db_session, db_session.get_one(Image, 12))
    work_off(worker)
    again = _newest(classification)
    assert again.id == first.id
    assert again.label_sequence == classification.info().label_sequence > first.label_sequence
    restarted = classification.worker()
    work_off(restarted)
    assert _newest(classification).id == first.id


def test_step__a_click_ends_a_measurement_of_older_labels(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label_rightly(range(1, 21))
    while not _measuring(worker):
        assert worker.step()
    classification.label(21, true_class(21))
    assert worker.step()
    assert classification.prediction(21) is not None
    work_off(worker)
    with classification.db.read() as db_session:
        counts = [row.n_labels for row in db_session.scalars(select(Measurement))]
    assert counts == [21]


def _measuring(worker: Any) -> bool:
    return worker._quality._steps is not None


def test_step__deterministic(classification: ToySession) -> None:
    worker = classification.worker()
    classification.label_rightly(range(1, 15))
    work_off(worker)
    first = _details(classification)
    with classification.db.write() as db_session:
        db_session.query(Measurement).delete()
    work_off(classification.worker())
    assert _details(classification) == first


def test_save_measurement__is_thinned_out(classification: ToySession) -> None:
    for number in range(KEPT + 70):
        with classification.db.write() as db_session:
            values = {"label_sequence": number, "content_hash": str(number), "n_labels": number, "n_images": 1}
            save_measurement(db_session, values | {"details": {"number": number}})
    with classification.db.read() as db_session:
        rows = db_session.scalars(select(Measurement).order_by(Measurement.id)).all()
    assert len(rows) <= KEPT
    assert rows[0].n_labels == 0
    assert [row.n_labels for row in rows[-50:]] == list(range(KEPT + 70 - 50, KEPT + 70))
    assert [row.details for row in rows if row.details] == [{"number": KEPT + 70 - 1}]
