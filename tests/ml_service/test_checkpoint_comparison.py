"""Two checkpoints, measured on the same held-out images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.enums import CheckpointKind, JobState
from db.queries.comparisons import newest_comparison, request_comparison
from db.queries.runs import request_run
from db.tables.learning import Checkpoint, Run
from db.tables.processes import Job
from ml_service.checkpoint_comparison import compare_checkpoints
from ml_service.data_snapshot import snapshot_path
from tests.ml_service.multilabel_session import CAR, DAY, NIGHT, answer_rightly, make_multilabel_session
from tests.ml_service.toy_session import LEFT, RIGHT, ToySession, work_off

HELD_OUT = (31, 32, 33, 34, 35, 36)


def checkpoints(session: ToySession) -> list[Checkpoint]:
    with session.db.read() as db_session:
        return list(db_session.scalars(select(Checkpoint).order_by(Checkpoint.id)))


@pytest.fixture
def two_live(classification: ToySession) -> tuple[ToySession, int, int]:
    """A live head of wrong labels, and one of right labels; six validation images."""
    worker = classification.worker()
    classification.label_rightly(HELD_OUT)
    for image_id in range(1, 9):
        classification.label(image_id, LEFT if image_id % 2 else RIGHT)
    classification.hold_out(*HELD_OUT)
    work_off(worker)
    classification.label_rightly(range(1, 13))
    classification.hold_out(*HELD_OUT)
    work_off(worker)
    worker.close()
    first, *_, last = checkpoints(classification)
    return classification, first.id, last.id


def test_compare_checkpoints__live_heads_are_measured_without_what_is_held_out(
    two_live: tuple[ToySession, int, int],
) -> None:
    session, wrong, right = two_live
    result = compare_checkpoints(session.context(), wrong, right)
    assert result["held_out"]["n_images"] == len(HELD_OUT)
    assert (result["a"]["how"], result["b"]["how"]) == ("refitted", "refitted")
    # The head that was saved has learned from the right labels of the validation images too, and would do better.
    assert result["a"]["quality"]["accuracy"] < 0.2
    assert result["b"]["quality"]["accuracy"] > 0.8
    assert result["difference"]["accuracy"] > 0.5
    assert result["agreement"]["n_images"] == 40
    assert result["agreement"]["of"] == "images"


def test_compare_checkpoints__with_itself(two_live: tuple[ToySession, int, int]) -> None:
    session, _, right = two_live
    result = compare_checkpoints(session.context(), right, right)
    assert result["difference"] == {"accuracy": 0.0, "standard_error": 0.0}
    assert result["agreement"]["share"] == 1.0


def test_compare_checkpoints__what_a_head_has_learned_from_is_left_out(two_live: tuple[ToySession, int, int]) -> None:
    session, wrong, right = two_live
    session.hold_out(*HELD_OUT, 1, 2)  # as if these two had been moved to the validation part since
    result = compare_checkpoints(session.context(), wrong, right)
    assert (result["held_out"]["n_images"], result["held_out"]["left_out_images"]) == (len(HELD_OUT), 2)


def test_compare_checkpoints__without_a_snapshot_a_live_head_is_not_measured(
    two_live: tuple[ToySession, int, int],
) -> None:
    session, wrong, right = two_live
    first = checkpoints(session)[0]
    assert first.dataset_hash is not None
    snapshot_path(session.folder, first.dataset_hash).unlink()
    result = compare_checkpoints(session.context(), wrong, right)
    assert (result["a"]["quality"], result["a"]["how"], result["difference"]) == (None, None, None)
    assert "validation images too" in result["a"]["note"]
    assert result["b"]["quality"]["n_images"] == len(HELD_OUT)


@pytest.mark.parametrize("head", ["linear", "conv"])
def test_compare_checkpoints__of_a_run_and_a_live_head(segmentation: ToySession, head: str) -> None:
    segmentation.tune(head=head, max_epochs=40)
    worker = segmentation.worker()
    segmentation.click_halves(1, 2, 3, 4)
    segmentation.hold_out(3, 4)
    work_off(worker)  # saves the live head, before that of the run takes its place
    with segmentation.db.write() as db_session:
        request_run(db_session)
    work_off(worker)
    saved = {checkpoint.kind: checkpoint.id for checkpoint in checkpoints(segmentation)}
    result = compare_checkpoints(segmentation.context(), saved[CheckpointKind.LIVE], saved[CheckpointKind.RUN])
    assert (result["a"]["how"], result["b"]["how"]) == ("refitted", "itself")
    with segmentation.db.read() as db_session:
        run = db_session.scalars(select(Run)).one()
    again: dict[str, Any] = result["b"]["quality"]
    assert again["accuracy"] == pytest.approx(run.metrics["held_out"]["accuracy"])
    assert result["held_out"]["n_images"] == 2
    assert result["agreement"]["of"] == "cells"


def test_compare_checkpoints__of_several_classes_per_image(tmp_path: Path) -> None:
    session = make_multilabel_session(tmp_path / "multilabel", 30)
    worker = session.worker()
    for count in (8, 20):
        answer_rightly(session, range(1, count + 1))
        answer_rightly(session, range(25, 31))
        session.hold_out(*range(25, 31))
        work_off(worker)
    worker.close()
    first, *_, last = checkpoints(session)
    result = compare_checkpoints(session.context(), first.id, last.id)
    # Image 30 is answered by none of the classes, and counts as well.
    assert (result["held_out"]["n_images"], result["held_out"]["left_out_samples"]) == (6, 0)
    assert result["b"]["quality"]["accuracy"] > 0.5
    assert result["agreement"]["of"] == "answers"
    assert result["agreement"]["share"] > 0.5
    session.db.close()


def test_worker__compares_on_request(two_live: tuple[ToySession, int, int]) -> None:
    session, wrong, right = two_live
    with session.db.write() as db_session:
        first = request_comparison(db_session, wrong, right)
        assert request_comparison(db_session, wrong, right).id == first.id
    worker = session.worker()
    work_off(worker)
    with session.db.read() as db_session:
        job = newest_comparison(db_session, wrong, right)
    assert job is not None
    assert job.state is JobState.DONE
    assert job.result is not None
    assert job.result["held_out"]["n_images"] == len(HELD_OUT)


def test_worker__comparison_of_what_is_gone_fails_with_a_reason(two_live: tuple[ToySession, int, int]) -> None:
    session, wrong, right = two_live
    (session.folder / checkpoints(session)[0].path).unlink()
    with session.db.write() as db_session:
        request_comparison(db_session, wrong, right)
    worker = session.worker()
    work_off(worker)
    with session.db.read() as db_session:
        job = db_session.scalars(select(Job).where(Job.kind == "compare")).one()
    assert job.state is JobState.FAILED
    assert "is missing" in (job.error or "")
    assert str(session.folder) not in (job.error or "")


def test_compare_checkpoints__in_groups_as_the_service_does_whoever_asks(tmp_path: Path) -> None:
    session = make_multilabel_session(tmp_path / "multilabel", 30)
    worker = session.worker()
    for count in (8, 20):
        answer_rightly(session, [*range(1, count + 1), *range(25, 31)])
        session.hold_out(*range(25, 31))
        work_off(worker)
    first, *_, last = (checkpoint.id for checkpoint in checkpoints(session))
    with session.db.write() as db_session:
        request_comparison(db_session, first, last)
    work_off(worker)
    worker.close()
    with session.db.read() as db_session:
        job = newest_comparison(db_session, first, last)
    assert job is not None
    assert job.result is not None
    qualities = [job.result[side]["quality"] for side in "ab"]
    context = session.context()
    # A context that has read no labels, as on the command line, knows the groups.
    assert context.parts.group_of([DAY, NIGHT, CAR]).tolist() == [0, 0, -1]
    told = compare_checkpoints(context, first, last)
    assert [told[side]["quality"] for side in "ab"] == qualities
    # The heads were fitted with groups, whatever people have made of these since.
    context.parts.group_by_class.clear()
    told = compare_checkpoints(context, first, last)
    assert [told[side]["quality"] for side in "ab"] == qualities
    session.db.close()
